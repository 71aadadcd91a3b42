// Round trip of the ops that move or combine dimensions.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

// CHECK-LABEL: func.func @broadcast
func.func @broadcast(%b: tensor<8xf32>, %s: tensor<f32>) {
  // CHECK: dfg.broadcast %{{.*}} {dims = array<i64: 2>} : tensor<8xf32> to tensor<4x2x8xf32>
  %0 = dfg.broadcast %b {dims = array<i64: 2>} : tensor<8xf32> to tensor<4x2x8xf32>
  // CHECK: dfg.broadcast %{{.*}} {dims = array<i64>} : tensor<f32> to tensor<4xf32>
  %1 = dfg.broadcast %s {dims = array<i64>} : tensor<f32> to tensor<4xf32>
  return
}

// CHECK-LABEL: func.func @reduce
func.func @reduce(%x: tensor<4x8x2xf32>) {
  // CHECK: dfg.reduce sum %{{.*}} {dims = array<i64: 0, 2>} : tensor<4x8x2xf32> -> tensor<8xf32>
  %0 = dfg.reduce sum %x {dims = array<i64: 0, 2>} : tensor<4x8x2xf32> -> tensor<8xf32>
  // CHECK: dfg.reduce max %{{.*}} {dims = array<i64: 2>} : tensor<4x8x2xf32> -> tensor<4x8xf32>
  %1 = dfg.reduce max %x {dims = array<i64: 2>} : tensor<4x8x2xf32> -> tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @partial_sum
func.func @partial_sum(%x: tensor<4x2x8xbf16>) {
  // CHECK: dfg.partial_sum %{{.*}} : tensor<4x2x8xbf16> -> tensor<3x8xf32>
  %0 = dfg.partial_sum %x : tensor<4x2x8xbf16> -> tensor<3x8xf32>
  return
}

// CHECK-LABEL: func.func @views
func.func @views(%x: tensor<4x6xf32>, %ids: tensor<4x6xi32>) {
  // CHECK: dfg.reshape %{{.*}} : tensor<4x6xf32> to tensor<4x2x3xf32>
  %0 = dfg.reshape %x : tensor<4x6xf32> to tensor<4x2x3xf32>
  // CHECK: dfg.reshape %{{.*}} : tensor<4x6xi32> to tensor<24xi32>
  %1 = dfg.reshape %ids : tensor<4x6xi32> to tensor<24xi32>
  // CHECK: dfg.transpose %{{.*}} {perm = array<i64: 1, 0>} : tensor<4x6xf32> -> tensor<6x4xf32>
  %2 = dfg.transpose %x {perm = array<i64: 1, 0>} : tensor<4x6xf32> -> tensor<6x4xf32>
  // CHECK: dfg.slice %{{.*}} {dim = 1 : i64, size = 3 : i64, start = 2 : i64} : tensor<4x6xf32> -> tensor<4x3xf32>
  %3 = dfg.slice %x {dim = 1 : i64, start = 2 : i64, size = 3 : i64} : tensor<4x6xf32> -> tensor<4x3xf32>
  // CHECK: dfg.concat %{{.*}}, %{{.*}} {dim = 1 : i64} : tensor<4x6xf32>, tensor<4x3xf32> -> tensor<4x9xf32>
  %4 = dfg.concat %x, %3 {dim = 1 : i64} : tensor<4x6xf32>, tensor<4x3xf32> -> tensor<4x9xf32>
  return
}
