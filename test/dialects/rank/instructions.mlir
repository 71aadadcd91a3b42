// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// Every instruction survives printing and parsing.

rank.communicator @tp {axes = ["tp"]}
rank.communicator @pp {axes = ["pp"]}

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @x : memref<64x2x32xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<64x2x96xf32> {slots = 1 : i64}
  rank.buffer work @z : memref<64x2x96xf32> {slots = 1 : i64}
  rank.buffer work @o : memref<64x2x4x8xf32> {slots = 1 : i64}
  rank.buffer work @l : memref<2x4x64xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<3072xf32> {slots = 1 : i64}
  rank.buffer input @t : memref<64x2xi32> {slots = 0 : i64, label = "tokens"}
  rank.buffer scalar @n : memref<f64> {slots = 1 : i64, label = "norm"}
  // CHECK-LABEL: rank.program @forward
  rank.program @forward {
    // CHECK: %[[X:.*]] = rank.view @x at 0 : memref<64x2x32xf32>
    %x = rank.view @x at 0 : memref<64x2x32xf32>
    %y = rank.view @y at 0 : memref<64x2x96xf32>
    %w = rank.view @w at 0 : memref<96x32xf32>
    %table = rank.view @w at 0 : memref<96x32xf32>
    %b = rank.view @w at 0 : memref<32xf32>
    %bias = rank.view @w at 0 : memref<96xf32>
    %z = rank.view @z at 0 : memref<64x2x96xf32>
    %q = rank.view @y at 0 : memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>
    %k = rank.view @y at 8 : memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>
    %v = rank.view @y at 16 : memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>
    %o = rank.view @o at 0 : memref<64x2x4x8xf32>
    %l = rank.view @l at 0 : memref<2x4x64xf32>
    %t = rank.view @t at 0 : memref<64x2xi32>
    %n = rank.view @n at 0 : memref<f64>
    %rows = rank.view @x at 0 : memref<128x32xf32>
    // CHECK: rank.receive @pp %[[X]] {delta = -1 : i64, tag = 0 : i64}
    rank.receive @pp %x {delta = -1 : i64, tag = 0 : i64} : memref<64x2x32xf32>
    // CHECK: rank.embedding
    rank.embedding %table, %t -> %x {first_row = #dfg.index<0 + tp * 96>}
        : memref<96x32xf32>, memref<64x2xi32>, memref<64x2x32xf32>
    // CHECK: rank.gemm
    rank.gemm %x, %w -> %y {transpose_a = false, transpose_b = true,
        m = 128 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 1 : i64, stride_a = 0 : i64,
        stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<64x2x32xf32>, memref<96x32xf32> -> memref<64x2x96xf32>
    // CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[Y:.*]] epilogue bias bias %[[B:.*]] : memref<96xf32> {
    rank.gemm %x, %w -> %y epilogue bias bias %bias : memref<96xf32>
        {transpose_a = false, transpose_b = true,
        m = 128 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 1 : i64, stride_a = 0 : i64,
        stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<64x2x32xf32>, memref<96x32xf32> -> memref<64x2x96xf32>
    // CHECK: rank.gemm %{{.*}} -> %[[Y]] epilogue bias_gelu bias %[[B]] : memref<96xf32> aux %[[Z:.*]] : memref<64x2x96xf32> {
    rank.gemm %x, %w -> %y epilogue bias_gelu bias %bias : memref<96xf32>
        aux %z : memref<64x2x96xf32> {transpose_a = false, transpose_b = true,
        m = 128 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 1 : i64, stride_a = 0 : i64,
        stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<64x2x32xf32>, memref<96x32xf32> -> memref<64x2x96xf32>
    // CHECK: rank.gemm %{{.*}} -> %[[Y]] epilogue gelu_grad aux %[[Z]] : memref<64x2x96xf32> {
    rank.gemm %x, %w -> %y epilogue gelu_grad aux %z : memref<64x2x96xf32>
        {transpose_a = false, transpose_b = true,
        m = 128 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 1 : i64, stride_a = 0 : i64,
        stride_b = 0 : i64, stride_c = 0 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<64x2x32xf32>, memref<96x32xf32> -> memref<64x2x96xf32>
    // The first half of the rows of two parts, in a batch.
    // CHECK: rank.gemm %{{.*}} epilogue bias_gelu bias %[[B]] : memref<96xf32> aux %{{.*}} : memref<2x32x96xf32, strided<[6144, 96, 1]>> {
    // CHECK-SAME: batch = 2 : i64
    %xs = rank.view @x at 0 : memref<2x32x32xf32, strided<[2048, 32, 1]>>
    %ys = rank.view @y at 0 : memref<2x32x96xf32, strided<[6144, 96, 1]>>
    %zs = rank.view @z at 0 : memref<2x32x96xf32, strided<[6144, 96, 1]>>
    rank.gemm %xs, %w -> %ys epilogue bias_gelu bias %bias : memref<96xf32>
        aux %zs : memref<2x32x96xf32, strided<[6144, 96, 1]>>
        {transpose_a = false, transpose_b = true,
        m = 32 : i64, n = 96 : i64, k = 32 : i64, lda = 32 : i64,
        ldb = 32 : i64, ldc = 96 : i64, batch = 2 : i64, stride_a = 2048 : i64,
        stride_b = 0 : i64, stride_c = 6144 : i64, alpha = 1.0 : f64,
        beta = 0.0 : f64}
        : memref<2x32x32xf32, strided<[2048, 32, 1]>>, memref<96x32xf32>
        -> memref<2x32x96xf32, strided<[6144, 96, 1]>>
    // CHECK: rank.attention
    rank.attention %q, %k, %v -> %o, %l {scale = 0.35 : f64, causal = true,
        probability = 0.0 : f64, stream = "layers.{layer}.attention",
        layer = 0 : i64, first_sample = #dfg.index<0>, num_samples = 2 : i64,
        first_head = #dfg.index<0>, num_heads = 4 : i64}
        : memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32>, memref<2x4x64xf32>
    // CHECK: rank.attention_grad
    rank.attention_grad %q, %k, %v, %o, %l, %o -> %q, %k, %v
        {scale = 0.35 : f64, causal = true, probability = 0.0 : f64,
        stream = "layers.{layer}.attention", layer = 0 : i64,
        first_sample = #dfg.index<0>, num_samples = 2 : i64,
        first_head = #dfg.index<0>, num_heads = 4 : i64}
        : memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32>, memref<2x4x64xf32>, memref<64x2x4x8xf32>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>,
          memref<64x2x4x8xf32, strided<[192, 96, 24, 1]>>
    // CHECK: rank.launch(%{{.*}}, %{{.*}}) -> (%{{.*}})
    rank.launch (%x, %b) -> (%x)
        : (memref<64x2x32xf32>, memref<32xf32>) -> memref<64x2x32xf32> {
    ^bb0(%0: tensor<64x2x32xf32>, %1: tensor<32xf32>):
      %2 = dfg.fused shape [64, 2, 32] ins(%0, %1
          : tensor<64x2x32xf32>, tensor<32xf32>) {
      ^bb0(%3: tensor<64x2x32xf32>, %4: tensor<32xf32>):
        %5 = dfg.broadcast %4 {dims = array<i64: 2>}
            : tensor<32xf32> to tensor<64x2x32xf32>
        %6 = dfg.add %3, %5 : tensor<64x2x32xf32>
        dfg.yield %6 : tensor<64x2x32xf32>
      } : tensor<64x2x32xf32>
    }
    // CHECK: rank.collective all_reduce sum @tp
    rank.collective all_reduce sum @tp %x -> %x {dim = 0 : i64,
        concat = 0 : i64} : memref<64x2x32xf32>, memref<64x2x32xf32>
    // CHECK: rank.embedding_grad
    rank.embedding_grad %t, %x -> %table {first_row = #dfg.index<0 + tp * 96>}
        : memref<64x2xi32>, memref<64x2x32xf32>, memref<96x32xf32>
    // CHECK: rank.column_sum
    rank.column_sum %rows -> %b {accumulate = true}
        : memref<128x32xf32>, memref<32xf32>
    // CHECK: rank.flat_reduce square_sum
    rank.flat_reduce square_sum %b -> %n : memref<32xf32>, memref<f64>
    // CHECK: rank.copy
    rank.copy %x -> %x : memref<64x2x32xf32>, memref<64x2x32xf32>
    // CHECK: rank.fill
    rank.fill %x {value = 0.0 : f64} : memref<64x2x32xf32>
    // CHECK: rank.send @pp
    rank.send @pp %x {delta = 1 : i64, tag = 0 : i64} : memref<64x2x32xf32>
  }
}
