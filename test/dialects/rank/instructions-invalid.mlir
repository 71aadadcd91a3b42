// RUN: orrery-opt %s -split-input-file -verify-diagnostics
// Instructions that the verifiers refuse.

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    // gemm_c1
    // expected-error@+1 {{'rank.gemm' op with epilogue bias has beta 1.000000e+00, expected 0}}
    rank.gemm %a, %a -> %c epilogue bias bias %bias : memref<4xf32>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    // gemm_c2: an operand is missing
    // expected-error@+1 {{'rank.gemm' op with epilogue bias_gelu needs aux}}
    rank.gemm %a, %a -> %c epilogue bias_gelu bias %bias : memref<4xf32>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    // gemm_c2: an operand too many
    // expected-error@+1 {{'rank.gemm' op with epilogue none has no use for bias}}
    rank.gemm %a, %a -> %c bias %bias : memref<4xf32>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    %long = rank.view @b at 32 : memref<8xf32>
    // gemm_c3: too long
    // expected-error@+1 {{'rank.gemm' op bias is 'memref<8xf32>', expected 4 x 'f32' in a row}}
    rank.gemm %a, %a -> %c epilogue bias bias %long : memref<8xf32>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    %wide = rank.view @b at 32 : memref<4xf32, strided<[2]>>
    // gemm_c3: not in a row
    // expected-error@+1 {{'rank.gemm' op bias is 'memref<4xf32, strided<[2]>>', expected 4 x 'f32' in a row}}
    rank.gemm %a, %a -> %c epilogue bias bias %wide : memref<4xf32, strided<[2]>>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    %bias = rank.view @b at 32 : memref<4xf32>
    %flat = rank.view @b at 32 : memref<16xf32>
    // gemm_c4
    // expected-error@+1 {{'rank.gemm' op aux is 'memref<16xf32>', C is 'memref<4x4xf32>'}}
    rank.gemm %a, %a -> %c epilogue gelu_grad aux %flat : memref<16xf32>
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<96xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<2x2x4xf32>
    %w = rank.view @b at 16 : memref<4x4xf32>
    %c = rank.view @b at 32 : memref<2x2x4xf32, strided<[16, 4, 1]>>
    %near = rank.view @b at 64 : memref<2x2x4xf32>
    // gemm_c4, other distances between the products of a batch
    // expected-error@+1 {{'rank.gemm' op aux is 'memref<2x2x4xf32>', C is 'memref<2x2x4xf32, strided<[16, 4, 1]>>'}}
    rank.gemm %a, %w -> %c epilogue gelu_grad aux %near : memref<2x2x4xf32>
        {transpose_a = false, transpose_b = true, m = 2 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 2 : i64, stride_a = 8 : i64, stride_b = 0 : i64,
        stride_c = 16 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<2x2x4xf32>, memref<4x4xf32>
        -> memref<2x2x4xf32, strided<[16, 4, 1]>>
  }
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @b : memref<64xf32> {slots = 1 : i64}
  rank.program @forward {
    %a = rank.view @b at 0 : memref<4x4xf32>
    %c = rank.view @b at 16 : memref<4x4xf32>
    // gemm_c5
    // expected-error@+1 {{'rank.gemm' op overwrites C in the first run only and has beta 0.000000e+00, expected 1}}
    rank.gemm %a, %a -> %c
        {transpose_a = false, transpose_b = true, m = 4 : i64, n = 4 : i64,
        k = 4 : i64, lda = 4 : i64, ldb = 4 : i64, ldc = 4 : i64,
        batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
        first_run_overwrites}
        : memref<4x4xf32>, memref<4x4xf32> -> memref<4x4xf32>
  }
}
