// What examples of ops name without declaring it.
dfg.parameter @w : tensor<96x32xf32> {role = "column", checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
dfg.parameter @w0 : tensor<32x32xf32> {role = "row", checkpoint_name = "w0", layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
dfg.parameter @w1 : tensor<96x32xf32> {role = "column", checkpoint_name = "w1", layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
dfg.bucket @decayed : tensor<4096xf32> {parameters = [@w0, @w1], offsets = array<i64: 0, 1024>, states = ["exp_avg", "exp_avg_sq"], weight_decay = true}
