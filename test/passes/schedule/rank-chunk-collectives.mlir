// RUN: orrery-opt "--rank-chunk-collectives=pieces=2" %s | FileCheck %s
// RUN: orrery-opt --rank-chunk-collectives %s | FileCheck %s --check-prefix=WHOLE
// A part of [4, 2, 8] for each of two members; a piece has 4 rows of each.

// One piece: the forward's stay as they are, the backward's run beside products.
// WHOLE-LABEL: rank.program @forward
// WHOLE: rank.collective all_gather {{.*}}rank.stream = 2 : i64} : memref<4x2x8xf32>, memref<8x2x8xf32>
// WHOLE-NOT: strided
// WHOLE-LABEL: rank.program @backward
// WHOLE-NOT: strided
// WHOLE: rank.program @update

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  rank.communicator @tp {axes = ["tp"]}
  rank.class @stage0 attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer work @part : memref<4x2x8xf32> {slots = 1 : i64}
    rank.buffer work @whole : memref<8x2x8xf32> {slots = 1 : i64}
    rank.buffer work @y : memref<8x2x16xf32> {slots = 1 : i64}
    rank.buffer work @z : memref<8x2x16xf32> {slots = 1 : i64}
    rank.buffer work @s : memref<8x2x8xf32> {slots = 1 : i64}
    rank.buffer work @sum : memref<4x2x8xf32> {slots = 1 : i64}
    rank.buffer weight @w : memref<128xf32> {slots = 1 : i64}
    rank.buffer gradient @g : memref<128xf32> {slots = 1 : i64}
    rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
    rank.buffer stash @kept : memref<4x2x8xf32> {slots = 1 : i64}
    rank.buffer work @all : memref<8x2x8xf32> {slots = 1 : i64}
    rank.buffer work @m : memref<16xf32> {slots = 1 : i64}

    // A gather, a product with an epilogue, a product, a scatter.
    // CHECK-LABEL: rank.program @forward
    rank.program @forward {
      %part = rank.view @part at 0 : memref<4x2x8xf32>
      rank.fill %part {value = 1.0 : f64} : memref<4x2x8xf32>
      // Rows 0 to 3 of both members, then rows 4 to 7.
      // CHECK: %[[IN0:.+]] = rank.view @part at 0 : memref<1x4x8xf32>
      // CHECK-NEXT: %[[OUT0:.+]] = rank.view @whole at 0 : memref<2x4x8xf32, strided<[64, 8, 1]>>
      // CHECK-NEXT: rank.collective all_gather sum @tp %[[IN0]] -> %[[OUT0]]
      // CHECK-SAME: dim = 0 : i64
      // CHECK-SAME: rank.label = "gather", rank.stream = 2 : i64
      // CHECK-NEXT: %[[IN1:.+]] = rank.view @part at 32 : memref<1x4x8xf32>
      // CHECK-NEXT: %[[OUT1:.+]] = rank.view @whole at 32 : memref<2x4x8xf32, strided<[64, 8, 1]>>
      // CHECK-NEXT: rank.collective all_gather sum @tp %[[IN1]] -> %[[OUT1]]
      %whole = rank.view @whole at 0 : memref<8x2x8xf32>
      rank.collective all_gather sum @tp %part -> %whole {dim = 0 : i64,
          concat = 0 : i64, rank.label = "gather"}
          : memref<4x2x8xf32>, memref<8x2x8xf32>
      // CHECK: %[[W:.+]] = rank.view @w at 0 : memref<16x8xf32>
      // CHECK: %[[B:.+]] = rank.view @b at 0 : memref<16xf32>
      %w = rank.view @w at 0 : memref<16x8xf32>
      %y = rank.view @y at 0 : memref<8x2x16xf32>
      %z = rank.view @z at 0 : memref<8x2x16xf32>
      %b = rank.view @b at 0 : memref<16xf32>
      // CHECK-NEXT: %[[A0:.+]] = rank.view @whole at 0 : memref<2x4x8xf32, strided<[64, 8, 1]>>
      // CHECK-NEXT: %[[Z0:.+]] = rank.view @z at 0 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: %[[Y0:.+]] = rank.view @y at 0 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: rank.gemm %[[A0]], %[[W]] -> %[[Y0]] epilogue bias_gelu bias %[[B]] : memref<16xf32> aux %[[Z0]]
      // CHECK-SAME: batch = 2 : i64
      // CHECK-SAME: lda = 8 : i64, ldb = 8 : i64, ldc = 16 : i64, m = 4 : i64, n = 16 : i64, rank.flops = 2048 : i64, rank.label = "up", stride_a = 64 : i64, stride_b = 0 : i64, stride_c = 128 : i64
      // CHECK: %[[A1:.+]] = rank.view @whole at 32 : memref<2x4x8xf32, strided<[64, 8, 1]>>
      // CHECK-NEXT: %[[Z1:.+]] = rank.view @z at 64 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: %[[Y1:.+]] = rank.view @y at 64 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: rank.gemm %[[A1]], %[[W]] -> %[[Y1]] epilogue bias_gelu bias %[[B]] : memref<16xf32> aux %[[Z1]]
      rank.gemm %whole, %w -> %y epilogue bias_gelu bias %b : memref<16xf32>
          aux %z : memref<8x2x16xf32>
          {transpose_a = false, transpose_b = true, m = 16 : i64, n = 16 : i64,
          k = 8 : i64, lda = 8 : i64, ldb = 8 : i64, ldc = 16 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64,
          rank.flops = 4096 : i64, rank.label = "up"}
          : memref<8x2x8xf32>, memref<16x8xf32> -> memref<8x2x16xf32>
      // Each piece of both members is written behind the other and scattered.
      // CHECK: %[[V:.+]] = rank.view @w at 0 : memref<8x16xf32>
      // CHECK: %[[A2:.+]] = rank.view @y at 0 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: %[[S0:.+]] = rank.view @s at 0 : memref<2x4x8xf32>
      // CHECK-NEXT: rank.gemm %[[A2]], %[[V]] -> %[[S0]] {
      // CHECK-SAME: stride_a = 128 : i64, stride_b = 0 : i64, stride_c = 32 : i64
      // CHECK-NEXT: %[[FROM0:.+]] = rank.view @s at 0 : memref<2x4x8xf32>
      // CHECK-NEXT: %[[TO0:.+]] = rank.view @sum at 0 : memref<1x4x8xf32>
      // CHECK-NEXT: rank.collective reduce_scatter sum @tp %[[FROM0]] -> %[[TO0]]
      // CHECK-SAME: rank.stream = 2
      // CHECK-NEXT: %[[A3:.+]] = rank.view @y at 64 : memref<2x4x16xf32, strided<[128, 16, 1]>>
      // CHECK-NEXT: %[[S1:.+]] = rank.view @s at 64 : memref<2x4x8xf32>
      // CHECK-NEXT: rank.gemm %[[A3]], %[[V]] -> %[[S1]] {
      // CHECK: %[[TO1:.+]] = rank.view @sum at 32 : memref<1x4x8xf32>
      // CHECK-NEXT: rank.collective reduce_scatter sum @tp %{{.+}} -> %[[TO1]]
      %v = rank.view @w at 0 : memref<8x16xf32>
      %s = rank.view @s at 0 : memref<8x2x8xf32>
      rank.gemm %y, %v -> %s
          {transpose_a = false, transpose_b = true, m = 16 : i64, n = 8 : i64,
          k = 16 : i64, lda = 16 : i64, ldb = 16 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
          : memref<8x2x16xf32>, memref<8x16xf32> -> memref<8x2x8xf32>
      %sum = rank.view @sum at 0 : memref<4x2x8xf32>
      rank.collective reduce_scatter sum @tp %s -> %sum {dim = 0 : i64,
          concat = 0 : i64} : memref<8x2x8xf32>, memref<4x2x8xf32>
      // Other calls of the communicator keep their order with these.
      // CHECK: rank.collective all_reduce max @tp
      // CHECK-SAME: rank.stream = 2
      %m = rank.view @m at 0 : memref<16xf32>
      rank.collective all_reduce max @tp %m -> %m {dim = 0 : i64,
          concat = 0 : i64} : memref<16xf32>, memref<16xf32>
    }

    // Products of weights' gradients hide whole collectives: a gather of what was
    // kept starts ahead of one, a scatter behind its product. The gathered value
    // is read as it always was.
    // CHECK-LABEL: rank.program @backward
    // CHECK: rank.collective all_gather sum @tp %{{.+}} -> %{{.+}} {{.*}}rank.stream = 2 : i64} : memref<4x2x8xf32>, memref<8x2x8xf32>
    // CHECK: rank.gemm
    // CHECK-SAME: m = 16 : i64
    // CHECK-NEXT: %{{.+}} = rank.view @sum
    // CHECK-NEXT: rank.collective reduce_scatter {{.*}}rank.stream = 2 : i64} : memref<8x2x8xf32>, memref<4x2x8xf32>
    // CHECK: rank.gemm
    // CHECK-SAME: transpose_a = true
    rank.program @backward {
      %gy = rank.view @y at 0 : memref<8x2x16xf32>
      %w = rank.view @w at 0 : memref<16x8xf32>
      %gx = rank.view @s at 0 : memref<8x2x8xf32>
      rank.gemm %gy, %w -> %gx
          {transpose_a = false, transpose_b = false, m = 16 : i64, n = 8 : i64,
          k = 16 : i64, lda = 16 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
          : memref<8x2x16xf32>, memref<16x8xf32> -> memref<8x2x8xf32>
      %kept = rank.view @kept at 0 : memref<4x2x8xf32>
      %all = rank.view @all at 0 : memref<8x2x8xf32>
      rank.collective all_gather sum @tp %kept -> %all {dim = 0 : i64,
          concat = 0 : i64} : memref<4x2x8xf32>, memref<8x2x8xf32>
      %g = rank.view @g at 0 : memref<16x8xf32>
      rank.gemm %gy, %all -> %g
          {transpose_a = true, transpose_b = false, m = 16 : i64, n = 8 : i64,
          k = 16 : i64, lda = 16 : i64, ldb = 8 : i64, ldc = 8 : i64,
          batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
          stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
          : memref<8x2x16xf32>, memref<8x2x8xf32> -> memref<16x8xf32>
      %sum = rank.view @sum at 0 : memref<4x2x8xf32>
      rank.collective reduce_scatter sum @tp %gx -> %sum {dim = 0 : i64,
          concat = 0 : i64} : memref<8x2x8xf32>, memref<4x2x8xf32>
    }

    // CHECK-LABEL: rank.program @update
    // CHECK-NOT: rank.stream
    rank.program @update {
      %part = rank.view @part at 0 : memref<4x2x8xf32>
      %whole = rank.view @whole at 0 : memref<8x2x8xf32>
      rank.collective all_gather sum @tp %part -> %whole {dim = 0 : i64,
          concat = 0 : i64} : memref<4x2x8xf32>, memref<8x2x8xf32>
    }
  }
}
