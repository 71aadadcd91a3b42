// RUN: orrery-opt "--rank-chunk-collectives=pieces=2" %s | FileCheck %s
// Products that add to weights' gradients wait to hide a gather, then a scatter.

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  rank.communicator @tp {axes = ["tp"]}
  // CHECK-LABEL: rank.class @waits
  rank.class @waits attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer work @gy : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @gh : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @gx : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer stash @h : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer stash @x : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @sum : memref<4x8xf32> {slots = 1 : i64}
    rank.buffer work @next : memref<4x8xf32> {slots = 1 : i64}
    rank.buffer work @all : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @out : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer weight @w : memref<128xf32> {slots = 1 : i64}
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.gemm {{.*}}rank.label = "gx1"
    // CHECK: reduce_scatter
    // CHECK: rank.gemm {{.*}}rank.label = "gw2"
    // CHECK: rank.copy
    // CHECK: all_gather {{.*}} memref<4x8xf32>, memref<8x8xf32>
    // CHECK: rank.gemm {{.*}}rank.label = "gw1"
    // CHECK: rank.gemm {{.*}} m = 8 : i64, {{.*}}rank.label = "gx0"
    rank.program @backward {
      %gy = rank.view @gy at 0 : memref<8x8xf32>
      %gh = rank.view @gh at 0 : memref<8x8xf32>
      %gx = rank.view @gx at 0 : memref<8x8xf32>
      %h = rank.view @h at 0 : memref<8x8xf32>
      %x = rank.view @x at 0 : memref<8x8xf32>
      %all = rank.view @all at 0 : memref<8x8xf32>
      %out = rank.view @out at 0 : memref<8x8xf32>
      %sum = rank.view @sum at 0 : memref<4x8xf32>
      %next = rank.view @next at 0 : memref<4x8xf32>
      %w = rank.view @w at 0 : memref<8x8xf32>
      %g1 = rank.view @g at 0 : memref<8x8xf32>
      %g2 = rank.view @g at 64 : memref<8x8xf32>
      rank.gemm %gy, %h -> %g2
          {transpose_a = true, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64,
          rank.label = "gw2"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.gemm %gh, %w -> %gx
          {transpose_a = false, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
          rank.label = "gx1"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.gemm %gh, %x -> %g1
          {transpose_a = true, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64,
          rank.label = "gw1"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.collective reduce_scatter sum @tp %gx -> %sum {dim = 0 : i64,
          concat = 0 : i64} : memref<8x8xf32>, memref<4x8xf32>
      rank.copy %sum -> %next : memref<4x8xf32>, memref<4x8xf32>
      rank.collective all_gather sum @tp %next -> %all {dim = 0 : i64,
          concat = 0 : i64} : memref<4x8xf32>, memref<8x8xf32>
      rank.gemm %all, %w -> %out
          {transpose_a = false, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
          rank.label = "gx0"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
    }
  }

  // What is written in between keeps both products in their places: the operand
  // of one, the gradient of the other. Collectives are cut instead.
  // CHECK-LABEL: rank.class @stays
  rank.class @stays attributes {stages = array<i64: 1>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer work @gy : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @gh : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @gx : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer stash @h : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer stash @x : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @sum : memref<4x8xf32> {slots = 1 : i64}
    rank.buffer work @next : memref<4x8xf32> {slots = 1 : i64}
    rank.buffer work @all : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer work @out : memref<8x8xf32> {slots = 1 : i64}
    rank.buffer weight @w : memref<128xf32> {slots = 1 : i64}
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.gemm {{.*}}rank.label = "gw2"
    // CHECK: rank.fill
    // CHECK: rank.gemm {{.*}}rank.label = "gx1"
    // CHECK: reduce_scatter
    // CHECK: rank.gemm {{.*}}rank.label = "gw1"
    // CHECK: rank.fill
    // CHECK: all_gather {{.*}} memref<1x2x8xf32>, memref<2x2x8xf32, strided<[32, 8, 1]>>
    // CHECK: rank.gemm {{.*}} m = 2 : i64, {{.*}}rank.label = "gx0"
    rank.program @backward {
      %gy = rank.view @gy at 0 : memref<8x8xf32>
      %gh = rank.view @gh at 0 : memref<8x8xf32>
      %gx = rank.view @gx at 0 : memref<8x8xf32>
      %h = rank.view @h at 0 : memref<8x8xf32>
      %x = rank.view @x at 0 : memref<8x8xf32>
      %all = rank.view @all at 0 : memref<8x8xf32>
      %out = rank.view @out at 0 : memref<8x8xf32>
      %sum = rank.view @sum at 0 : memref<4x8xf32>
      %next = rank.view @next at 0 : memref<4x8xf32>
      %w = rank.view @w at 0 : memref<8x8xf32>
      %g1 = rank.view @g at 0 : memref<8x8xf32>
      %g2 = rank.view @g at 64 : memref<8x8xf32>
      rank.gemm %gy, %h -> %g2
          {transpose_a = true, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64,
          rank.label = "gw2"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.fill %h {value = 0.0 : f64} : memref<8x8xf32>
      rank.gemm %gh, %w -> %gx
          {transpose_a = false, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
          rank.label = "gx1"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.collective reduce_scatter sum @tp %gx -> %sum {dim = 0 : i64,
          concat = 0 : i64} : memref<8x8xf32>, memref<4x8xf32>
      rank.gemm %gh, %x -> %g1
          {transpose_a = true, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64,
          rank.label = "gw1"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
      rank.copy %sum -> %next : memref<4x8xf32>, memref<4x8xf32>
      rank.fill %g1 {value = 0.0 : f64} : memref<8x8xf32>
      rank.collective all_gather sum @tp %next -> %all {dim = 0 : i64,
          concat = 0 : i64} : memref<4x8xf32>, memref<8x8xf32>
      rank.gemm %all, %w -> %out
          {transpose_a = false, transpose_b = false, m = 8 : i64, n = 8 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
          rank.label = "gx0"}
          : memref<8x8xf32>, memref<8x8xf32> -> memref<8x8xf32>
    }
  }
}
