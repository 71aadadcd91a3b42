// RUN: orrery-opt --rank-lower --split-input-file %s | FileCheck %s
// Dataflow becomes instructions on buffers.

// y = x wᵀ and the gradients of x and w. The weight's gradient is accumulated by
// the product itself (beta = 1); x crosses to the backward and is stashed.
// CHECK-LABEL: rank.class @stage0
// CHECK-DAG: rank.buffer weight @[[W:.*]] : memref<512xf32> {label = "b.weight"
// CHECK-DAG: rank.buffer gradient @[[G:.*]] : memref<512xf32> {label = "b.gradient"
// CHECK: rank.parameter "w" in @b at 0
// CHECK: rank.buffer input @{{.*}} : memref<8x2x16xf32> {label = "x", slots = 0 : i64}
// CHECK: rank.program @forward
// CHECK: rank.gemm
// CHECK-SAME: beta = 0.000000e+00
// CHECK-SAME: k = 16 : i64
// CHECK-SAME: m = 16 : i64
// CHECK-SAME: n = 32 : i64
// CHECK-SAME: transpose_a = false, transpose_b = true
// CHECK: rank.program @backward
// CHECK: %[[GRAD:.*]] = rank.view @[[G]] at 0 : memref<32x16xf32>
// CHECK: rank.gemm %{{.*}}, %{{.*}} -> %[[GRAD]]
// CHECK-SAME: beta = 1.000000e+00
// CHECK-SAME: transpose_a = true, transpose_b = false
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  module @stage0 attributes {dfg.stages = array<i64: 0>,
                             dfg.first_layers = array<i64: 0>} {
    dfg.parameter @w : tensor<32x16xf32> {role = "column",
        checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    dfg.bucket @b : tensor<512xf32> {parameters = [@w],
        offsets = array<i64: 0>, states = ["exp_avg"], weight_decay = true}
    func.func @train(%x: tensor<8x2x16xf32> {dfg.input = "x"}) {
      %w = dfg.weight @w : tensor<32x16xf32>
      %y = dfg.matmul "sbi,oi->sbo" %x, %w
          : tensor<8x2x16xf32>, tensor<32x16xf32> -> tensor<8x2x32xf32>
      dfg.begin_backward
      %g = dfg.matmul "sbo,sbi->oi" %y, %x
          : tensor<8x2x32xf32>, tensor<8x2x16xf32> -> tensor<32x16xf32>
      dfg.accumulate_grad @w, %g : tensor<32x16xf32>
      return
    }
  }
}

// -----

// An all-reduce of a view whose source is read again must not change it: %y
// shares its bytes with %x, so the sum goes elsewhere.
// CHECK-LABEL: rank.class @shared
// CHECK: rank.buffer gradient @[[G:.*]] : memref<16xf32>
// CHECK: rank.buffer work @[[OTHER:.*]] : memref<4x4xf32>
// CHECK: rank.program @update
// CHECK: %[[IN:.*]] = rank.view @[[G]] at 0 : memref<4x4xf32>
// CHECK: %[[OUT:.*]] = rank.view @[[OTHER]] at 0 : memref<4x4xf32>
// CHECK: rank.collective all_reduce sum @dp %[[IN]] -> %[[OUT]]
// The reduction of a gradient that is written back works in place.
// CHECK-LABEL: rank.class @written
// CHECK: rank.buffer gradient @[[G:.*]] : memref<16xf32>
// CHECK: rank.program @update
// CHECK: %[[IN:.*]] = rank.view @[[G]] at 0 : memref<16xf32>
// CHECK: %[[OUT:.*]] = rank.view @[[G]] at 0 : memref<16xf32>
// CHECK: rank.collective all_reduce sum @dp %[[IN]] -> %[[OUT]]
// CHECK-NOT: rank.copy
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 1>} {
  module @shared attributes {dfg.stages = array<i64: 0>,
                             dfg.first_layers = array<i64: 0>} {
    dfg.parameter @w : tensor<16xf32> {role = "replicated",
        checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    dfg.bucket @b : tensor<16xf32> {parameters = [@w],
        offsets = array<i64: 0>, states = [], weight_decay = true}
    func.func @update() {
      %x = dfg.bucket_read @b "gradient" : tensor<16xf32>
      %y = dfg.reshape %x : tensor<16xf32> to tensor<4x4xf32>
      %z = dfg.all_reduce sum %y {axes = ["dp"]} : tensor<4x4xf32>
      %s = dfg.square_sum %z : tensor<4x4xf32> -> tensor<f64>
      %t = dfg.square_sum %x : tensor<16xf32> -> tensor<f64>
      return
    }
  }
  module @written attributes {dfg.stages = array<i64: 1>,
                              dfg.first_layers = array<i64: 0>} {
    dfg.parameter @w : tensor<16xf32> {role = "replicated",
        checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    dfg.bucket @b : tensor<16xf32> {parameters = [@w],
        offsets = array<i64: 0>, states = [], weight_decay = true}
    func.func @update() {
      %x = dfg.bucket_read @b "gradient" : tensor<16xf32>
      %z = dfg.all_reduce sum %x {axes = ["dp"]} : tensor<16xf32>
      dfg.bucket_write @b "gradient", %z : tensor<16xf32>
      return
    }
  }
}

// -----

// The sum over a single row is the row itself, but not where the backward reads
// it: scratch does not outlive the forward.
// CHECK-LABEL: rank.class @row
// CHECK: rank.buffer stash @[[R:.*]] : memref<8xf32>
// CHECK: rank.program @forward
// CHECK: %[[SUM:.*]] = rank.view @[[R]] at 0 : memref<8xf32>
// CHECK: rank.column_sum %{{.*}} -> %[[SUM]] {accumulate = false
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  module @row attributes {dfg.stages = array<i64: 0>,
                          dfg.first_layers = array<i64: 0>} {
    dfg.parameter @w : tensor<8x8xf32> {role = "replicated",
        checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    dfg.bucket @b : tensor<64xf32> {parameters = [@w],
        offsets = array<i64: 0>, states = [], weight_decay = true}
    func.func @train(%x: tensor<1x8xf32> {dfg.input = "x"}) {
      %w = dfg.weight @w : tensor<8x8xf32>
      %y = dfg.matmul "si,oi->so" %x, %w
          : tensor<1x8xf32>, tensor<8x8xf32> -> tensor<1x8xf32>
      %r = dfg.reduce sum %y {dims = array<i64: 0>}
          : tensor<1x8xf32> -> tensor<8xf32>
      dfg.begin_backward
      %g = dfg.matmul "o,i->oi" %r, %r
          : tensor<8xf32>, tensor<8xf32> -> tensor<8x8xf32>
      dfg.accumulate_grad @w, %g : tensor<8x8xf32>
      return
    }
  }
}
