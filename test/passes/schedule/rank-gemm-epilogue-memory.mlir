// RUN: orrery-opt --rank-gemm-epilogue %s | FileCheck %s
// RUN: orrery-opt --rank-gemm-epilogue --remarks-filter=rank-gemm-epilogue %s -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Views that no epilogue can use, each with its reason.
// CHECK-NOT: epilogue

rank.class @refused attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x0 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x1 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x2 : memref<6x2x16xf32> {slots = 1 : i64}

  // The kernel writes over an operand of the product.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel works in place
  rank.program @in_place {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<8x8xf32>
    %b = rank.view @b at 0 : memref<8xf32>
    %x = rank.view @x0 at 0 : memref<6x2x8xf32>
    %c = rank.view @a at 0 : memref<6x2x8xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 8 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 8 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<8x8xf32> -> memref<6x2x8xf32>
    rank.launch (%x, %b) -> (%c)
        : (memref<6x2x8xf32>, memref<8xf32>) -> memref<6x2x8xf32> {
    ^bb0(%0: tensor<6x2x8xf32>, %1: tensor<8xf32>):
      %r = dfg.fused shape [6, 2, 8] ins(%0, %1
          : tensor<6x2x8xf32>, tensor<8xf32>) {
      ^bb0(%i0: tensor<6x2x8xf32>, %i1: tensor<8xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<8xf32> to tensor<6x2x8xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x8xf32>
        dfg.yield %sum : tensor<6x2x8xf32>
      } : tensor<6x2x8xf32>
    }
  }

  // cuBLASLt wants rows of aux that are multiples of 8 elements.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}rows of aux are not multiples of 8 elements, aligned to 16 bytes
  rank.program @narrow {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<12x8xf32>
    %b = rank.view @b at 0 : memref<12xf32>
    %x = rank.view @x1 at 0 : memref<6x2x12xf32>
    %y = rank.view @y at 0 : memref<6x2x12xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 12 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 12 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<12x8xf32> -> memref<6x2x12xf32>
    rank.launch (%x, %b) -> (%y)
        : (memref<6x2x12xf32>, memref<12xf32>) -> memref<6x2x12xf32> {
    ^bb0(%0: tensor<6x2x12xf32>, %1: tensor<12xf32>):
      %r = dfg.fused shape [6, 2, 12] ins(%0, %1
          : tensor<6x2x12xf32>, tensor<12xf32>) {
      ^bb0(%i0: tensor<6x2x12xf32>, %i1: tensor<12xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<12xf32> to tensor<6x2x12xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x12xf32>
        %gl = dfg.gelu tanh %sum : tensor<6x2x12xf32>
        dfg.yield %gl : tensor<6x2x12xf32>
      } : tensor<6x2x12xf32>
    }
  }

  // The numbers of the bias are apart.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel reads or writes memory with gaps
  rank.program @bias_gaps {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<8x8xf32>
    %x = rank.view @x2 at 0 : memref<6x2x8xf32>
    %y = rank.view @y at 0 : memref<6x2x8xf32>
    %b = rank.view @b at 0 : memref<8xf32, strided<[2]>>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 8 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 8 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<8x8xf32> -> memref<6x2x8xf32>
    rank.launch (%x, %b) -> (%y)
        : (memref<6x2x8xf32>, memref<8xf32, strided<[2]>>) -> memref<6x2x8xf32> {
    ^bb0(%0: tensor<6x2x8xf32>, %1: tensor<8xf32>):
      %r = dfg.fused shape [6, 2, 8] ins(%0, %1
          : tensor<6x2x8xf32>, tensor<8xf32>) {
      ^bb0(%i0: tensor<6x2x8xf32>, %i1: tensor<8xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<8xf32> to tensor<6x2x8xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x8xf32>
        dfg.yield %sum : tensor<6x2x8xf32>
      } : tensor<6x2x8xf32>
    }
  }
}
