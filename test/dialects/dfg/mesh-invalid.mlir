// RUN: orrery-opt %s -split-input-file -verify-diagnostics

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reshard_c1(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reshard' op target has 1 dimensions, the operand has 2}}
  %0 = dfg.reshard %x from <[_, _]>
      to <[tp]> : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reshard_c2(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reshard' op source splits dimension 0 of size 8 into 3 parts, it must divide evenly}}
  %0 = dfg.reshard %x from <[pp, _]>
      to <[_, _]> : tensor<8x6xf32>
  return
}
}

// -----

// Nothing makes a whole value partial.
module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reshard_c3_axis(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reshard' op target is partial over axis "tp", the source is not}}
  %0 = dfg.reshard %x from <[_, _]>
      to <[_, _], partial sum [tp]> : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reshard_c3_kind(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reshard' op source is a partial sum, the target a partial max}}
  %0 = dfg.reshard %x from <[_, _], partial sum [tp]>
      to <[_, _], partial max [tp]> : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @send_c1(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.send' op delta is 2, must be 1 or -1}}
  dfg.send %x {delta = 2 : i64} : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @receive_c1(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.receive' op delta is 0, must be 1 or -1}}
  %0 = dfg.receive {delta = 0 : i64} : tensor<8x6xf32>
  return
}
}
