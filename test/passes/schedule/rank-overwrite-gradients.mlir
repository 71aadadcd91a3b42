// RUN: orrery-opt --rank-overwrite-gradients %s | FileCheck %s -enable-var-scope
// The first product to add to a part of a gradient overwrites it in the first
// run; others add.

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  // Parts side by side.
  // CHECK-LABEL: rank.class @overwrites
  rank.class @overwrites attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      %1 = rank.view @g at 16 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-SAME: first_run_overwrites
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
    }
  }
  // The second product adds.
  // CHECK-LABEL: rank.class @again
  rank.class @again attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-SAME: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // A part of what another wrote.
  // CHECK-LABEL: rank.class @overlaps
  rank.class @overlaps attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      %1 = rank.view @g at 15 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-SAME: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %1 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // What a copy wrote is kept.
  // CHECK-LABEL: rank.class @behind_another_instruction
  rank.class @behind_another_instruction attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %x = rank.view @w at 0 : memref<16xf32>
      %early = rank.view @g at 0 : memref<16xf32>
      rank.copy %x -> %early : memref<16xf32>, memref<16xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // What the forward wrote is kept.
  // CHECK-LABEL: rank.class @behind_the_forward
  rank.class @behind_the_forward attributes {stages = array<i64: 0>,
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
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // Between rows of C lie bytes that nobody would clear.
  // CHECK-LABEL: rank.class @gaps
  rank.class @gaps attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32, strided<[8, 1]>>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32, strided<[8, 1]>>
    }
  }
  // Work is not cleared, so nothing is saved.
  // CHECK-LABEL: rank.class @no_gradient
  rank.class @no_gradient attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @w at 64 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // Runs when others have added.
  // CHECK-LABEL: rank.class @last_run
  rank.class @last_run attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      %a = rank.view @w at 0 : memref<8x4xf32>
      %0 = rank.view @g at 0 : memref<4x4xf32>
      // CHECK: rank.gemm
      // CHECK-NOT: first_run_overwrites
      rank.gemm %a, %a -> %0 {transpose_a = true, transpose_b = false, m = 4 : i64,
          n = 4 : i64, k = 8 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64,
          rank.last_run_only}
          : memref<8x4xf32>, memref<8x4xf32> -> memref<4x4xf32>
    }
  }
  // A class without a backward.
  // CHECK-LABEL: rank.class @forward_only
  rank.class @forward_only attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.program @forward {
    }
  }
}
