// RUN: orrery-opt --rank-gemm-epilogue --split-input-file %s | FileCheck %s
// Kernels that go on with what the epilogue writes read it from there.

// Partial sums for the gradient of the bias.
// CHECK-LABEL: rank.class @goes_on
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: %[[P:.*]] = rank.view @p at 0
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y]] epilogue gelu_grad
// CHECK: rank.launch(%[[Y]]) -> (%[[P]])
// CHECK: dfg.fused shape [6, 2, 16]
// CHECK-NEXT: ^bb0(%[[IN:.*]]: tensor<6x2x16xf32>):
// CHECK-NEXT: %[[R:.*]] = dfg.partial_sum %[[IN]]
// CHECK-NEXT: dfg.yield %[[R]] : tensor<4x16xf32>
rank.class @goes_on attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @p : memref<4x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %p = rank.view @p at 0 : memref<4x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %z) -> (%y, %p)
        : (memref<6x2x16xf32>, memref<6x2x16xf32>) -> (memref<6x2x16xf32>, memref<4x16xf32>) {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<6x2x16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<6x2x16xf32>):
        %dz = dfg.gelu_grad tanh %i0, %i1 : tensor<6x2x16xf32>
        %ps = dfg.partial_sum %dz : tensor<6x2x16xf32> -> tensor<4x16xf32>
        dfg.yield %dz, %ps : tensor<6x2x16xf32>, tensor<4x16xf32>
      } : tensor<6x2x16xf32>, tensor<4x16xf32>
    }
  }
}

// -----

// The gradient of the weight stands between: it touches neither z nor dz, so
// the product writes dz already before it.
// CHECK-LABEL: rank.class @between
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[DZ:.*]] epilogue gelu_grad aux
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %{{.*}} {{.*}}beta = 1.000000e+00
// CHECK-NOT: rank.launch
rank.class @between attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer gradient @g : memref<8x8xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @backward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %g = rank.view @g at 0 : memref<8x8xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.gemm %a, %a -> %g {transpose_a = true, transpose_b = false,
        m = 8 : i64, n = 8 : i64, k = 12 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 8 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
        : memref<12x8xf32>, memref<12x8xf32> -> memref<8x8xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.launch (%x, %z) -> (%y)
        : (memref<6x2x16xf32>, memref<6x2x16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<6x2x16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<6x2x16xf32>):
        %dz = dfg.gelu_grad tanh %i0, %i1 : tensor<6x2x16xf32>
        dfg.yield %dz : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }
}

// -----

// An instruction between writes the bias.
// CHECK-LABEL: rank.class @writes_bias
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %{{.*}} {alpha
// CHECK: rank.copy
// CHECK: rank.launch
rank.class @writes_bias attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @c : memref<16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %c = rank.view @c at 0 : memref<16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.copy %c -> %b : memref<16xf32>, memref<16xf32>
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

// Recomputed in the backward: the gradient reads the sum in the product's place.
// CHECK-LABEL: rank.class @recomputed
// CHECK: %[[G:.*]] = rank.view @g at 0
// CHECK: %[[D:.*]] = rank.view @d at 0
// CHECK: %[[Y:.*]] = rank.view @y at 0
// CHECK: %[[X:.*]] = rank.view @x at 0
// CHECK: rank.gemm %{{.*}} -> %[[Y]] epilogue bias_gelu bias %{{.*}} aux %[[X]]
// CHECK: rank.launch(%[[G]], %[[X]]) -> (%[[D]])
// CHECK: dfg.fused shape [6, 2, 16]
// CHECK-NEXT: ^bb0(%[[IN:.*]]: tensor<6x2x16xf32>, %[[Z:.*]]: tensor<6x2x16xf32>):
// CHECK-NEXT: dfg.gelu_grad tanh %[[IN]], %[[Z]]
rank.class @recomputed attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @x : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @g : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @d : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x at 0 : memref<6x2x16xf32>
    %g = rank.view @g at 0 : memref<6x2x16xf32>
    %d = rank.view @d at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b, %g) -> (%y, %d)
        : (memref<6x2x16xf32>, memref<16xf32>, memref<6x2x16xf32>) -> (memref<6x2x16xf32>, memref<6x2x16xf32>) {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>, %2: tensor<6x2x16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1, %2
          : tensor<6x2x16xf32>, tensor<16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>, %i2: tensor<6x2x16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x16xf32>
        %gl = dfg.gelu tanh %sum : tensor<6x2x16xf32>
        %dz = dfg.gelu_grad tanh %i2, %sum : tensor<6x2x16xf32>
        dfg.yield %gl, %dz : tensor<6x2x16xf32>, tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>, tensor<6x2x16xf32>
    }
  }
}
