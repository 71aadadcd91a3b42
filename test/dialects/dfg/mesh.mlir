// Round trip of resharding, collectives and pipeline cuts.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

// CHECK: module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 3, tp = 2>}
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 3, tp = 2>} {

// CHECK-LABEL: func.func @reshard
func.func @reshard(%x: tensor<64x32xf32>) {
  // CHECK: dfg.reshard %{{.*}} from <[_, _], partial sum [tp]> to <[tp, _]> : tensor<64x32xf32>
  %0 = dfg.reshard %x from <[_, _], partial sum [tp]> to <[tp, _]> : tensor<64x32xf32>
  // CHECK: dfg.reshard %{{.*}} from <[tp:pp, _], partial max [dp]> to <[pp, tp]> : tensor<64x32xf32>
  %1 = dfg.reshard %x from <[tp:pp, _], partial max [dp]> to <[pp, tp]> : tensor<64x32xf32>
  return
}

// CHECK-LABEL: func.func @collectives
func.func @collectives(%x: tensor<12x8xf32>) {
  // CHECK: dfg.all_reduce sum %{{.*}} {axes = ["tp"]} : tensor<12x8xf32>
  %0 = dfg.all_reduce sum %x {axes = ["tp"]} : tensor<12x8xf32>
  // CHECK: dfg.all_reduce max %{{.*}} {axes = ["pp"], only = array<i64: 0, 1>} : tensor<12x8xf32>
  %1 = dfg.all_reduce max %x {axes = ["pp"], only = array<i64: 0, 1>} : tensor<12x8xf32>
  // CHECK: dfg.all_gather %{{.*}} {axes = ["dp", "tp"], dim = 1 : i64} : tensor<12x8xf32> -> tensor<12x48xf32>
  %2 = dfg.all_gather %x {axes = ["dp", "tp"], dim = 1 : i64} : tensor<12x8xf32> -> tensor<12x48xf32>
  // CHECK: dfg.reduce_scatter %{{.*}} {axes = ["dp"], dim = 0 : i64} : tensor<12x8xf32> -> tensor<4x8xf32>
  %3 = dfg.reduce_scatter %x {axes = ["dp"], dim = 0 : i64} : tensor<12x8xf32> -> tensor<4x8xf32>
  // CHECK: dfg.all_slice %{{.*}} {axes = ["tp"], dim = 1 : i64} : tensor<12x8xf32> -> tensor<12x4xf32>
  %4 = dfg.all_slice %x {axes = ["tp"], dim = 1 : i64} : tensor<12x8xf32> -> tensor<12x4xf32>
  // CHECK: dfg.all_to_all %{{.*}} {axes = ["tp"], concat = 0 : i64, split = 1 : i64} : tensor<12x8xf32> -> tensor<24x4xf32>
  %5 = dfg.all_to_all %x {axes = ["tp"], split = 1 : i64, concat = 0 : i64} : tensor<12x8xf32> -> tensor<24x4xf32>
  return
}

// CHECK-LABEL: func.func @pipeline
func.func @pipeline(%x: tensor<12x8xf32>) {
  // CHECK: dfg.send %{{.*}} {delta = 1 : i64} : tensor<12x8xf32>
  dfg.send %x {delta = 1 : i64} : tensor<12x8xf32>
  // CHECK: dfg.begin_backward
  dfg.begin_backward
  // CHECK: dfg.receive {delta = 1 : i64} : tensor<12x8xf32>
  %0 = dfg.receive {delta = 1 : i64} : tensor<12x8xf32>
  return
}
}
