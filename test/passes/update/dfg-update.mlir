// RUN: orrery-opt --dfg-update="log-num-zeros log-params-norm" --split-input-file %s | FileCheck %s
// RUN: orrery-opt --dfg-update="optimizer=sgd clip=0 weight-decay=0.5" --split-input-file %s | FileCheck %s --check-prefix=SGD
// RUN: orrery-opt --dfg-update=scaled-loss --split-input-file %s | FileCheck %s --check-prefix=SCALED

// Parameters that decay, are sharded and have gradients partial alike share a
// bucket; sizes are multiples of 16, the whole of 16 times dp.
// CHECK-LABEL: module @stage0
// CHECK:         dfg.bucket @decay_partial_dp : tensor<64xf32> {offsets = array<i64: 0, 32>, parameters = [@w0, @w1], states = ["exp_avg", "exp_avg_sq"], weight_decay = true}
// CHECK:         dfg.bucket @plain_partial_dp_tp : tensor<32xf32> {offsets = array<i64: 0>, parameters = [@norm]

// Gradients once over their partial axes.
// CHECK-LABEL:   func.func @update
// CHECK:           %[[G0:.*]] = dfg.bucket_read @decay_partial_dp "gradient"
// CHECK-NEXT:      %[[R0:.*]] = dfg.all_reduce sum %[[G0]] {axes = ["dp"]}
// CHECK-NEXT:      dfg.bucket_write @decay_partial_dp "gradient", %[[R0]]
// CHECK-NEXT:      %[[G1:.*]] = dfg.bucket_read @plain_partial_dp_tp "gradient"
// CHECK-NEXT:      %[[R1:.*]] = dfg.all_reduce sum %[[G1]] {axes = ["dp", "tp"]}
// CHECK-NEXT:      dfg.bucket_write @plain_partial_dp_tp "gradient", %[[R1]]

// The norm: sharded squares over tp, replicated ones as they are.
// CHECK:           %[[S0:.*]] = dfg.square_sum
// CHECK:           %[[S1:.*]] = dfg.square_sum
// CHECK-NEXT:      %[[T0:.*]] = dfg.all_reduce sum %[[S0]] {axes = ["tp"]} : tensor<f64>
// CHECK-NEXT:      %[[T:.*]] = dfg.add %[[T0]], %[[S1]]
// CHECK-NEXT:      %[[N:.*]] = dfg.sqrt %[[T]]
// CHECK-NEXT:      %[[N32:.*]] = dfg.cast %[[N]]
// CHECK-NEXT:      dfg.metric_write "grad_norm", %[[N32]]

// Padding is no zero of the model: 64 - 50 elements here.
// CHECK:           %[[Z:.*]] = dfg.count_zeros
// CHECK-NEXT:      %[[PAD:.*]] = dfg.constant 1.400000e+01 : tensor<f64>
// CHECK-NEXT:      dfg.sub %[[Z]], %[[PAD]]
// CHECK:           dfg.metric_write "num_zeros"

// Clipping in f64, then Adam.
// CHECK:           dfg.minimum {{.*}} : tensor<f64>
// CHECK-NEXT:      %[[F:.*]] = dfg.cast
// CHECK-NEXT:      %[[G:.*]] = dfg.bucket_read @decay_partial_dp "gradient"
// CHECK-NEXT:      %[[FF:.*]] = dfg.broadcast %[[F]]
// CHECK-NEXT:      dfg.mul %[[G]], %[[FF]]
// CHECK:           dfg.scalar "correction2"
// CHECK:           dfg.scalar "correction1"
// CHECK:           dfg.scalar "lr"
// CHECK:           dfg.bucket_write @decay_partial_dp "exp_avg"
// CHECK-NEXT:      dfg.bucket_write @decay_partial_dp "exp_avg_sq"
// CHECK-NEXT:      dfg.bucket_write @decay_partial_dp "weight"
// CHECK:           dfg.bucket_write @plain_partial_dp_tp "weight"
// CHECK:           dfg.bucket_read @decay_partial_dp "weight"
// CHECK:           dfg.metric_write "params_norm"
// CHECK:           %[[L:.*]] = dfg.metric_read "lm_loss"
// CHECK-NEXT:      %[[LR:.*]] = dfg.all_reduce sum %[[L]] {axes = ["dp"]}
// CHECK-NEXT:      dfg.metric_write "lm_loss", %[[LR]]
// CHECK-NEXT:      return
// CHECK-LABEL:   func.func @evaluate_finish
// CHECK-NEXT:      return

// With sgd: momentum only, decay inside the gradient, no clipping.
// SGD-LABEL:   module @stage0
// SGD:           dfg.bucket @decay_partial_dp {{.*}}states = ["momentum"]
// SGD-LABEL:     func.func @update
// SGD:             dfg.metric_write "grad_norm"
// SGD-NOT:         dfg.minimum
// SGD:             %[[G:.*]] = dfg.bucket_read @decay_partial_dp "gradient"
// SGD-NEXT:        %[[W:.*]] = dfg.bucket_read @decay_partial_dp "weight"
// SGD-NEXT:        dfg.bucket_read @decay_partial_dp "momentum"
// SGD-NEXT:        %[[C:.*]] = dfg.constant 5.000000e-01
// SGD-NEXT:        %[[D:.*]] = dfg.mul %[[W]], %[[C]]
// SGD-NEXT:        dfg.add %[[G]], %[[D]]
// SGD:             dfg.bucket_write @decay_partial_dp "momentum"
// SGD:             dfg.bucket_read @plain_partial_dp_tp "momentum"
// SGD-NOT:         dfg.constant 5.000000e-01
// SGD:             return
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  module @stage0 attributes {dfg.stages = array<i64: 0>,
                             dfg.first_layers = array<i64: 0>} {
    dfg.parameter @w0 : tensor<5x6xf32> {role = "column",
        checkpoint_name = "w0", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true,
        sharding = #dfg.sharding<[tp, _]>, global_type = tensor<10x6xf32>}
    dfg.parameter @norm : tensor<6xf32> {role = "replicated",
        checkpoint_name = "norm", layer = 0 : i64, init_std = 0.0 : f64,
        init_value = 1.0 : f64, weight_decay = false}
    dfg.parameter @w1 : tensor<5x4xf32> {role = "row",
        checkpoint_name = "w1", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true,
        sharding = #dfg.sharding<[_, tp]>, global_type = tensor<5x8xf32>}
    func.func @train(%a: tensor<5x6xf32>, %b: tensor<6xf32>,
                     %c: tensor<5x4xf32>, %l: tensor<f32>) {
      dfg.metric "lm_loss", %l
          {dfg.sharding = [#dfg.sharding<[], partial sum [dp]>]} : tensor<f32>
      dfg.begin_backward
      dfg.accumulate_grad @w0, %a {dfg.sharding =
          [#dfg.sharding<[tp, _], partial sum [dp]>]} : tensor<5x6xf32>
      dfg.accumulate_grad @norm, %b {dfg.sharding =
          [#dfg.sharding<[_], partial sum [tp, dp]>]} : tensor<6xf32>
      dfg.accumulate_grad @w1, %c {dfg.sharding =
          [#dfg.sharding<[_, tp], partial sum [dp]>]} : tensor<5x4xf32>
      return
    }
  }
}

// -----

// A tied table: one more sum among its owners; only the first counts it. Each
// stage reduces the norm over pp once.
// CHECK-LABEL: module @stage0
// CHECK:         func.func @update
// CHECK:           %[[P:.*]] = dfg.all_reduce sum %{{.*}} {axes = ["pp"], only = array<i64: 0, 2>} : tensor<16xf32>
// CHECK-NEXT:      dfg.bucket_write @decay "gradient", %[[P]]
// CHECK:           dfg.square_sum
// CHECK-NEXT:      dfg.all_reduce sum %{{.*}} {axes = ["pp"]} : tensor<f64>
// CHECK-LABEL: module @stage1
// CHECK:         func.func @update
// CHECK-NOT:       only
// CHECK:           dfg.square_sum
// CHECK-NEXT:      dfg.all_reduce sum %{{.*}} {axes = ["pp"]} : tensor<f64>
// CHECK-LABEL: module @stage2
// CHECK:         func.func @update
// CHECK:           dfg.all_reduce sum %{{.*}} {axes = ["pp"], only = array<i64: 0, 2>} : tensor<16xf32>
// CHECK:           %[[ZERO:.*]] = dfg.constant 0.000000e+00 : tensor<f64>
// CHECK-NEXT:      dfg.all_reduce sum %[[ZERO]] {axes = ["pp"]} : tensor<f64>
module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 1, tp = 1>} {
  module @stage0 attributes {dfg.stages = array<i64: 0>} {
    dfg.parameter @table : tensor<4xf32> {role = "replicated",
        checkpoint_name = "table", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true, tied,
        owners = array<i64: 0, 2>}
  }
  module @stage1 attributes {dfg.stages = array<i64: 1>} {
    dfg.parameter @w : tensor<4xf32> {role = "replicated",
        checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
  }
  module @stage2 attributes {dfg.stages = array<i64: 2>} {
    dfg.parameter @table : tensor<4xf32> {role = "replicated",
        checkpoint_name = "table", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true, tied,
        owners = array<i64: 0, 2>}
  }
}

// -----

// Narrow weights are rounded from a master copy.
// CHECK-LABEL: module @narrow
// CHECK:         dfg.bucket @decay : tensor<16xbf16> {{.*}}states = ["exp_avg", "exp_avg_sq", "master"]
// CHECK:         %[[M:.*]] = dfg.bucket_read @decay "master" : tensor<16xf32>
// CHECK:         %[[N:.*]] = dfg.sub %[[M]]
// CHECK:         dfg.bucket_write @decay "master", %[[N]]
// CHECK-NEXT:    %[[W:.*]] = dfg.cast %[[N]] : tensor<16xf32> to tensor<16xbf16>
// CHECK-NEXT:    dfg.bucket_write @decay "weight", %[[W]]
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  module @narrow attributes {dfg.stages = array<i64: 0>} {
    dfg.parameter @w : tensor<4xbf16> {role = "replicated",
        checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
  }
}

// -----

// A scaled loss: not finite norms keep everything as it was.
// SCALED-LABEL: module @scaled
// SCALED-LABEL: func.func @update
// SCALED:         %[[N:.*]] = dfg.sqrt
// SCALED:         %[[P:.*]] = dfg.mul %[[N]]
// SCALED-NEXT:    %[[P32:.*]] = dfg.cast %[[P]]
// SCALED-NEXT:    %[[C:.*]] = dfg.count_not_finite %[[P32]]
// SCALED-NEXT:    %[[O:.*]] = dfg.cast %[[C]]
// SCALED-NEXT:    dfg.metric_write "overflow", %[[O]]
// SCALED:         dfg.scalar "inverse_scale"
// SCALED:         dfg.metric_write "grad_norm"
// SCALED:         %[[OLD:.*]] = dfg.bucket_read @decay "exp_avg"
// SCALED:         %[[OO:.*]] = dfg.broadcast %[[O]]
// SCALED-NEXT:    %[[NEW:.*]] = dfg.select %[[OO]], %[[OLD]]
// SCALED:         dfg.bucket_write @decay "exp_avg", %[[NEW]]
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  module @scaled attributes {dfg.stages = array<i64: 0>} {
    dfg.parameter @w : tensor<4xf16> {role = "replicated",
        checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
  }
}
