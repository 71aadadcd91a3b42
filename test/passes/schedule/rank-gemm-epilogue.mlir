// RUN: orrery-opt --rank-gemm-epilogue --split-input-file %s | FileCheck %s
// RUN: orrery-opt --rank-gemm-epilogue --rank-gemm-epilogue --split-input-file --remarks-filter=rank-gemm-epilogue %s -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Products take over biases, gelus and their gradients.

// The sum is written at once; the product's buffer is gone; where it came from
// stays known.
// REMARK: [Passed] Epilogue | Category:rank-gemm-epilogue | {{.*}}bias
// REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}it has an epilogue
// CHECK-LABEL: rank.class @bias
// CHECK-NOT: rank.buffer work @x
// CHECK: %[[B:.*]] = rank.view @b at 0
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y]] epilogue bias bias %[[B]] : memref<16xf32> {
// CHECK-SAME: rank.label = "matmul"
// CHECK-NOT: rank.launch
rank.class @bias attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
        rank.label = "matmul"}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b) -> (%y)
        : (memref<6x2x16xf32>, memref<16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x16xf32>
        dfg.yield %sum : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }
}

// -----

// The sum under the gelu, kept for the backward, is aux.
// CHECK-LABEL: rank.class @bias_gelu_kept
// CHECK-NOT: rank.buffer work @x
// CHECK: %[[Z:.*]] = rank.view @z at 0
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y]] epilogue bias_gelu bias %{{.*}} : memref<16xf32> aux %[[Z]] : memref<6x2x16xf32> {
// CHECK-NOT: rank.launch
rank.class @bias_gelu_kept attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%b, %x) -> (%z, %y)
        : (memref<16xf32>, memref<6x2x16xf32>) -> (memref<6x2x16xf32>, memref<6x2x16xf32>) {
    ^bb0(%0: tensor<16xf32>, %1: tensor<6x2x16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<16xf32>, %i1: tensor<6x2x16xf32>):
        %bb = dfg.broadcast %i0 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %bb, %i1 : tensor<6x2x16xf32>
        %gl = dfg.gelu tanh %sum : tensor<6x2x16xf32>
        dfg.yield %sum, %gl : tensor<6x2x16xf32>, tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>, tensor<6x2x16xf32>
    }
  }
}

// -----

// A sum that nobody reads takes the place of the product.
// CHECK-LABEL: rank.class @bias_gelu
// CHECK: rank.buffer work @x
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: %[[X:.*]] = rank.view @x at 0
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y]] epilogue bias_gelu bias %{{.*}} : memref<16xf32> aux %[[X]] : memref<6x2x16xf32> {
// CHECK-NOT: rank.launch
rank.class @bias_gelu attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b) -> (%y)
        : (memref<6x2x16xf32>, memref<16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x16xf32>
        %gl = dfg.gelu tanh %sum : tensor<6x2x16xf32>
        dfg.yield %gl : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }
}

// -----

// What does not depend on the product stays a kernel, here the gelu that the
// gradient of the next weight reads.
// CHECK-LABEL: rank.class @gelu_grad
// CHECK-NOT: rank.buffer work @x
// CHECK: %[[Z:.*]] = rank.view @z at 0
// CHECK: %[[G:.*]] = rank.view @g at 0
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y]] epilogue gelu_grad aux %[[Z]] : memref<6x2x16xf32> {
// CHECK: rank.launch(%[[Z]]) -> (%[[G]]) {dfg.layer = 3 : i64}
// CHECK: dfg.fused shape [6, 2, 16] ins(%{{.*}} : tensor<6x2x16xf32>)
// CHECK: %[[R:.*]] = dfg.gelu tanh
// CHECK-NEXT: dfg.yield %[[R]] : tensor<6x2x16xf32>
rank.class @gelu_grad attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @g : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    %g = rank.view @g at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %z) -> (%g, %y) {dfg.layer = 3 : i64}
        : (memref<6x2x16xf32>, memref<6x2x16xf32>) -> (memref<6x2x16xf32>, memref<6x2x16xf32>) {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<6x2x16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<6x2x16xf32>):
        %gl = dfg.gelu tanh %i1 : tensor<6x2x16xf32>
        %dz = dfg.gelu_grad tanh %i0, %i1 : tensor<6x2x16xf32>
        dfg.yield %gl, %dz : tensor<6x2x16xf32>, tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>, tensor<6x2x16xf32>
    }
  }
}
