// RUN: orrery-opt %s -split-input-file -verify-diagnostics

// A product has a kernel of its own.
func.func @fused_c1(%x: tensor<8x8xf32>) {
  // expected-error @+1 {{'dfg.fused' op contains 'dfg.matmul', which cannot be fused}}
  %y = dfg.fused shape [8, 8] ins(%x : tensor<8x8xf32>) {
  ^bb0(%0: tensor<8x8xf32>):
    // expected-note @+1 {{the op is here}}
    %1 = dfg.matmul "ab,bc->ac" %0, %0 : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
    dfg.yield %1 : tensor<8x8xf32>
  } : tensor<8x8xf32>
  return
}

// -----

func.func @fused_c2_inputs(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.fused' op has 0 inputs inside and 1 outside}}
  %y = dfg.fused shape [8] ins(%x : tensor<8xf32>) {
    %0 = dfg.constant 1.0 : tensor<8xf32>
    dfg.yield %0 : tensor<8xf32>
  } : tensor<8xf32>
  return
}

// -----

func.func @fused_c2_outputs(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.fused' op output 0 has type 'tensor<8xf32>' inside and 'tensor<8xbf16>' outside}}
  %y = dfg.fused shape [8] ins(%x : tensor<8xf32>) {
  ^bb0(%0: tensor<8xf32>):
    dfg.yield %0 : tensor<8xf32>
  } : tensor<8xbf16>
  return
}

// -----

func.func @fused_c3(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'dfg.fused' op has a value of type 'tensor<5x8xf32>' inside, which does not fit its iteration space 4x8}}
  %y = dfg.fused shape [4, 8] ins(%x : tensor<4x8xf32>) {
  ^bb0(%0: tensor<4x8xf32>):
    // expected-note @+1 {{the value is made here}}
    %1 = dfg.constant 1.0 : tensor<5x8xf32>
    dfg.yield %0 : tensor<4x8xf32>
  } : tensor<4x8xf32>
  return
}
