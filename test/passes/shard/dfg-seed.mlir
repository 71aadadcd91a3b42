// dfg-seed: the placements that the job asks for.
// RUN: orrery-opt %s --dfg-seed | FileCheck %s
// RUN: orrery-opt %s --dfg-seed=sequence-parallel=true \
// RUN:   | FileCheck %s --check-prefix=SP

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  // CHECK: dfg.parameter @column : tensor<8x4xf32> {{.*}}sharding = #dfg.sharding<[tp, _]>
  dfg.parameter @column : tensor<8x4xf32> {role = "column",
      checkpoint_name = "column", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  // CHECK: dfg.parameter @row : tensor<4x8xf32> {{.*}}sharding = #dfg.sharding<[_, tp]>
  dfg.parameter @row : tensor<4x8xf32> {role = "row",
      checkpoint_name = "row", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  // CHECK: dfg.parameter @norm : tensor<4xf32> {{.*}}sharding = #dfg.sharding<[_]>
  dfg.parameter @norm : tensor<4xf32> {role = "replicated",
      checkpoint_name = "norm", layer = -1 : i64, init_std = 0.0 : f64,
      init_value = 1.0 : f64, weight_decay = false}
  // A sharding that is there already stays.
  // CHECK: dfg.parameter @chosen : tensor<4x8xf32> {{.*}}sharding = #dfg.sharding<[tp, _]>
  dfg.parameter @chosen : tensor<4x8xf32> {role = "row",
      checkpoint_name = "chosen", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true,
      sharding = #dfg.sharding<[tp, _]>}

  // Samples, dimension 1, lie on dp; other arguments are replicated.
  // CHECK-LABEL: func.func @train
  // CHECK-SAME: dfg.input = "tokens", dfg.sharding = #dfg.sharding<[_, dp]>
  // CHECK-SAME: %{{.*}}: tensor<4xf32> {dfg.sharding = #dfg.sharding<[_]>}
  func.func @train(%tokens: tensor<6x2xi32> {dfg.input = "tokens"},
                   %other: tensor<4xf32>) {
    // CHECK: dfg.weight @column {dfg.sharding = [#dfg.sharding<[tp, _]>]}
    %0 = dfg.weight @column : tensor<8x4xf32>
    // Received and sent values and the residual stream lie alike.
    // CHECK: dfg.receive {delta = -1 : i64, dfg.sharding = [#dfg.sharding<[_, dp, _]>]}
    // SP: dfg.receive {delta = -1 : i64, dfg.sharding = [#dfg.sharding<[tp, dp, _]>]}
    %1 = dfg.receive {delta = -1 : i64} : tensor<6x2x4xf32>
    // CHECK: dfg.add {{.*}}dfg.residual, dfg.sharding = [#dfg.sharding<[_, dp, _]>]
    // SP: dfg.add {{.*}}dfg.residual, dfg.sharding = [#dfg.sharding<[tp, dp, _]>]
    %2 = dfg.add %1, %1 {dfg.residual} : tensor<6x2x4xf32>
    // An op that is no seed gets nothing.
    // CHECK: dfg.exp %{{[0-9]+}} : tensor<6x2x4xf32>
    %3 = dfg.exp %2 : tensor<6x2x4xf32>
    // SP: dfg.send {{.*}} {delta = 1 : i64, dfg.sharding = [#dfg.sharding<[tp, dp, _]>]}
    dfg.send %3 {delta = 1 : i64} : tensor<6x2x4xf32>
    // The gradient is wanted like its parameter.
    // CHECK: dfg.accumulate_grad @column, {{.*}} {dfg.sharding = [#dfg.sharding<[tp, _]>]}
    dfg.accumulate_grad @column, %0 : tensor<8x4xf32>
    return
  }
}
