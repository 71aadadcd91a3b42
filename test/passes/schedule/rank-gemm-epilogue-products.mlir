// RUN: orrery-opt --rank-gemm-epilogue %s | FileCheck %s
// RUN: orrery-opt --rank-gemm-epilogue --remarks-filter=rank-gemm-epilogue %s -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Products that stay as they are, each with its reason.
// CHECK-NOT: epilogue

rank.communicator @tp {axes = ["tp"]}
rank.class @refused attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @a16 : memref<12x8xbf16> {slots = 1 : i64}
  rank.buffer weight @w16 : memref<16x8xbf16> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @x0 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x1 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x2 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @x3 : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @x4 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x5 : memref<12x2x16xf32> {slots = 1 : i64}

  // The epilogue would see the product alone.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}it adds to C or is a batch of products
  rank.program @accumulates {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x0 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 1.0 : f64}
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

  // A 32-bit product of 16-bit operands has a bias of another type.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}C is wider than the operands
  rank.program @types {
    %a = rank.view @a16 at 0 : memref<12x8xbf16>
    %w = rank.view @w16 at 0 : memref<16x8xbf16>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x1 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xbf16>, memref<16x8xbf16> -> memref<6x2x16xf32>
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

  // Under tensor parallelism partial products are summed first.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}the next to read the product is no kernel
  rank.program @between {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x2 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.collective all_reduce sum @tp %x -> %x {dim = 0 : i64,
        concat = 0 : i64} : memref<6x2x16xf32>, memref<6x2x16xf32>
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

  // The backward reads the product.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}the product is read elsewhere too
  rank.program @kept {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x3 at 0 : memref<6x2x16xf32>
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
        dfg.yield %sum : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // Another instruction reads it.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}the product is read elsewhere too
  rank.program @two_readers {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x4 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
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
        dfg.yield %sum : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
    rank.copy %x -> %z : memref<6x2x16xf32>, memref<6x2x16xf32>
  }

  // The rows of the product are apart.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}the product lies in memory with gaps
  rank.program @gaps {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x5 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %part = rank.view @x5 at 0 : memref<6x2x16xf32, strided<[64, 32, 1]>>
    rank.gemm %a, %w -> %part {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 32 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32, strided<[64, 32, 1]>>
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
