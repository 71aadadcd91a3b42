// RUN: orrery-opt --rank-gemm-epilogue %s | FileCheck %s
// RUN: orrery-opt --rank-gemm-epilogue --remarks-filter=rank-gemm-epilogue %s -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Kernels that no epilogue can do, each with its reason.
// CHECK-NOT: epilogue

rank.class @refused attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<12x8xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<16x8xf32> {slots = 1 : i64}
  rank.buffer weight @b : memref<16xf32> {slots = 1 : i64}
  rank.buffer work @y : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer stash @z : memref<6x2x16xf32> {slots = 0 : i64}
  rank.buffer work @x0 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x1 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x2 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x3 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x4 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x5 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x6 : memref<6x2x16xf32> {slots = 1 : i64}
  rank.buffer work @x7 : memref<6x2x16xf32> {slots = 1 : i64}

  // The kernel begins with something else.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel begins with neither a bias nor a gelu_grad
  rank.program @other {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x0 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x) -> (%y)
        : (memref<6x2x16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0
          : tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>):
        %e = dfg.exp %i0 : tensor<6x2x16xf32>
        dfg.yield %e : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // The kernel adds a matrix.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel adds something other than a bias
  rank.program @residual {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x1 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %z) -> (%y)
        : (memref<6x2x16xf32>, memref<6x2x16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<6x2x16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<6x2x16xf32>):
        %sum = dfg.add %i0, %i1 : tensor<6x2x16xf32>
        dfg.yield %sum : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // The kernel needs the product twice.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel reads the product more than once
  rank.program @square {
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
    rank.launch (%x) -> (%y)
        : (memref<6x2x16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0
          : tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>):
        %q = dfg.mul %i0, %i0 : tensor<6x2x16xf32>
        dfg.yield %q : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // The kernel goes on with the sum.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel goes on with a result that it does not write
  rank.program @goes_on {
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
        %e = dfg.exp %sum : tensor<6x2x16xf32>
        dfg.yield %e : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // cuBLASLt has the tanh form only.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its gelu has another form than tanh
  rank.program @erf {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x4 at 0 : memref<6x2x16xf32>
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
        %gl = dfg.gelu erf %sum : tensor<6x2x16xf32>
        dfg.yield %gl : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // The kernel adds the bias again for the gradient.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel computes what the gelu was taken of
  rank.program @recomputed {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x5 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b, %z) -> (%y)
        : (memref<6x2x16xf32>, memref<16xf32>, memref<6x2x16xf32>) -> memref<6x2x16xf32> {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>, %2: tensor<6x2x16xf32>):
      %r = dfg.fused shape [6, 2, 16] ins(%0, %1, %2
          : tensor<6x2x16xf32>, tensor<16xf32>, tensor<6x2x16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>, %i2: tensor<6x2x16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i2, %bb : tensor<6x2x16xf32>
        %dz = dfg.gelu_grad tanh %i0, %sum : tensor<6x2x16xf32>
        dfg.yield %dz : tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>
    }
  }

  // The kernel reads the bias for something else too.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel goes on with the bias
  rank.program @bias_again {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x6 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b) -> (%y, %z)
        : (memref<6x2x16xf32>, memref<16xf32>) -> (memref<6x2x16xf32>, memref<6x2x16xf32>) {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x16xf32>
        %e = dfg.exp %bb : tensor<6x2x16xf32>
        dfg.yield %sum, %e : tensor<6x2x16xf32>, tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>, tensor<6x2x16xf32>
    }
  }

  // The kernel writes the sum to two places.
  // REMARK: [Missed] None | Category:rank-gemm-epilogue | {{.*}}its kernel writes the result more than once
  rank.program @twice {
    %a = rank.view @a at 0 : memref<12x8xf32>
    %w = rank.view @w at 0 : memref<16x8xf32>
    %b = rank.view @b at 0 : memref<16xf32>
    %x = rank.view @x7 at 0 : memref<6x2x16xf32>
    %y = rank.view @y at 0 : memref<6x2x16xf32>
    %z = rank.view @z at 0 : memref<6x2x16xf32>
    rank.gemm %a, %w -> %x {transpose_a = false, transpose_b = true,
        m = 12 : i64, n = 16 : i64, k = 8 : i64, lda = 8 : i64, ldb = 8 : i64,
        ldc = 16 : i64, batch = 1 : i64, stride_a = 0 : i64, stride_b = 0 : i64,
        stride_c = 0 : i64, alpha = 1.0 : f64, beta = 0.0 : f64}
        : memref<12x8xf32>, memref<16x8xf32> -> memref<6x2x16xf32>
    rank.launch (%x, %b) -> (%y, %z)
        : (memref<6x2x16xf32>, memref<16xf32>) -> (memref<6x2x16xf32>, memref<6x2x16xf32>) {
    ^bb0(%0: tensor<6x2x16xf32>, %1: tensor<16xf32>):
      %r:2 = dfg.fused shape [6, 2, 16] ins(%0, %1
          : tensor<6x2x16xf32>, tensor<16xf32>) {
      ^bb0(%i0: tensor<6x2x16xf32>, %i1: tensor<16xf32>):
        %bb = dfg.broadcast %i1 {dims = array<i64: 2>} : tensor<16xf32> to tensor<6x2x16xf32>
        %sum = dfg.add %i0, %bb : tensor<6x2x16xf32>
        dfg.yield %sum, %sum : tensor<6x2x16xf32>, tensor<6x2x16xf32>
      } : tensor<6x2x16xf32>, tensor<6x2x16xf32>
    }
  }
}
