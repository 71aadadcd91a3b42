// RUN: orrery-opt %s -split-input-file -verify-diagnostics

func.func @attention_c1_rank(%q: tensor<8x4x16xf32>, %k: tensor<8x4x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op q has 3 dimensions, must have 4}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x16xf32>, tensor<8x4x16xf32>, tensor<8x4x16xf32>)
      -> (tensor<8x4x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

func.func @attention_c1_type(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x1x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op k has type 'tensor<8x4x1x16xf32>', must have q's 'tensor<8x4x2x16xf32>'}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x1x16xf32>, tensor<8x4x1x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

func.func @attention_c2(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op lse has shape 8x4x2, [b, n, s] of q asks for 4x2x8}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2xf32>)
  return
}

// -----

func.func @attention_c3(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x2x16xf32>, %d: tensor<4x8xi32>) {
  // expected-error @+1 {{'dfg.attention' op document_start has shape 4x8, [s, b] of q asks for 8x4}}
  %0, %1 = dfg.attention %q, %k, %k documents %d {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<4x8xi32>)
      -> (tensor<8x4x2x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

func.func @attention_c4(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op probability is -1.000000e-01, must be at least 0 and below 1}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = -0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

// Two samples would share their random numbers.
func.func @attention_c5_samples(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op q has 4 samples, num_samples is 3}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 3 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

func.func @attention_c5_heads(%q: tensor<8x4x2x16xf32>, %k: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention' op q has 2 heads, num_heads is 1}}
  %0, %1 = dfg.attention %q, %k, %k {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 1 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<4x2x8xf32>)
  return
}

// -----

func.func @attention_grad_c1(%q: tensor<8x4x2x16xf32>, %l: tensor<4x2x8xf32>, %g: tensor<8x4x2x8xf32>) {
  // expected-error @+1 {{'dfg.attention_grad' op grad has type 'tensor<8x4x2x8xf32>', must have q's 'tensor<8x4x2x16xf32>'}}
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %q, %l, %g {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>,
         tensor<8x4x2x16xf32>, tensor<4x2x8xf32>, tensor<8x4x2x8xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
  return
}

// -----

func.func @attention_grad_c2(%q: tensor<8x4x2x16xf32>, %l: tensor<2x4x8xf32>, %g: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention_grad' op lse has shape 2x4x8, [b, n, s] of q asks for 4x2x8}}
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %q, %l, %g {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>,
         tensor<8x4x2x16xf32>, tensor<2x4x8xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
  return
}

// -----

func.func @attention_grad_c3(%q: tensor<8x4x2x16xf32>, %l: tensor<4x2x8xf32>, %g: tensor<8x4x2x16xf32>, %d: tensor<8x2xi32>) {
  // expected-error @+1 {{'dfg.attention_grad' op document_start has shape 8x2, [s, b] of q asks for 8x4}}
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %q, %l, %g documents %d {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>,
         tensor<8x4x2x16xf32>, tensor<4x2x8xf32>, tensor<8x4x2x16xf32>, tensor<8x2xi32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
  return
}

// -----

func.func @attention_grad_c4(%q: tensor<8x4x2x16xf32>, %l: tensor<4x2x8xf32>, %g: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention_grad' op probability is 1.500000e+00, must be at least 0 and below 1}}
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %q, %l, %g {scale = 0.25 : f64, causal = true,
      probability = 1.5 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 4 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>,
         tensor<8x4x2x16xf32>, tensor<4x2x8xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
  return
}

// -----

func.func @attention_grad_c5(%q: tensor<8x4x2x16xf32>, %l: tensor<4x2x8xf32>, %g: tensor<8x4x2x16xf32>) {
  // expected-error @+1 {{'dfg.attention_grad' op q has 4 samples, num_samples is 1}}
  %0, %1, %2 = dfg.attention_grad %q, %q, %q, %q, %l, %g {scale = 0.25 : f64, causal = true,
      probability = 0.1 : f64, stream = "a", layer = 0 : i64,
      first_sample = #dfg.index<0>, num_samples = 1 : i64,
      first_head = #dfg.index<0>, num_heads = 2 : i64}
      : (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>,
         tensor<8x4x2x16xf32>, tensor<4x2x8xf32>, tensor<8x4x2x16xf32>)
      -> (tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>, tensor<8x4x2x16xf32>)
  return
}
