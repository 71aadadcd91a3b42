// RUN: orrery-opt %s -split-input-file -verify-diagnostics

func.func @layer_norm_c1(%x: tensor<4x6xf32>, %g: tensor<4xf32>, %b: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm' op gamma has shape 4, a row asks for 6}}
  %0, %1, %2 = dfg.layer_norm %x, %g, %b {epsilon = 1.0e-5 : f64} : tensor<4x6xf32>, tensor<4xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @layer_norm_c2_shape(%x: tensor<4x6xf32>, %g: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm' op mean has shape 6, the rows asks for 4}}
  %0, %1, %2 = dfg.layer_norm %x, %g, %g {epsilon = 1.0e-5 : f64} : tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<6xf32>, tensor<4xf32>
  return
}

// -----

// Statistics of 16 bits would lose the rows.
func.func @layer_norm_c2_type(%x: tensor<4x6xbf16>, %g: tensor<6xbf16>) {
  // expected-error @+1 {{'dfg.layer_norm' op rstd has elements of type 'bf16', must have 'f32'}}
  %0, %1, %2 = dfg.layer_norm %x, %g, %g {epsilon = 1.0e-5 : f64} : tensor<4x6xbf16>, tensor<6xbf16>, tensor<6xbf16> -> tensor<4x6xbf16>, tensor<4xf32>, tensor<4xbf16>
  return
}

// -----

func.func @layer_norm_c3(%x: tensor<4x6xbf16>, %g: tensor<6xbf16>) {
  // expected-error @+1 {{'dfg.layer_norm' op result has type 'tensor<4x6xf32>', must have the operand's 'tensor<4x6xbf16>'}}
  %0, %1, %2 = dfg.layer_norm %x, %g, %g {epsilon = 1.0e-5 : f64} : tensor<4x6xbf16>, tensor<6xbf16>, tensor<6xbf16> -> tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @layer_norm_c4(%x: tensor<4x6xf32>, %g: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm' op epsilon is -1.000000e+00, must be at least 0}}
  %0, %1, %2 = dfg.layer_norm %x, %g, %g {epsilon = -1.0 : f64} : tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @layer_norm_grad_c1(%x: tensor<4x6xf32>, %m: tensor<4xf32>, %g: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm_grad' op grad_beta has shape 4, a row asks for 6}}
  %0, %1, %2 = dfg.layer_norm_grad %x, %x, %m, %m, %g : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<6xf32>, tensor<4xf32>
  return
}

// -----

func.func @layer_norm_grad_c2(%x: tensor<4x6xf32>, %m: tensor<5xf32>, %g: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm_grad' op mean has shape 5, the rows asks for 4}}
  %0, %1, %2 = dfg.layer_norm_grad %x, %x, %m, %m, %g : tensor<4x6xf32>, tensor<4x6xf32>, tensor<5xf32>, tensor<5xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>
  return
}

// -----

func.func @layer_norm_grad_c3(%d: tensor<5x6xf32>, %x: tensor<4x6xf32>, %m: tensor<4xf32>, %g: tensor<6xf32>) {
  // expected-error @+1 {{'dfg.layer_norm_grad' op grad has type 'tensor<5x6xf32>' and grad_operand 'tensor<4x6xf32>', both must have the operand's 'tensor<4x6xf32>'}}
  %0, %1, %2 = dfg.layer_norm_grad %d, %x, %m, %m, %g : tensor<5x6xf32>, tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<6xf32> -> tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>
  return
}
