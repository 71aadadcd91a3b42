// RUN: orrery-opt %s -split-input-file -verify-diagnostics

func.func @broadcast_c1_count(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.broadcast' op dims has 2 entries, the operand has 1 dimensions}}
  %0 = dfg.broadcast %x {dims = array<i64: 0, 1>} : tensor<8xf32> to tensor<8x8xf32>
  return
}

// -----

func.func @broadcast_c1_order(%x: tensor<8x8xf32>) {
  // expected-error @+1 {{'dfg.broadcast' op dims must increase, entry 1 is 0 after 2}}
  %0 = dfg.broadcast %x {dims = array<i64: 2, 0>} : tensor<8x8xf32> to tensor<8x8x8xf32>
  return
}

// -----

func.func @broadcast_c2(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.broadcast' op dimension 0 of the operand has size 8, dimension 1 of the result has 4}}
  %0 = dfg.broadcast %x {dims = array<i64: 1>} : tensor<8xf32> to tensor<8x4xf32>
  return
}

// -----

func.func @broadcast_c3(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.broadcast' op result has elements of type 'bf16', must have 'f32'}}
  %0 = dfg.broadcast %x {dims = array<i64: 1>} : tensor<8xf32> to tensor<4x8xbf16>
  return
}

// -----

func.func @reduce_c1(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'dfg.reduce' op entry 0 of dims is 2, must be at least 0 and below 2}}
  %0 = dfg.reduce sum %x {dims = array<i64: 2>} : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @reduce_c2(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'dfg.reduce' op result has shape 8, the reduction asks for 4}}
  %0 = dfg.reduce sum %x {dims = array<i64: 1>} : tensor<4x8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @reduce_c3(%x: tensor<4x8xbf16>) {
  // expected-error @+1 {{'dfg.reduce' op result has elements of type 'f32', must have 'bf16'}}
  %0 = dfg.reduce sum %x {dims = array<i64: 1>} : tensor<4x8xbf16> -> tensor<4xf32>
  return
}

// -----

func.func @partial_sum_c1_parts(%x: tensor<4x2x8xf32>) {
  // expected-error @+1 {{'dfg.partial_sum' op result of shape 9x8 must have 1 to 8 rows of 8 columns}}
  %0 = dfg.partial_sum %x : tensor<4x2x8xf32> -> tensor<9x8xf32>
  return
}

// -----

func.func @partial_sum_c1_columns(%x: tensor<4x2x8xf32>) {
  // expected-error @+1 {{'dfg.partial_sum' op result of shape 2x4 must have 1 to 8 rows of 8 columns}}
  %0 = dfg.partial_sum %x : tensor<4x2x8xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @partial_sum_c2(%x: tensor<4x2x8xbf16>) {
  // expected-error @+1 {{'dfg.partial_sum' op result has elements of type 'bf16', sums need f32 or wider}}
  %0 = dfg.partial_sum %x : tensor<4x2x8xbf16> -> tensor<2x8xbf16>
  return
}

// -----

func.func @reshape_c1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.reshape' op operand of shape 4x6 has 24 elements, result of shape 5x5 has 25}}
  %0 = dfg.reshape %x : tensor<4x6xf32> to tensor<5x5xf32>
  return
}

// -----

func.func @reshape_c2(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.reshape' op result has elements of type 'i32', must have 'f32'}}
  %0 = dfg.reshape %x : tensor<4x6xf32> to tensor<24xi32>
  return
}

// -----

func.func @transpose_c1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.transpose' op perm [0, 0] is not a permutation of the operand's 2 dimensions}}
  %0 = dfg.transpose %x {perm = array<i64: 0, 0>} : tensor<4x6xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @transpose_c2(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.transpose' op result has shape 4x6, perm asks for 6x4}}
  %0 = dfg.transpose %x {perm = array<i64: 1, 0>} : tensor<4x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @transpose_c3(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.transpose' op result has elements of type 'f16', must have 'f32'}}
  %0 = dfg.transpose %x {perm = array<i64: 1, 0>} : tensor<4x6xf32> -> tensor<6x4xf16>
  return
}

// -----

func.func @slice_c1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.slice' op dim is 2, must be at least 0 and below 2}}
  %0 = dfg.slice %x {dim = 2 : i64, start = 0 : i64, size = 1 : i64} : tensor<4x6xf32> -> tensor<4x1xf32>
  return
}

// -----

func.func @slice_c2(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.slice' op range [4, 7) does not lie inside dimension 1 of size 6}}
  %0 = dfg.slice %x {dim = 1 : i64, start = 4 : i64, size = 3 : i64} : tensor<4x6xf32> -> tensor<4x3xf32>
  return
}

// -----

func.func @slice_c3(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.slice' op result has shape 4x2, the range asks for 4x3}}
  %0 = dfg.slice %x {dim = 1 : i64, start = 0 : i64, size = 3 : i64} : tensor<4x6xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @slice_c4(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.slice' op result has elements of type 'bf16', must have 'f32'}}
  %0 = dfg.slice %x {dim = 1 : i64, start = 0 : i64, size = 3 : i64} : tensor<4x6xf32> -> tensor<4x3xbf16>
  return
}

// -----

func.func @concat_c1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.concat' op dim is 2, must be at least 0 and below 2}}
  %0 = dfg.concat %x {dim = 2 : i64} : tensor<4x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @concat_c2(%x: tensor<4x6xf32>, %y: tensor<5x1xf32>) {
  // expected-error @+1 {{'dfg.concat' op operand 1 has shape 5x1, the result asks for 4x1}}
  %0 = dfg.concat %x, %y {dim = 1 : i64} : tensor<4x6xf32>, tensor<5x1xf32> -> tensor<4x7xf32>
  return
}

// -----

func.func @concat_c3(%x: tensor<4x6xf32>, %y: tensor<4x1xf32>) {
  // expected-error @+1 {{'dfg.concat' op sizes in dimension 1 add up to 7, the result has 8}}
  %0 = dfg.concat %x, %y {dim = 1 : i64} : tensor<4x6xf32>, tensor<4x1xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @concat_c4(%x: tensor<4x6xf32>, %y: tensor<4x1xbf16>) {
  // expected-error @+1 {{'dfg.concat' op operand 1 has elements of type 'bf16', must have 'f32'}}
  %0 = dfg.concat %x, %y {dim = 1 : i64} : tensor<4x6xf32>, tensor<4x1xbf16> -> tensor<4x7xf32>
  return
}
