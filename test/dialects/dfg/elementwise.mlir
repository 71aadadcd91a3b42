// Round trip of the elementwise ops.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

// CHECK-LABEL: func.func @arithmetic
// CHECK-SAME: %[[A:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<4x8xf32>
func.func @arithmetic(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>) {
  // CHECK: dfg.add %[[A]], %[[B]] : tensor<4x8xf32>
  %0 = dfg.add %a, %b : tensor<4x8xf32>
  // CHECK: dfg.sub %[[A]], %[[B]] : tensor<4x8xf32>
  %1 = dfg.sub %a, %b : tensor<4x8xf32>
  // CHECK: dfg.mul %[[A]], %[[B]] : tensor<4x8xf32>
  %2 = dfg.mul %a, %b : tensor<4x8xf32>
  // CHECK: dfg.div %[[A]], %[[B]] : tensor<4x8xf32>
  %3 = dfg.div %a, %b : tensor<4x8xf32>
  // CHECK: dfg.maximum %[[A]], %[[B]] : tensor<4x8xf32>
  %4 = dfg.maximum %a, %b : tensor<4x8xf32>
  // CHECK: dfg.minimum %[[A]], %[[B]] : tensor<4x8xf32>
  %5 = dfg.minimum %a, %b : tensor<4x8xf32>
  // CHECK: dfg.select %[[A]], %[[A]], %[[B]] : tensor<4x8xf32>
  %select = dfg.select %a, %a, %b : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @functions
// CHECK-SAME: %[[A:.*]]: tensor<4x8xf32>
func.func @functions(%a: tensor<4x8xf32>) {
  // CHECK: dfg.exp %[[A]] : tensor<4x8xf32>
  %0 = dfg.exp %a : tensor<4x8xf32>
  // CHECK: dfg.log %[[A]] : tensor<4x8xf32>
  %1 = dfg.log %a : tensor<4x8xf32>
  // CHECK: dfg.sqrt %[[A]] : tensor<4x8xf32>
  %2 = dfg.sqrt %a : tensor<4x8xf32>
  // CHECK: dfg.rsqrt %[[A]] : tensor<4x8xf32>
  %3 = dfg.rsqrt %a : tensor<4x8xf32>
  // CHECK: dfg.gelu tanh %[[A]] : tensor<4x8xf32>
  %4 = dfg.gelu tanh %a : tensor<4x8xf32>
  // CHECK: dfg.gelu erf %[[A]] : tensor<4x8xf32>
  %5 = dfg.gelu erf %a : tensor<4x8xf32>
  // CHECK: dfg.gelu_grad tanh %[[A]], %{{.*}} : tensor<4x8xf32>
  %6 = dfg.gelu_grad tanh %a, %5 : tensor<4x8xf32>
  // CHECK: dfg.cast %[[A]] : tensor<4x8xf32> to tensor<4x8xbf16>
  %7 = dfg.cast %a : tensor<4x8xf32> to tensor<4x8xbf16>
  return
}

// CHECK-LABEL: func.func @constants
func.func @constants() {
  // CHECK: dfg.constant 5.000000e-01 : tensor<4x8xf32>
  %0 = dfg.constant 0.5 : tensor<4x8xf32>
  // CHECK: dfg.constant -1.000000e-05 : tensor<f32>
  %1 = dfg.constant -1.0e-5 : tensor<f32>
  return
}

// CHECK-LABEL: func.func @dropout
func.func @dropout(%x: tensor<64x4x32xf32>) {
  // CHECK: dfg.dropout %{{.*}} {extent = array<i64: 64, 8, 32>,
  // CHECK-SAME: layer = 3 : i64,
  // CHECK-SAME: offset = [#dfg.index<0 + tp * 64>, #dfg.index<4>, #dfg.index<0>]
  // CHECK-SAME: probability = 1.000000e-01 : f64,
  // CHECK-SAME: stream = "layers.{layer}.dropout"} : tensor<64x4x32xf32>
  %0 = dfg.dropout %x {probability = 0.1 : f64,
      stream = "layers.{layer}.dropout", layer = 3 : i64,
      extent = array<i64: 64, 8, 32>,
      offset = [#dfg.index<0 + tp * 64>, #dfg.index<4>, #dfg.index<0>]}
      : tensor<64x4x32xf32>
  return
}
