// dfg-propagate: placements of all values and factors, from the seeds.
// RUN: orrery-opt %s --dfg-propagate | FileCheck %s

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  dfg.parameter @up : tensor<8x4xf32> {role = "column",
      sharding = #dfg.sharding<[tp, _]>, checkpoint_name = "up",
      layer = -1 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  dfg.parameter @down : tensor<4x8xf32> {role = "row",
      sharding = #dfg.sharding<[_, tp]>, checkpoint_name = "down",
      layer = -1 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}

  // The weights split what lies between the two products; samples split all.
  // The positions of the input lose tp in both products: parameters first.
  // CHECK-LABEL: func.func @mlp
  func.func @mlp(%x: tensor<6x2x4xf32>
                     {dfg.sharding = #dfg.sharding<[tp, dp, _]>})
      -> tensor<6x2x4xf32> {
    %up = dfg.weight @up {dfg.sharding = [#dfg.sharding<[tp, _]>]}
        : tensor<8x4xf32>
    %down = dfg.weight @down {dfg.sharding = [#dfg.sharding<[_, tp]>]}
        : tensor<4x8xf32>
    // CHECK: dfg.gelu {{.*}}sharding<[tp, dp, _]>
    %0 = dfg.gelu tanh %x : tensor<6x2x4xf32>
    // CHECK: dfg.matmul {{.*}}dfg.factors = {{\[\[}}], ["dp"], [], ["tp"]]
    // CHECK-SAME: sharding<[_, dp, tp]>
    %1 = dfg.matmul "sbi,oi->sbo" %0, %up
        : tensor<6x2x4xf32>, tensor<8x4xf32> -> tensor<6x2x8xf32>
    // CHECK: dfg.exp {{.*}}sharding<[_, dp, tp]>
    %2 = dfg.exp %1 : tensor<6x2x8xf32>
    // The factor i is split, which the result lacks; what is wanted for the
    // result comes from the addition behind it.
    // CHECK: dfg.matmul {{.*}}dfg.factors = {{\[\[}}], ["dp"], ["tp"], []]
    // CHECK-SAME: sharding<[tp, dp, _]>
    %3 = dfg.matmul "sbi,oi->sbo" %2, %down
        : tensor<6x2x8xf32>, tensor<4x8xf32> -> tensor<6x2x4xf32>
    // CHECK: dfg.add {{.*}}sharding<[tp, dp, _]>
    %4 = dfg.add %x, %3 : tensor<6x2x4xf32>
    return %4 : tensor<6x2x4xf32>
  }

  // Of heads · 3 · features only the heads are split.
  // CHECK-LABEL: func.func @heads
  func.func @heads(%x: tensor<6x24xf32>
                       {dfg.sharding = #dfg.sharding<[_, tp]>}) {
    // CHECK: dfg.reshape {{.*}}dfg.factors = {{\[\[}}], ["tp"], [], []]
    // CHECK-SAME: sharding<[_, tp, _, _]>
    %0 = dfg.reshape %x : tensor<6x24xf32> to tensor<6x4x3x2xf32>
    // A whole dimension is never split, the others are.
    // CHECK: dfg.slice {{.*}}sharding<[_, tp, _, _]>
    %1 = dfg.slice %0 {dim = 2 : i64, start = 1 : i64, size = 1 : i64}
        : tensor<6x4x3x2xf32> -> tensor<6x4x1x2xf32>
    return
  }

  // Rows of a norm are independent, its features are one whole.
  // CHECK-LABEL: func.func @norm
  func.func @norm(%x: tensor<6x4xf32> {dfg.sharding = #dfg.sharding<[dp, tp]>},
                  %g: tensor<4xf32> {dfg.sharding = #dfg.sharding<[_]>}) {
    // CHECK: dfg.layer_norm
    // CHECK-SAME: dfg.factors = {{\[\[}}"dp"], []]
    // CHECK-SAME: dfg.sharding = [#dfg.sharding<[dp, _]>, #dfg.sharding<[dp]>, #dfg.sharding<[dp]>]
    %y, %m, %r = dfg.layer_norm %x, %g, %g {epsilon = 1.0e-5 : f64}
        : tensor<6x4xf32>, tensor<4xf32>, tensor<4xf32>
        -> tensor<6x4xf32>, tensor<6xf32>, tensor<6xf32>
    return
  }
}
