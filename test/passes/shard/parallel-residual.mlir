// Attention and feed-forward of one input, in parallel: their two row products
// are added while partial, so a layer has one all-reduce forward and, because
// the gradients of the shared input are added while partial, one backward. The
// core of the attention stands for any op that works on the split features.
// RUN: orrery-opt %s --dfg-differentiate --dfg-shard-pipeline \
// RUN:   | grep -E "func.func|begin_backward|dfg.(all|reduce_scatter)" \
// RUN:   | FileCheck %s
// RUN: orrery-opt %s --dfg-differentiate \
// RUN:   --dfg-shard-pipeline=sequence-parallel=true \
// RUN:   | grep -E "func.func|begin_backward|dfg.(all|reduce_scatter)" \
// RUN:   | FileCheck %s --check-prefix=SP

// CHECK: func.func @train
// CHECK-NEXT: dfg.all_reduce sum {{.*}} : tensor<8x2x16xf32>
// CHECK-NEXT: dfg.begin_backward
// CHECK-NEXT: dfg.all_reduce sum {{.*}} : tensor<8x2x16xf32>
// CHECK-NOT: {{dfg.(all_|reduce_scatter)}}

// The input, an argument, is sliced for free.
// SP: func.func @train
// SP-NEXT: dfg.all_slice
// SP-NEXT: dfg.all_gather {{.*}} : tensor<4x2x16xf32> -> tensor<8x2x16xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}} : tensor<8x2x16xf32> -> tensor<4x2x16xf32>
// SP-NEXT: dfg.begin_backward
// SP-NEXT: dfg.all_gather {{.*}} : tensor<4x2x16xf32> -> tensor<8x2x16xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}} : tensor<8x2x16xf32> -> tensor<4x2x16xf32>
// SP-NOT: {{dfg.(all_|reduce_scatter)}}

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  dfg.parameter @scale : tensor<16xf32> {role = "replicated",
      checkpoint_name = "scale", layer = 0 : i64, init_std = 0.0 : f64,
      init_value = 1.0 : f64, weight_decay = false}
  dfg.parameter @shift : tensor<16xf32> {role = "replicated",
      checkpoint_name = "shift", layer = 0 : i64, init_std = 0.0 : f64,
      init_value = 0.0 : f64, weight_decay = false}
  dfg.parameter @qkv : tensor<32x16xf32> {role = "column",
      checkpoint_name = "qkv", layer = 0 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  dfg.parameter @proj : tensor<16x32xf32> {role = "row",
      checkpoint_name = "proj", layer = 0 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  dfg.parameter @up : tensor<64x16xf32> {role = "column",
      checkpoint_name = "up", layer = 0 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  dfg.parameter @down : tensor<16x64xf32> {role = "row",
      checkpoint_name = "down", layer = 0 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}

  func.func @train(%in: tensor<8x2x16xf32> {dfg.input = "x"}) {
    // The residual stream depends on a parameter, so its gradient is wanted.
    %first = dfg.weight @shift {dfg.layer = 0 : i64} : tensor<16xf32>
    %firsts = dfg.broadcast %first {dfg.layer = 0 : i64,
        dims = array<i64: 2>} : tensor<16xf32> to tensor<8x2x16xf32>
    %x = dfg.add %in, %firsts {dfg.layer = 0 : i64, dfg.residual}
        : tensor<8x2x16xf32>
    %g = dfg.weight @scale {dfg.layer = 0 : i64} : tensor<16xf32>
    %b = dfg.weight @shift {dfg.layer = 0 : i64} : tensor<16xf32>
    %a, %mean, %rstd = dfg.layer_norm %x, %g, %b {dfg.layer = 0 : i64,
        epsilon = 1.0e-5 : f64}
        : tensor<8x2x16xf32>, tensor<16xf32>, tensor<16xf32>
        -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
    %qkv = dfg.weight @qkv {dfg.layer = 0 : i64} : tensor<32x16xf32>
    %0 = dfg.matmul "sbi,oi->sbo" %a, %qkv {dfg.layer = 0 : i64}
        : tensor<8x2x16xf32>, tensor<32x16xf32> -> tensor<8x2x32xf32>
    %1 = dfg.exp %0 {dfg.layer = 0 : i64} : tensor<8x2x32xf32>
    %proj = dfg.weight @proj {dfg.layer = 0 : i64} : tensor<16x32xf32>
    %2 = dfg.matmul "sbi,oi->sbo" %1, %proj {dfg.layer = 0 : i64}
        : tensor<8x2x32xf32>, tensor<16x32xf32> -> tensor<8x2x16xf32>
    %up = dfg.weight @up {dfg.layer = 0 : i64} : tensor<64x16xf32>
    %3 = dfg.matmul "sbi,oi->sbo" %a, %up {dfg.layer = 0 : i64}
        : tensor<8x2x16xf32>, tensor<64x16xf32> -> tensor<8x2x64xf32>
    %4 = dfg.gelu tanh %3 {dfg.layer = 0 : i64} : tensor<8x2x64xf32>
    %down = dfg.weight @down {dfg.layer = 0 : i64} : tensor<16x64xf32>
    %5 = dfg.matmul "sbi,oi->sbo" %4, %down {dfg.layer = 0 : i64}
        : tensor<8x2x64xf32>, tensor<16x64xf32> -> tensor<8x2x16xf32>
    %6 = dfg.add %2, %5 {dfg.layer = 0 : i64} : tensor<8x2x16xf32>
    %7 = dfg.add %x, %6 {dfg.layer = 0 : i64, dfg.residual}
        : tensor<8x2x16xf32>
    %8 = dfg.mul %7, %7 {dfg.layer = 1 : i64} : tensor<8x2x16xf32>
    %9 = dfg.reduce sum %8 {dfg.layer = 1 : i64, dims = array<i64: 0, 1, 2>}
        : tensor<8x2x16xf32> -> tensor<f32>
    dfg.metric "loss", %9 {dfg.layer = 1 : i64, objective} : tensor<f32>
    return
  }
}
