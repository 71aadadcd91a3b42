// Round trip of products, lookups, norms and attention.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

// CHECK-LABEL: func.func @matmul
func.func @matmul(%x: tensor<64x4x32xf32>, %w: tensor<96x32xf32>,
                  %h: tensor<8x4xbf16>, %v: tensor<4x2xbf16>) {
  // CHECK: dfg.matmul "sbi,oi->sbo" %{{.*}}, %{{.*}} : tensor<64x4x32xf32>, tensor<96x32xf32> -> tensor<64x4x96xf32>
  %0 = dfg.matmul "sbi,oi->sbo" %x, %w : tensor<64x4x32xf32>, tensor<96x32xf32> -> tensor<64x4x96xf32>
  // A result of f32 from operands of 16 bits.
  // CHECK: dfg.matmul "ab,bc->ac" %{{.*}}, %{{.*}} : tensor<8x4xbf16>, tensor<4x2xbf16> -> tensor<8x2xf32>
  %1 = dfg.matmul "ab,bc->ac" %h, %v : tensor<8x4xbf16>, tensor<4x2xbf16> -> tensor<8x2xf32>
  return
}

// CHECK-LABEL: func.func @lookups
func.func @lookups(%table: tensor<384x32xf32>, %ids: tensor<64x4xi32>,
                   %z: tensor<64x4x384xf32>) {
  // CHECK: %[[Y:.*]] = dfg.embedding %{{.*}}, %{{.*}} {first_row = #dfg.index<0 + tp * 192>} : tensor<384x32xf32>, tensor<64x4xi32> -> tensor<64x4x32xf32>
  %0 = dfg.embedding %table, %ids {first_row = #dfg.index<0 + tp * 192>} : tensor<384x32xf32>, tensor<64x4xi32> -> tensor<64x4x32xf32>
  // CHECK: dfg.embedding_grad %{{.*}}, %[[Y]] {first_row = #dfg.index<0>} : tensor<64x4xi32>, tensor<64x4x32xf32> -> tensor<384x32xf32>
  %1 = dfg.embedding_grad %ids, %0 {first_row = #dfg.index<0>} : tensor<64x4xi32>, tensor<64x4x32xf32> -> tensor<384x32xf32>
  // CHECK: %[[P:.*]] = dfg.pick %{{.*}}, %{{.*}} {first = #dfg.index<0>} : tensor<64x4x384xf32>, tensor<64x4xi32> -> tensor<64x4xf32>
  %2 = dfg.pick %z, %ids {first = #dfg.index<0>} : tensor<64x4x384xf32>, tensor<64x4xi32> -> tensor<64x4xf32>
  // CHECK: dfg.pick_grad %{{.*}}, %[[P]] {first = #dfg.index<3 + dp * 4 + tp * 8>} : tensor<64x4xi32>, tensor<64x4xf32> -> tensor<64x4x384xf32>
  %3 = dfg.pick_grad %ids, %2 {first = #dfg.index<3 + dp * 4 + tp * 8>} : tensor<64x4xi32>, tensor<64x4xf32> -> tensor<64x4x384xf32>
  return
}

// CHECK-LABEL: func.func @layer_norm
func.func @layer_norm(%x: tensor<64x4x32xbf16>, %g: tensor<32xbf16>) {
  // CHECK: %[[Y:.*]], %[[M:.*]], %[[R:.*]] = dfg.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-05 : f64} : tensor<64x4x32xbf16>, tensor<32xbf16>, tensor<32xbf16> -> tensor<64x4x32xbf16>, tensor<64x4xf32>, tensor<64x4xf32>
  %y, %m, %r = dfg.layer_norm %x, %g, %g {epsilon = 1.0e-5 : f64} : tensor<64x4x32xbf16>, tensor<32xbf16>, tensor<32xbf16> -> tensor<64x4x32xbf16>, tensor<64x4xf32>, tensor<64x4xf32>
  // CHECK: dfg.layer_norm_grad %[[Y]], %{{.*}}, %[[M]], %[[R]], %{{.*}} : tensor<64x4x32xbf16>, tensor<64x4x32xbf16>, tensor<64x4xf32>, tensor<64x4xf32>, tensor<32xbf16> -> tensor<64x4x32xbf16>, tensor<32xbf16>, tensor<32xbf16>
  %0, %1, %2 = dfg.layer_norm_grad %y, %x, %m, %r, %g : tensor<64x4x32xbf16>, tensor<64x4x32xbf16>, tensor<64x4xf32>, tensor<64x4xf32>, tensor<32xbf16> -> tensor<64x4x32xbf16>, tensor<32xbf16>, tensor<32xbf16>
  return
}

// CHECK-LABEL: func.func @attention
// CHECK-SAME: %[[Q:.*]]: tensor<64x4x2x16xf32>, %[[D:.*]]: tensor<64x4xi32>
func.func @attention(%q: tensor<64x4x2x16xf32>, %d: tensor<64x4xi32>) {
  // CHECK: %[[O:.*]], %[[L:.*]] = dfg.attention %[[Q]], %[[Q]], %[[Q]] {causal = true,
  // CHECK-SAME: first_head = #dfg.index<0 + tp * 2>
  %o, %l = dfg.attention %q, %q, %q {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "layers.{layer}.attention", layer = 2 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0 + tp * 2>, num_heads = 4 : i64}
      : (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>)
      -> (tensor<64x4x2x16xf32>, tensor<4x2x64xf32>)
  // CHECK: dfg.attention %[[Q]], %[[Q]], %[[Q]] documents %[[D]] {causal = false,
  %o2, %l2 = dfg.attention %q, %q, %q documents %d {scale = 0.25 : f64, causal = false,
      probability = 0.0 : f64, stream = "a", layer = 2 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4xi32>)
      -> (tensor<64x4x2x16xf32>, tensor<4x2x64xf32>)
  // CHECK: dfg.attention_grad %[[Q]], %[[Q]], %[[Q]], %[[O]], %[[L]], %{{.*}} documents %[[D]] {causal = true,
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %o, %l, %o2 documents %d
      {scale = 0.25 : f64, causal = true, probability = 0.1 : f64, stream = "a",
      layer = 2 : i64, first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>,
         tensor<64x4x2x16xf32>, tensor<4x2x64xf32>, tensor<64x4x2x16xf32>, tensor<64x4xi32>)
      -> (tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>, tensor<64x4x2x16xf32>)
  return
}
