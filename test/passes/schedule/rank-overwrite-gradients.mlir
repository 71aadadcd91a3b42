// RUN: orrery-opt --rank-overwrite-gradients %s | FileCheck %s
// The first product to add to a part of a gradient overwrites it in the first
// run; others add.

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  rank.class @only attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    rank.program @forward {
      %x = rank.view @w at 0 : memref<16xf32>
      %early = rank.view @g at 0 : memref<16xf32>
      rank.copy %x -> %early : memref<16xf32>, memref<16xf32>
    }
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      %1 = rank.view @g at 16 : memref<4x4xf32>
      %2 = rank.view @g at 32 : memref<4x4xf32, strided<[8, 1]>>
      %3 = rank.view @g at 64 : memref<4x4xf32>
      %work = rank.view @w at 64 : memref<4x4xf32>
      // What the forward wrote is kept.
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-SAME: first_run_overwrites
      rank.gemm %a, %a -> %1 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      // Again, with gaps, no gradient.
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %1 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      rank.gemm %a, %a -> %2 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32, strided<[8, 1]>>
      rank.gemm %a, %a -> %work {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-SAME: first_run_overwrites
      rank.gemm %a, %a -> %3 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
}
