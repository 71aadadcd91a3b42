// RUN: orrery-opt %s --dfg-fuse --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @bias
// CHECK-SAME: %[[X:.*]]: tensor<64x4x32xf32>, %[[B:.*]]: tensor<32xf32>
func.func @bias(%x: tensor<64x4x32xf32>, %b: tensor<32xf32>)
    -> tensor<64x4x32xf32> {
  // CHECK-NEXT: %[[Y:.*]] = dfg.fused shape [64, 4, 32] ins(%[[B]], %[[X]] : tensor<32xf32>, tensor<64x4x32xf32>)
  // CHECK-NEXT: ^bb0(%[[B0:.*]]: tensor<32xf32>, %[[X0:.*]]: tensor<64x4x32xf32>):
  // CHECK-NEXT: %[[B1:.*]] = dfg.broadcast %[[B0]]
  // CHECK-NEXT: %[[Y0:.*]] = dfg.add %[[X0]], %[[B1]]
  // CHECK-NEXT: dfg.yield %[[Y0]]
  // CHECK-NEXT: }
  // CHECK-NEXT: return %[[Y]]
  %0 = dfg.broadcast %b {dims = array<i64: 2>}
      : tensor<32xf32> to tensor<64x4x32xf32>
  %1 = dfg.add %x, %0 : tensor<64x4x32xf32>
  return %1 : tensor<64x4x32xf32>
}

// -----

// Numbers per row join the rows they are made of and used in.
// CHECK-LABEL: func.func @softmax
// CHECK-COUNT-1: dfg.fused shape [4, 8]
// CHECK-NOT: dfg.fused
// CHECK: return
func.func @softmax(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  %max = dfg.reduce max %x {dims = array<i64: 1>}
      : tensor<4x8xf32> -> tensor<4xf32>
  %0 = dfg.broadcast %max {dims = array<i64: 0>}
      : tensor<4xf32> to tensor<4x8xf32>
  %1 = dfg.sub %x, %0 : tensor<4x8xf32>
  %2 = dfg.exp %1 : tensor<4x8xf32>
  %sum = dfg.reduce sum %2 {dims = array<i64: 1>}
      : tensor<4x8xf32> -> tensor<4xf32>
  %3 = dfg.log %sum : tensor<4xf32>
  %4 = dfg.broadcast %sum {dims = array<i64: 0>}
      : tensor<4xf32> to tensor<4x8xf32>
  %5 = dfg.div %2, %4 : tensor<4x8xf32>
  return %5, %3 : tensor<4x8xf32>, tensor<4xf32>
}

// -----

// Broadcasts and constants are made again in each kernel, never stored.
// CHECK-LABEL: func.func @copies
// CHECK-SAME: %[[X:.*]]: tensor<4x4xf32>, %[[S:.*]]: tensor<f32>
func.func @copies(%x: tensor<4x4xf32>, %s: tensor<f32>) -> tensor<4x4xf32> {
  // CHECK: %[[Y:.*]] = dfg.fused {{.*}} ins(%[[S]], %[[X]] :
  // CHECK: dfg.broadcast
  // CHECK: %[[P:.*]] = dfg.matmul
  // CHECK: dfg.fused {{.*}} ins(%[[S]], %[[P]] :
  // CHECK: dfg.broadcast
  %0 = dfg.broadcast %s {dims = array<i64>} : tensor<f32> to tensor<4x4xf32>
  %1 = dfg.mul %x, %0 : tensor<4x4xf32>
  %2 = dfg.matmul "ab,bc->ac" %1, %x
      : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %3 = dfg.mul %2, %0 : tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}

// -----

// Two ops that read the same rows share the reading.
// CHECK-LABEL: func.func @siblings
// CHECK-COUNT-1: dfg.fused
// CHECK-NOT: dfg.fused
// CHECK: return
func.func @siblings(%x: tensor<4x8xf32>, %dy: tensor<4x8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = dfg.gelu tanh %x : tensor<4x8xf32>
  %1 = dfg.gelu_grad tanh %dy, %x : tensor<4x8xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// An op that need not wait moves in front of the group that its neighbour
// joins; one that must wait moves behind it.
// CHECK-LABEL: func.func @order
// CHECK: %[[PRODUCT:.*]] = dfg.matmul "ab,bc->ac" %{{.*}}, %{{.*}} :
// CHECK: %[[G:.*]]:2 = dfg.fused
// CHECK: dfg.transpose %[[G]]#0
func.func @order(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = dfg.exp %x : tensor<4x4xf32>
  %1 = dfg.transpose %0 {perm = array<i64: 1, 0>}
      : tensor<4x4xf32> -> tensor<4x4xf32>
  %2 = dfg.matmul "ab,bc->ac" %x, %x
      : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %3 = dfg.add %0, %2 : tensor<4x4xf32>
  return %1, %3 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// The update of one flat bucket is one kernel; numbers that only it needs are
// part of it.
// CHECK-LABEL: func.func @update
// CHECK-COUNT-1: dfg.fused shape [100]
// CHECK-NOT: dfg.fused
// CHECK: return
func.func @update(%w: tensor<100xf32>, %g: tensor<100xf32>, %m: tensor<100xf32>,
    %lr: tensor<f32>, %c: tensor<f32>) -> (tensor<100xf32>, tensor<100xf32>) {
  %step = dfg.div %lr, %c : tensor<f32>
  %0 = dfg.broadcast %step {dims = array<i64>}
      : tensor<f32> to tensor<100xf32>
  %beta = dfg.constant 0.9 : tensor<100xf32>
  %1 = dfg.mul %m, %beta : tensor<100xf32>
  %2 = dfg.add %1, %g : tensor<100xf32>
  %3 = dfg.mul %2, %0 : tensor<100xf32>
  %4 = dfg.sub %w, %3 : tensor<100xf32>
  return %4, %2 : tensor<100xf32>, tensor<100xf32>
}

// -----

// Gradients are summed in f32: one that was rounded for the type of its weight
// is accumulated as it was before, without a kernel for the rounding.
// CHECK-LABEL: func.func @gradient
// CHECK: %[[G:.*]] = dfg.reduce sum %{{.*}} : tensor<8x4xf32> -> tensor<4xf32>
// CHECK-NEXT: dfg.accumulate_grad @w, %[[G]] : tensor<4xf32>
// CHECK-NEXT: return
dfg.parameter @w : tensor<4xbf16> {role = "replicated", checkpoint_name = "w",
    layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
    weight_decay = true}
func.func @gradient(%x: tensor<8x4xf32>) {
  %0 = dfg.reduce sum %x {dims = array<i64: 0>}
      : tensor<8x4xf32> -> tensor<4xf32>
  %1 = dfg.cast %0 : tensor<4xf32> to tensor<4xbf16>
  dfg.accumulate_grad @w, %1 : tensor<4xbf16>
  return
}

// -----

// One that was widened is accumulated as it is.
// CHECK-LABEL: func.func @widened
// CHECK: %[[G:.*]] = dfg.fused
// CHECK: dfg.cast
// CHECK: dfg.accumulate_grad @w, %[[G]] : tensor<4xf32>
dfg.parameter @w : tensor<4xf32> {role = "replicated", checkpoint_name = "w",
    layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
    weight_decay = true}
func.func @widened(%x: tensor<4xbf16>) {
  %0 = dfg.cast %x : tensor<4xbf16> to tensor<4xf32>
  dfg.accumulate_grad @w, %0 : tensor<4xf32>
  return
}
