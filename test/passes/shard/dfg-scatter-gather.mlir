// dfg-scatter-gather: a part per tensor-parallel rank crosses a stage cut.
// RUN: orrery-opt %s --dfg-scatter-gather | FileCheck %s

#whole = #dfg.sharding<[_, dp, _]>
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 2, tp = 2>} {
  // CHECK-LABEL: func.func @send
  // CHECK-SAME: %[[X:.*]]: tensor<8x1x4xf32>
  func.func @send(%x: tensor<8x1x4xf32> {dfg.sharding = #whole}) {
    // CHECK: %[[P:.*]] = dfg.all_slice %[[X]] {axes = ["tp"]{{.*}}dim = 0 : i64} : tensor<8x1x4xf32> -> tensor<4x1x4xf32>
    // CHECK: dfg.send %[[P]] {delta = 1 : i64, dfg.sharding = [#dfg.sharding<[tp, dp, _]>]} : tensor<4x1x4xf32>
    dfg.send %x {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<8x1x4xf32>
    return
  }

  // CHECK-LABEL: func.func @receive
  func.func @receive() {
    // CHECK: %[[P:.*]] = dfg.receive {{.*}} : tensor<4x1x4xf32>
    // CHECK: %[[X:.*]] = dfg.all_gather %[[P]] {axes = ["tp"]{{.*}}dim = 0 : i64} : tensor<4x1x4xf32> -> tensor<8x1x4xf32>
    // CHECK: dfg.exp %[[X]]
    %0 = dfg.receive {delta = -1 : i64, dfg.sharding = [#whole]}
        : tensor<8x1x4xf32>
    %1 = dfg.exp %0 {dfg.sharding = [#whole]} : tensor<8x1x4xf32>
    return
  }

  // Sequence parallelism has split the value already.
  // CHECK-LABEL: func.func @split_already
  func.func @split_already(%x: tensor<4x1x4xf32>
                               {dfg.sharding = #dfg.sharding<[tp, dp, _]>}) {
    // CHECK-NOT: dfg.all_slice
    dfg.send %x {delta = 1 : i64,
        dfg.sharding = [#dfg.sharding<[tp, dp, _]>]} : tensor<4x1x4xf32>
    return
  }

  // Nothing that tp divides: the whole value travels.
  // CHECK-LABEL: func.func @indivisible
  func.func @indivisible(%x: tensor<3x1x5xf32> {dfg.sharding = #whole}) {
    // CHECK-NOT: dfg.all_slice
    dfg.send %x {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<3x1x5xf32>
    return
  }
}
