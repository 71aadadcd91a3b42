// What must fall out of the algebra for a GPT with one layer, forward and
// backward: these collectives in this order and no others, and what is left
// partial for the end of the step.
// DEFINE: %{shown} = \
// DEFINE:   "@train|begin_backward|dfg.(all_|reduce_scatter)|(te_grad|metric) .*partial"
// RUN: sed 's/dp = 2/dp = 1/' %s | orrery-opt --dfg-differentiate \
// RUN:   --dfg-shard-pipeline | grep -E %{shown} \
// RUN:   | FileCheck %s --check-prefix=TP
// RUN: sed 's/dp = 2/dp = 1/' %s | orrery-opt --dfg-differentiate \
// RUN:   --dfg-shard-pipeline=sequence-parallel=true | grep -E %{shown} \
// RUN:   | FileCheck %s --check-prefix=SP
// RUN: sed 's/dp = 2/dp = 1/' %s | orrery-opt --dfg-differentiate \
// RUN:   --dfg-shard-pipeline="sequence-parallel=true gather-again=true" \
// RUN:   | grep -E %{shown} \
// RUN:   | FileCheck %s --check-prefix=AGAIN
// RUN: sed 's/tp = 2/tp = 1/' %s | orrery-opt --dfg-differentiate \
// RUN:   --dfg-shard-pipeline | grep -E %{shown} \
// RUN:   | FileCheck %s --check-prefix=DP
// RUN: sed 's/dp = 2/dp = 1/' %s | orrery-opt \
// RUN:   --dfg-differentiate=recompute-layers=1 --dfg-shard-pipeline | grep -E %{shown} \
// RUN:   | FileCheck %s --check-prefix=REDO

// TP: func.func @train
// Embedding, attention, feed-forward: one all-reduce behind each split sum.
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = -1 {{.*}} : tensor<16x4x32xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32>
// The loss: of numbers per token, never of logits.
// TP-NEXT: dfg.all_reduce max {{.*}} : tensor<16x4xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}} : tensor<16x4xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}} : tensor<16x4xf32>
// TP-NEXT: dfg.begin_backward
// Input gradients of logits, feed-forward and attention; none for the table.
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 1 {{.*}} : tensor<16x4x32xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32>
// TP-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32>
// TP-NOT: {{dfg.(all_|reduce_scatter|accumulate)}}

// SP: func.func @train
// SP-NEXT: dfg.all_slice {{.*}} : tensor<16x4xi32> -> tensor<8x4xi32>
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = -1 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = 1 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// The loss: of numbers per token, never of logits.
// SP-NEXT: dfg.all_reduce max {{.*}} : tensor<16x4xf32>
// SP-NEXT: dfg.all_reduce sum {{.*}} : tensor<16x4xf32>
// SP-NEXT: dfg.all_reduce sum {{.*}} : tensor<16x4xf32>
// SP-NEXT: dfg.begin_backward
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 1 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.accumulate_grad @norm3.bias, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @norm3, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @down.bias, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.accumulate_grad @norm2.bias, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @norm2, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @proj.bias, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// SP-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// SP-NEXT: dfg.accumulate_grad @norm1.bias, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @norm1, {{.*}}partial sum [tp]>
// SP-NEXT: dfg.accumulate_grad @positions, {{.*}}partial sum [tp]>
// The whole gradient for the rows of the table.
// SP-NEXT: dfg.all_gather {{.*}}dfg.layer = -1 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// SP-NOT: {{dfg.(all_|reduce_scatter|accumulate)}}

// With gather-again each column product gathers its input a second time.
// AGAIN: dfg.begin_backward
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = 1 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// AGAIN-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 1 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// AGAIN-NEXT: dfg.accumulate_grad @norm3.bias, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @norm3, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @down.bias, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// AGAIN-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// AGAIN-NEXT: dfg.accumulate_grad @norm2.bias, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @norm2, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @proj.bias, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = 0 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>
// AGAIN-NEXT: dfg.reduce_scatter {{.*}}dfg.layer = 0 {{.*}} : tensor<16x4x32xf32> -> tensor<8x4x32xf32>
// AGAIN-NEXT: dfg.accumulate_grad @norm1.bias, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @norm1, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.accumulate_grad @positions, {{.*}}partial sum [tp]>
// AGAIN-NEXT: dfg.all_gather {{.*}}dfg.layer = -1 {{.*}} : tensor<8x4x32xf32> -> tensor<16x4x32xf32>

// Data parallelism communicates once a step: all gradients stay partial.
// DP: func.func @train
// DP-NEXT: dfg.metric "lm_loss", {{.*}}partial sum [dp]>
// DP-NEXT: dfg.begin_backward
// DP-NEXT: dfg.accumulate_grad @words, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm3.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm3, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @down.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @down, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @up.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @up, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm2.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm2, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @proj.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @proj, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @qkv.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @qkv, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm1.bias, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @norm1, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @positions, {{.*}}partial sum [dp]>
// DP-NEXT: dfg.accumulate_grad @words, {{.*}}partial sum [dp]>
// DP-NOT: {{dfg.(all_|reduce_scatter|accumulate)}}

// Recomputation repeats the all-reduce behind the attention; nothing needs the
// one behind the feed-forward.
// REDO: dfg.begin_backward
// REDO-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 1
// REDO-NEXT: dfg.all_reduce sum {{.*}}dfg.recompute
// REDO-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 : i64, dfg.sharding
// REDO-NEXT: dfg.all_reduce sum {{.*}}dfg.layer = 0 : i64, dfg.sharding
// REDO-NOT: {{dfg.(all_|reduce_scatter|accumulate)}}

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  dfg.parameter @words : tensor<64x32xf32> {checkpoint_name = "words",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = -1 : i64,
      role = "vocabulary", weight_decay = true}
  dfg.parameter @positions : tensor<16x32xf32> {checkpoint_name = "positions",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = -1 : i64,
      role = "replicated", weight_decay = true}
  dfg.parameter @norm1 : tensor<32xf32> {checkpoint_name = "norm1",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @norm1.bias : tensor<32xf32> {checkpoint_name = "norm1.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @qkv : tensor<96x32xf32> {checkpoint_name = "qkv",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "column", weight_decay = true}
  dfg.parameter @qkv.bias : tensor<96xf32> {checkpoint_name = "qkv.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "column", weight_decay = false}
  dfg.parameter @proj : tensor<32x32xf32> {checkpoint_name = "proj",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "row", weight_decay = true}
  dfg.parameter @proj.bias : tensor<32xf32> {checkpoint_name = "proj.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @norm2 : tensor<32xf32> {checkpoint_name = "norm2",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @norm2.bias : tensor<32xf32> {checkpoint_name = "norm2.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @up : tensor<128x32xf32> {checkpoint_name = "up",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "column", weight_decay = true}
  dfg.parameter @up.bias : tensor<128xf32> {checkpoint_name = "up.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "column", weight_decay = false}
  dfg.parameter @down : tensor<32x128xf32> {checkpoint_name = "down",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "row", weight_decay = true}
  dfg.parameter @down.bias : tensor<32xf32> {checkpoint_name = "down.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = 0 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @norm3 : tensor<32xf32> {checkpoint_name = "norm3",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = -1 : i64,
      role = "replicated", weight_decay = false}
  dfg.parameter @norm3.bias : tensor<32xf32> {checkpoint_name = "norm3.bias",
      init_std = 0.02 : f64, init_value = 0.0 : f64, layer = -1 : i64,
      role = "replicated", weight_decay = false}
  func.func @train(%arg0: tensor<16x4xi32> {dfg.input = "tokens"},
      %arg1: tensor<16x4xi32> {dfg.input = "labels"}, %arg2: tensor<16x4xi32>
      {dfg.input = "position_ids"}, %arg3: tensor<16x4xf32>
      {dfg.input = "loss_mask"}) {
    %0 = dfg.weight @words {dfg.layer = -1 : i64} : tensor<64x32xf32>
    %1 = dfg.embedding %0, %arg0 {dfg.layer = -1 : i64,
        first_row = #dfg.index<0>} : tensor<64x32xf32>, tensor<16x4xi32>
        -> tensor<16x4x32xf32>
    %2 = dfg.weight @positions {dfg.layer = -1 : i64} : tensor<16x32xf32>
    %3 = dfg.embedding %2, %arg2 {dfg.layer = -1 : i64,
        first_row = #dfg.index<0>} : tensor<16x32xf32>, tensor<16x4xi32>
        -> tensor<16x4x32xf32>
    %4 = dfg.add %1, %3 {dfg.layer = -1 : i64} : tensor<16x4x32xf32>
    %5 = dfg.dropout %4 {dfg.layer = -1 : i64, dfg.residual,
        extent = array<i64: 16, 4, 32>, layer = -1 : i64,
        offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>],
        probability = 0.1 : f64, stream = "embedding.dropout"}
        : tensor<16x4x32xf32>
    %6 = dfg.weight @norm1 {dfg.layer = 0 : i64} : tensor<32xf32>
    %7 = dfg.weight @norm1.bias {dfg.layer = 0 : i64} : tensor<32xf32>
    %result, %mean, %rstd = dfg.layer_norm %5, %6, %7 {dfg.layer = 0 : i64,
        epsilon = 1.0e-5 : f64} : tensor<16x4x32xf32>, tensor<32xf32>,
        tensor<32xf32> -> tensor<16x4x32xf32>, tensor<16x4xf32>,
        tensor<16x4xf32>
    %8 = dfg.weight @qkv {dfg.layer = 0 : i64} : tensor<96x32xf32>
    %9 = dfg.matmul "sbi,oi->sbo" %result, %8 {dfg.layer = 0 : i64}
        : tensor<16x4x32xf32>, tensor<96x32xf32> -> tensor<16x4x96xf32>
    %10 = dfg.weight @qkv.bias {dfg.layer = 0 : i64} : tensor<96xf32>
    %11 = dfg.broadcast %10 {dfg.layer = 0 : i64, dims = array<i64: 2>}
        : tensor<96xf32> to tensor<16x4x96xf32>
    %12 = dfg.add %9, %11 {dfg.layer = 0 : i64} : tensor<16x4x96xf32>
    %13 = dfg.reshape %12 {dfg.layer = 0 : i64} : tensor<16x4x96xf32>
        to tensor<16x4x4x3x8xf32>
    %14 = dfg.slice %13 {dfg.layer = 0 : i64, dim = 3 : i64, size = 1 : i64,
        start = 0 : i64} : tensor<16x4x4x3x8xf32> -> tensor<16x4x4x1x8xf32>
    %15 = dfg.reshape %14 {dfg.layer = 0 : i64} : tensor<16x4x4x1x8xf32>
        to tensor<16x4x4x8xf32>
    %16 = dfg.slice %13 {dfg.layer = 0 : i64, dim = 3 : i64, size = 1 : i64,
        start = 1 : i64} : tensor<16x4x4x3x8xf32> -> tensor<16x4x4x1x8xf32>
    %17 = dfg.reshape %16 {dfg.layer = 0 : i64} : tensor<16x4x4x1x8xf32>
        to tensor<16x4x4x8xf32>
    %18 = dfg.slice %13 {dfg.layer = 0 : i64, dim = 3 : i64, size = 1 : i64,
        start = 2 : i64} : tensor<16x4x4x3x8xf32> -> tensor<16x4x4x1x8xf32>
    %19 = dfg.reshape %18 {dfg.layer = 0 : i64} : tensor<16x4x4x1x8xf32>
        to tensor<16x4x4x8xf32>
    %result_0, %lse = dfg.attention %15, %17, %19 {causal = true,
        dfg.layer = 0 : i64, first_head = #dfg.index<0>,
        first_sample = #dfg.index<0>, layer = 0 : i64, num_heads = 4 : i64,
        num_samples = 4 : i64, probability = 0.1 : f64,
        scale = 0.35355339059327373 : f64, stream = "dropout"}
        : (tensor<16x4x4x8xf32>, tensor<16x4x4x8xf32>, tensor<16x4x4x8xf32>)
        -> (tensor<16x4x4x8xf32>, tensor<4x4x16xf32>)
    %20 = dfg.reshape %result_0 {dfg.layer = 0 : i64} : tensor<16x4x4x8xf32>
        to tensor<16x4x32xf32>
    %21 = dfg.weight @proj {dfg.layer = 0 : i64} : tensor<32x32xf32>
    %22 = dfg.matmul "sbi,oi->sbo" %20, %21 {dfg.layer = 0 : i64}
        : tensor<16x4x32xf32>, tensor<32x32xf32> -> tensor<16x4x32xf32>
    %23 = dfg.weight @proj.bias {dfg.layer = 0 : i64} : tensor<32xf32>
    %24 = dfg.broadcast %23 {dfg.layer = 0 : i64, dims = array<i64: 2>}
        : tensor<32xf32> to tensor<16x4x32xf32>
    %25 = dfg.add %22, %24 {dfg.layer = 0 : i64} : tensor<16x4x32xf32>
    %26 = dfg.dropout %25 {dfg.layer = 0 : i64, extent = array<i64: 16, 4, 32>,
        layer = 0 : i64, offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>],
        probability = 0.1 : f64, stream = "output.dropout"}
        : tensor<16x4x32xf32>
    %27 = dfg.add %5, %26 {dfg.layer = 0 : i64, dfg.residual}
        : tensor<16x4x32xf32>
    %28 = dfg.weight @norm2 {dfg.layer = 0 : i64} : tensor<32xf32>
    %29 = dfg.weight @norm2.bias {dfg.layer = 0 : i64} : tensor<32xf32>
    %result_1, %mean_2, %rstd_3 = dfg.layer_norm %27, %28, %29
        {dfg.layer = 0 : i64, epsilon = 1.0e-5 : f64} : tensor<16x4x32xf32>,
        tensor<32xf32>, tensor<32xf32> -> tensor<16x4x32xf32>, tensor<16x4xf32>,
        tensor<16x4xf32>
    %30 = dfg.weight @up {dfg.layer = 0 : i64} : tensor<128x32xf32>
    %31 = dfg.matmul "sbi,oi->sbo" %result_1, %30 {dfg.layer = 0 : i64}
        : tensor<16x4x32xf32>, tensor<128x32xf32> -> tensor<16x4x128xf32>
    %32 = dfg.weight @up.bias {dfg.layer = 0 : i64} : tensor<128xf32>
    %33 = dfg.broadcast %32 {dfg.layer = 0 : i64, dims = array<i64: 2>}
        : tensor<128xf32> to tensor<16x4x128xf32>
    %34 = dfg.add %31, %33 {dfg.layer = 0 : i64} : tensor<16x4x128xf32>
    %35 = dfg.gelu tanh %34 {dfg.layer = 0 : i64} : tensor<16x4x128xf32>
    %36 = dfg.weight @down {dfg.layer = 0 : i64} : tensor<32x128xf32>
    %37 = dfg.matmul "sbi,oi->sbo" %35, %36 {dfg.layer = 0 : i64}
        : tensor<16x4x128xf32>, tensor<32x128xf32> -> tensor<16x4x32xf32>
    %38 = dfg.weight @down.bias {dfg.layer = 0 : i64} : tensor<32xf32>
    %39 = dfg.broadcast %38 {dfg.layer = 0 : i64, dims = array<i64: 2>}
        : tensor<32xf32> to tensor<16x4x32xf32>
    %40 = dfg.add %37, %39 {dfg.layer = 0 : i64} : tensor<16x4x32xf32>
    %41 = dfg.dropout %40 {dfg.layer = 0 : i64, extent = array<i64: 16, 4, 32>,
        layer = 0 : i64, offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>],
        probability = 0.1 : f64, stream = "mlp.output.dropout"}
        : tensor<16x4x32xf32>
    %42 = dfg.add %27, %41 {dfg.layer = 0 : i64, dfg.residual}
        : tensor<16x4x32xf32>
    %43 = dfg.weight @norm3 {dfg.layer = 1 : i64} : tensor<32xf32>
    %44 = dfg.weight @norm3.bias {dfg.layer = 1 : i64} : tensor<32xf32>
    %result_4, %mean_5, %rstd_6 = dfg.layer_norm %42, %43, %44
        {dfg.layer = 1 : i64, epsilon = 1.0e-5 : f64} : tensor<16x4x32xf32>,
        tensor<32xf32>, tensor<32xf32> -> tensor<16x4x32xf32>, tensor<16x4xf32>,
        tensor<16x4xf32>
    %45 = dfg.weight @words {dfg.layer = 1 : i64} : tensor<64x32xf32>
    %46 = dfg.matmul "sbh,vh->sbv" %result_4, %45 {dfg.layer = 1 : i64}
        : tensor<16x4x32xf32>, tensor<64x32xf32> -> tensor<16x4x64xf32>
    %47 = dfg.reduce max %46 {dfg.layer = 1 : i64, dims = array<i64: 2>}
        : tensor<16x4x64xf32> -> tensor<16x4xf32>
    %48 = dfg.broadcast %47 {dfg.layer = 1 : i64, dims = array<i64: 0, 1>}
        : tensor<16x4xf32> to tensor<16x4x64xf32>
    %49 = dfg.sub %46, %48 {dfg.layer = 1 : i64} : tensor<16x4x64xf32>
    %50 = dfg.exp %49 {dfg.layer = 1 : i64} : tensor<16x4x64xf32>
    %51 = dfg.reduce sum %50 {dfg.layer = 1 : i64, dims = array<i64: 2>}
        : tensor<16x4x64xf32> -> tensor<16x4xf32>
    %52 = dfg.pick %49, %arg1 {dfg.layer = 1 : i64, first = #dfg.index<0>}
        : tensor<16x4x64xf32>, tensor<16x4xi32> -> tensor<16x4xf32>
    %53 = dfg.log %51 {dfg.layer = 1 : i64} : tensor<16x4xf32>
    %54 = dfg.sub %53, %52 {dfg.layer = 1 : i64} : tensor<16x4xf32>
    %55 = dfg.mul %54, %arg3 {dfg.layer = 1 : i64} : tensor<16x4xf32>
    %56 = dfg.reshape %55 {dfg.layer = 1 : i64} : tensor<16x4xf32>
        to tensor<16x2x2xf32>
    %57 = dfg.reduce sum %56 {dfg.layer = 1 : i64, dims = array<i64: 0, 2>}
        : tensor<16x2x2xf32> -> tensor<2xf32>
    %58 = dfg.reshape %arg3 {dfg.layer = 1 : i64} : tensor<16x4xf32>
        to tensor<16x2x2xf32>
    %59 = dfg.reduce sum %58 {dfg.layer = 1 : i64, dims = array<i64: 0, 2>}
        : tensor<16x2x2xf32> -> tensor<2xf32>
    %60 = dfg.div %57, %59 {dfg.layer = 1 : i64} : tensor<2xf32>
    %61 = dfg.reduce sum %60 {dfg.layer = 1 : i64, dims = array<i64: 0>}
        : tensor<2xf32> -> tensor<f32>
    %62 = dfg.constant 5.000000e-01 {dfg.layer = 1 : i64} : tensor<f32>
    %63 = dfg.mul %61, %62 {dfg.layer = 1 : i64} : tensor<f32>
    dfg.metric "lm_loss", %63 {dfg.layer = 1 : i64, objective} : tensor<f32>
    return
  }
}
