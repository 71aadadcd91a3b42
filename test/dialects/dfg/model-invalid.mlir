// RUN: orrery-opt %s -split-input-file -verify-diagnostics

func.func @matmul_c1_form(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.matmul' op equation "ab->a" is not of the form "ac,bc->ab"}}
  %0 = dfg.matmul "ab->a" %x, %x : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4xf32>
  return
}

// -----

func.func @matmul_c1_rank(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.matmul' op rhs has 2 dimensions, equation "ac,c->a" gives it 1}}
  %0 = dfg.matmul "ac,c->a" %x, %x : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4xf32>
  return
}

// -----

func.func @matmul_c2(%x: tensor<4x6xf32>, %w: tensor<8x5xf32>) {
  // expected-error @+1 {{'dfg.matmul' op letter 'c' has size 6 in the lhs and 5 in the rhs}}
  %0 = dfg.matmul "ac,bc->ab" %x, %w : tensor<4x6xf32>, tensor<8x5xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c3(%x: tensor<4x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{'dfg.matmul' op letter 'a' occurs twice in the lhs}}
  %0 = dfg.matmul "aa,ba->b" %x, %w : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<8xf32>
  return
}

// -----

func.func @matmul_c4(%x: tensor<4x6xf32>, %w: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.matmul' op letter 'd' of the result occurs in no operand}}
  %0 = dfg.matmul "ac,bc->ad" %x, %w : tensor<4x6xf32>, tensor<8x6xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c5_operands(%x: tensor<4x6xf32>, %w: tensor<8x6xbf16>) {
  // expected-error @+1 {{'dfg.matmul' op rhs has elements of type 'bf16', must have 'f32'}}
  %0 = dfg.matmul "ac,bc->ab" %x, %w : tensor<4x6xf32>, tensor<8x6xbf16> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c5_result(%x: tensor<4x6xbf16>, %w: tensor<8x6xbf16>) {
  // expected-error @+1 {{'dfg.matmul' op result has elements of type 'f16', must have 'bf16' or f32}}
  %0 = dfg.matmul "ac,bc->ab" %x, %w : tensor<4x6xbf16>, tensor<8x6xbf16> -> tensor<4x8xf16>
  return
}

// -----

func.func @embedding_c1(%t: tensor<8xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{'dfg.embedding' op table has 1 dimensions, must have 2}}
  %0 = dfg.embedding %t, %i {first_row = #dfg.index<0>} : tensor<8xf32>, tensor<4xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @embedding_c2(%t: tensor<8x6xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{'dfg.embedding' op result has shape 4x8, ids and row size asks for 4x6}}
  %0 = dfg.embedding %t, %i {first_row = #dfg.index<0>} : tensor<8x6xf32>, tensor<4xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @embedding_c3(%t: tensor<8x6xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{'dfg.embedding' op result has elements of type 'bf16', must have 'f32'}}
  %0 = dfg.embedding %t, %i {first_row = #dfg.index<0>} : tensor<8x6xf32>, tensor<4xi32> -> tensor<4x6xbf16>
  return
}

// -----

func.func @embedding_grad_c1(%i: tensor<4xi32>, %g: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.embedding_grad' op result has 3 dimensions, must have 2}}
  %0 = dfg.embedding_grad %i, %g {first_row = #dfg.index<0>} : tensor<4xi32>, tensor<4x6xf32> -> tensor<8x6x1xf32>
  return
}

// -----

func.func @embedding_grad_c2(%i: tensor<4xi32>, %g: tensor<4x5xf32>) {
  // expected-error @+1 {{'dfg.embedding_grad' op grad has shape 4x5, ids and row size asks for 4x6}}
  %0 = dfg.embedding_grad %i, %g {first_row = #dfg.index<0>} : tensor<4xi32>, tensor<4x5xf32> -> tensor<8x6xf32>
  return
}

// -----

func.func @pick_c1(%z: tensor<4x6xf32>, %i: tensor<5xi32>) {
  // expected-error @+1 {{'dfg.pick' op operand has shape 4x6, must have the shape of ids 5 and one dimension more}}
  %0 = dfg.pick %z, %i {first = #dfg.index<0>} : tensor<4x6xf32>, tensor<5xi32> -> tensor<5xf32>
  return
}

// -----

func.func @pick_c2(%z: tensor<4x6xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{'dfg.pick' op result has shape 6, ids asks for 4}}
  %0 = dfg.pick %z, %i {first = #dfg.index<0>} : tensor<4x6xf32>, tensor<4xi32> -> tensor<6xf32>
  return
}

// -----

func.func @pick_c3(%z: tensor<4x6xbf16>, %i: tensor<4xi32>) {
  // expected-error @+1 {{'dfg.pick' op result has elements of type 'f32', must have 'bf16'}}
  %0 = dfg.pick %z, %i {first = #dfg.index<0>} : tensor<4x6xbf16>, tensor<4xi32> -> tensor<4xf32>
  return
}

// -----

func.func @pick_grad_c1(%i: tensor<4xi32>, %g: tensor<5xf32>) {
  // expected-error @+1 {{'dfg.pick_grad' op grad has shape 5, ids asks for 4}}
  %0 = dfg.pick_grad %i, %g {first = #dfg.index<0>} : tensor<4xi32>, tensor<5xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @pick_grad_c2(%i: tensor<4xi32>, %g: tensor<4xf32>) {
  // expected-error @+1 {{'dfg.pick_grad' op result has shape 6x4, must have the shape of ids 4 and one dimension more}}
  %0 = dfg.pick_grad %i, %g {first = #dfg.index<0>} : tensor<4xi32>, tensor<4xf32> -> tensor<6x4xf32>
  return
}

// -----

func.func @pick_grad_c3(%i: tensor<4xi32>, %g: tensor<4xf32>) {
  // expected-error @+1 {{'dfg.pick_grad' op result has elements of type 'f16', must have 'f32'}}
  %0 = dfg.pick_grad %i, %g {first = #dfg.index<0>} : tensor<4xi32>, tensor<4xf32> -> tensor<4x6xf16>
  return
}
