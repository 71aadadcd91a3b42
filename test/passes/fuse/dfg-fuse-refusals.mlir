// What stays apart. RUN line as in dfg-fuse.mlir.
// RUN: orrery-opt %s --dfg-fuse --split-input-file | FileCheck %s

// A third op depends on one and feeds the other.
// CHECK-LABEL: func.func @cycle
// CHECK: dfg.fused
// CHECK: dfg.matmul
// CHECK: dfg.fused
// CHECK: return
func.func @cycle(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = dfg.exp %x : tensor<4x4xf32>
  %1 = dfg.matmul "ab,bc->ac" %0, %x
      : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %2 = dfg.add %0, %1 : tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// -----

// The message received is waited for after the one sent: %0 must not wait.
// CHECK-LABEL: func.func @messages
// CHECK: dfg.fused
// CHECK: dfg.send
// CHECK: %[[R:.*]] = dfg.receive
// CHECK: dfg.fused {{.*}}%[[R]]
// CHECK: return
func.func @messages(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = dfg.exp %x : tensor<4x4xf32>
  dfg.send %0 {delta = 1 : i64} : tensor<4x4xf32>
  %1 = dfg.receive {delta = 1 : i64} : tensor<4x4xf32>
  %2 = dfg.add %0, %1 : tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// -----

// Forward and backward are different programs.
// CHECK-LABEL: func.func @backward
// CHECK: dfg.fused
// CHECK: dfg.begin_backward
// CHECK: dfg.fused
// CHECK: return
func.func @backward(%x: tensor<4x4xf32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = dfg.exp %x : tensor<4x4xf32>
  dfg.begin_backward
  %1 = dfg.sqrt %0 : tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A reduction over leading dimensions walks columns, not rows.
// CHECK-LABEL: func.func @column_sum
// CHECK: %[[G:.*]] = dfg.fused
// CHECK: dfg.reduce sum %[[G]] {dims = array<i64: 0>}
func.func @column_sum(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>)
    -> tensor<8xf32> {
  %0 = dfg.mul %x, %y : tensor<4x8xf32>
  %1 = dfg.reduce sum %0 {dims = array<i64: 0>}
      : tensor<4x8xf32> -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// One value read along rows and along columns has no single place.
// CHECK-LABEL: func.func @two_ways
// CHECK-COUNT-2: dfg.fused shape [8, 8]
// CHECK: return
func.func @two_ways(%x: tensor<8xf32>) -> tensor<8x8xf32> {
  %0 = dfg.broadcast %x {dims = array<i64: 0>}
      : tensor<8xf32> to tensor<8x8xf32>
  %1 = dfg.broadcast %x {dims = array<i64: 1>}
      : tensor<8xf32> to tensor<8x8xf32>
  %2 = dfg.add %0, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// A number that is needed elsewhere too is not made by every row.
// CHECK-LABEL: func.func @number
// CHECK: %[[S:.*]] = dfg.fused shape []
// CHECK: dfg.fused shape [4, 8] ins(%[[S]],
// CHECK: return %{{.*}}, %[[S]]
func.func @number(%a: tensor<f32>, %b: tensor<f32>, %x: tensor<4x8xf32>)
    -> (tensor<4x8xf32>, tensor<f32>) {
  %0 = dfg.div %a, %b : tensor<f32>
  %1 = dfg.broadcast %0 {dims = array<i64>} : tensor<f32> to tensor<4x8xf32>
  %2 = dfg.mul %x, %1 : tensor<4x8xf32>
  return %2, %0 : tensor<4x8xf32>, tensor<f32>
}

// -----

// Different spaces.
// CHECK-LABEL: func.func @spaces
// CHECK: dfg.fused shape [4, 8]
// CHECK: dfg.reshape
// CHECK: dfg.fused shape [2, 2, 8]
// CHECK: return
func.func @spaces(%x: tensor<4x8xf32>) -> tensor<2x2x8xf32> {
  %0 = dfg.exp %x : tensor<4x8xf32>
  %1 = dfg.reshape %0 : tensor<4x8xf32> to tensor<2x2x8xf32>
  %2 = dfg.exp %1 : tensor<2x2x8xf32>
  return %2 : tensor<2x2x8xf32>
}
