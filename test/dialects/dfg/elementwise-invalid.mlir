// RUN: orrery-opt %s -split-input-file -verify-diagnostics

// Sizes differ.
func.func @cast_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{'dfg.cast' op result has shape 5, the operand asks for 4}}
  %0 = dfg.cast %x : tensor<4xf32> to tensor<5xbf16>
  return
}

// -----

func.func @dropout_c1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{'dfg.dropout' op operand has 2 dimensions, must have 3}}
  %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "d", layer = 0 : i64,
      extent = array<i64: 4, 6, 1>,
      offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]} : tensor<4x6xf32>
  return
}

// -----

// Everything would be dropped.
func.func @dropout_c2(%x: tensor<4x2x6xf32>) {
  // expected-error @+1 {{'dfg.dropout' op probability is 1.000000e+00, must be at least 0 and below 1}}
  %0 = dfg.dropout %x {probability = 1.0 : f64, stream = "d", layer = 0 : i64,
      extent = array<i64: 4, 2, 6>,
      offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]}
      : tensor<4x2x6xf32>
  return
}

// -----

func.func @dropout_c3_extent(%x: tensor<4x2x6xf32>) {
  // expected-error @+1 {{'dfg.dropout' op extent has 2 entries, must have 3}}
  %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "d", layer = 0 : i64,
      extent = array<i64: 4, 2>,
      offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]}
      : tensor<4x2x6xf32>
  return
}

// -----

func.func @dropout_c3_offset(%x: tensor<4x2x6xf32>) {
  // expected-error @+1 {{'dfg.dropout' op offset has 1 entries, must have 3}}
  %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "d", layer = 0 : i64,
      extent = array<i64: 4, 2, 6>, offset = [#dfg.index<0>]}
      : tensor<4x2x6xf32>
  return
}

// -----

// Two elements would share a random number.
func.func @dropout_c4(%x: tensor<4x2x6xf32>) {
  // expected-error @+1 {{'dfg.dropout' op operand has size 6 in dimension 2, extent 3 is smaller}}
  %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "d", layer = 0 : i64,
      extent = array<i64: 4, 2, 3>,
      offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]}
      : tensor<4x2x6xf32>
  return
}

// -----

// Values have a static shape.
func.func @dynamic(%x: tensor<?xf32>) {
  // expected-error @+1 {{'dfg.exp' op operand #0 must be statically shaped tensor}}
  %0 = dfg.exp %x : tensor<?xf32>
  return
}
