// RUN: orrery-opt "--rank-chunk-collectives=pieces=4" %s | FileCheck %s
// What stays whole: collectives beside their products, in pieces elsewhere.

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  rank.communicator @tp {axes = ["tp"]}
  rank.class @stage0 attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer work @part : memref<512x128xf32> {slots = 1 : i64}
    rank.buffer work @whole : memref<1024x128xf32> {slots = 1 : i64}
    rank.buffer work @y : memref<1024x512xf32> {slots = 1 : i64}
    rank.buffer weight @w : memref<128x512xf32> {slots = 1 : i64}
    rank.buffer work @odd : memref<3x128xf32> {slots = 1 : i64}
    rank.buffer work @odds : memref<6x128xf32> {slots = 1 : i64}
    rank.buffer work @o : memref<6x512xf32> {slots = 1 : i64}
    rank.buffer stash @s : memref<1024x128xf32> {slots = 1 : i64}
    rank.buffer work @c : memref<1024x128xf32> {slots = 1 : i64}
    rank.buffer work @sum : memref<512x128xf32> {slots = 1 : i64}
    rank.buffer work @sum2 : memref<512x128xf32> {slots = 1 : i64}

    // CHECK-LABEL: rank.program @forward
    // CHECK-COUNT-4: all_gather {{.*}} memref<1x128x128xf32>, memref<2x128x128xf32, strided<[65536, 128, 1]>>
    // CHECK-COUNT-4: rank.gemm {{.*}} m = 128 : i64, n = 512 : i64
    rank.program @forward {
      %part = rank.view @part at 0 : memref<512x128xf32>
      rank.fill %part {value = 1.0 : f64} : memref<512x128xf32>
      %whole = rank.view @whole at 0 : memref<1024x128xf32>
      rank.collective all_gather sum @tp %part -> %whole {dim = 0 : i64,
          concat = 0 : i64} : memref<512x128xf32>, memref<1024x128xf32>
      %w = rank.view @w at 0 : memref<128x512xf32>
      %y = rank.view @y at 0 : memref<1024x512xf32>
      rank.gemm %whole, %w -> %y
          {transpose_a = false, transpose_b = false, m = 1024 : i64,
          n = 512 : i64, k = 128 : i64, lda = 128 : i64, ldb = 512 : i64,
          ldc = 512 : i64, batch = 1 : i64, stride_a = 0 : i64,
          stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
          beta = 0.0 : f64}
          : memref<1024x128xf32>, memref<128x512xf32> -> memref<1024x512xf32>
    }

    // CHECK-LABEL: rank.program @evaluate
    rank.program @evaluate {
      %w = rank.view @w at 0 : memref<128x512xf32>
      // Three positions are not cut in four, but in three.
      // CHECK-COUNT-3: all_gather {{.*}} memref<1x1x128xf32>, memref<2x1x128xf32, strided<[384, 128, 1]>>
      // CHECK-COUNT-3: rank.gemm
      %odd = rank.view @odd at 0 : memref<3x128xf32>
      rank.fill %odd {value = 1.0 : f64} : memref<3x128xf32>
      %odds = rank.view @odds at 0 : memref<6x128xf32>
      rank.collective all_gather sum @tp %odd -> %odds {dim = 0 : i64,
          concat = 0 : i64} : memref<3x128xf32>, memref<6x128xf32>
      %o = rank.view @o at 0 : memref<6x512xf32>
      rank.gemm %odds, %w -> %o
          {transpose_a = false, transpose_b = false, m = 6 : i64,
          n = 512 : i64, k = 128 : i64, lda = 128 : i64, ldb = 512 : i64,
          ldc = 512 : i64, batch = 1 : i64, stride_a = 0 : i64,
          stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
          beta = 0.0 : f64}
          : memref<6x128xf32>, memref<128x512xf32> -> memref<6x512xf32>

      // A product that is kept has its rows in order.
      // CHECK: rank.gemm {{.*}} m = 1024 : i64
      // CHECK: reduce_scatter {{.*}}rank.stream = 2 : i64} : memref<1024x128xf32>, memref<512x128xf32>
      %y = rank.view @y at 0 : memref<1024x512xf32>
      %v = rank.view @w at 0 : memref<512x128xf32>
      %s = rank.view @s at 0 : memref<1024x128xf32>
      rank.gemm %y, %v -> %s
          {transpose_a = false, transpose_b = false, m = 1024 : i64,
          n = 128 : i64, k = 512 : i64, lda = 512 : i64, ldb = 128 : i64,
          ldc = 128 : i64, batch = 1 : i64, stride_a = 0 : i64,
          stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
          beta = 0.0 : f64}
          : memref<1024x512xf32>, memref<512x128xf32> -> memref<1024x128xf32>
      %sum = rank.view @sum at 0 : memref<512x128xf32>
      rank.collective reduce_scatter sum @tp %s -> %sum {dim = 0 : i64,
          concat = 0 : i64} : memref<1024x128xf32>, memref<512x128xf32>

      // A scatter whose result has a place that is in
      // use meanwhile stays behind that.
      // CHECK: rank.gemm {{.*}} m = 1024 : i64
      // CHECK: rank.copy
      // CHECK: reduce_scatter {{.*}} memref<1024x128xf32>, memref<512x128xf32>
      %c = rank.view @c at 0 : memref<1024x128xf32>
      rank.gemm %y, %v -> %c
          {transpose_a = false, transpose_b = false, m = 1024 : i64,
          n = 128 : i64, k = 512 : i64, lda = 512 : i64, ldb = 128 : i64,
          ldc = 128 : i64, batch = 1 : i64, stride_a = 0 : i64,
          stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
          beta = 0.0 : f64}
          : memref<1024x512xf32>, memref<512x128xf32> -> memref<1024x128xf32>
      %sum2 = rank.view @sum2 at 0 : memref<512x128xf32>
      rank.copy %sum2 -> %sum : memref<512x128xf32>, memref<512x128xf32>
      rank.collective reduce_scatter sum @tp %c -> %sum2 {dim = 0 : i64,
          concat = 0 : i64} : memref<1024x128xf32>, memref<512x128xf32>
    }
  }
}
