// RUN: orrery-opt %s -split-input-file -verify-diagnostics

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_reduce_c1_unknown(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_reduce' op axis "ep" is not one of the mesh #dfg.mesh<pp = 3, dp = 2, tp = 2>}}
  %0 = dfg.all_reduce sum %x {axes = ["ep"]} : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_reduce_c1_twice(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_reduce' op axis "tp" occurs twice}}
  %0 = dfg.all_reduce sum %x {axes = ["tp", "tp"]} : tensor<8x6xf32>
  return
}
}

// -----

func.func @all_reduce_c1_no_mesh(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_reduce' op names mesh axes, but no module around it has the attribute 'dfg.mesh'}}
  %0 = dfg.all_reduce sum %x {axes = ["tp"]} : tensor<8x6xf32>
  return
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_reduce_c2_axes(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_reduce' op 'only' needs one axis, there are 2}}
  %0 = dfg.all_reduce sum %x {axes = ["tp", "dp"], only = array<i64: 0>} : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_reduce_c2_range(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_reduce' op a coordinate of 'only' is 3, must be at least 0 and below 3}}
  %0 = dfg.all_reduce sum %x {axes = ["pp"], only = array<i64: 0, 3>} : tensor<8x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_gather_c1_unknown(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_gather' op axis "ep" is not one of the mesh #dfg.mesh<pp = 3, dp = 2, tp = 2>}}
  %0 = dfg.all_gather %x {axes = ["ep"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<16x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_gather_c1_twice(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_gather' op axis "tp" occurs twice}}
  %0 = dfg.all_gather %x {axes = ["tp", "tp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<16x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_gather_c2_dim(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_gather' op dim is 2, must be at least 0 and below 2}}
  %0 = dfg.all_gather %x {axes = ["tp"], dim = 2 : i64} : tensor<8x6xf32> -> tensor<16x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_gather_c2_size(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_gather' op result has shape 16x6, gathering from 3 ranks asks for 24x6}}
  %0 = dfg.all_gather %x {axes = ["pp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<16x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reduce_scatter_c1_unknown(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reduce_scatter' op axis "ep" is not one of the mesh #dfg.mesh<pp = 3, dp = 2, tp = 2>}}
  %0 = dfg.reduce_scatter %x {axes = ["ep"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reduce_scatter_c1_twice(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reduce_scatter' op axis "tp" occurs twice}}
  %0 = dfg.reduce_scatter %x {axes = ["tp", "tp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reduce_scatter_c2_dim(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reduce_scatter' op dim is -1, must be at least 0 and below 2}}
  %0 = dfg.reduce_scatter %x {axes = ["tp"], dim = -1 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reduce_scatter_c2_divide(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reduce_scatter' op cannot split dimension 0 of size 8 into 3 equal parts}}
  %0 = dfg.reduce_scatter %x {axes = ["pp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @reduce_scatter_c2_size(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.reduce_scatter' op result has shape 4x6, splitting over 4 ranks asks for 2x6}}
  %0 = dfg.reduce_scatter %x {axes = ["tp", "dp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_slice_c1_unknown(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_slice' op axis "ep" is not one of the mesh #dfg.mesh<pp = 3, dp = 2, tp = 2>}}
  %0 = dfg.all_slice %x {axes = ["ep"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_slice_c1_twice(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_slice' op axis "tp" occurs twice}}
  %0 = dfg.all_slice %x {axes = ["tp", "tp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_slice_c2_dim(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_slice' op dim is -1, must be at least 0 and below 2}}
  %0 = dfg.all_slice %x {axes = ["tp"], dim = -1 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_slice_c2_divide(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_slice' op cannot split dimension 0 of size 8 into 3 equal parts}}
  %0 = dfg.all_slice %x {axes = ["pp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_slice_c2_size(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_slice' op result has shape 4x6, splitting over 4 ranks asks for 2x6}}
  %0 = dfg.all_slice %x {axes = ["tp", "dp"], dim = 0 : i64} : tensor<8x6xf32> -> tensor<4x6xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_to_all_c1_unknown(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_to_all' op axis "ep" is not one of the mesh #dfg.mesh<pp = 3, dp = 2, tp = 2>}}
  %0 = dfg.all_to_all %x {axes = ["ep"], split = 0 : i64, concat = 1 : i64} : tensor<8x6xf32> -> tensor<4x12xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_to_all_c1_twice(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_to_all' op axis "tp" occurs twice}}
  %0 = dfg.all_to_all %x {axes = ["tp", "tp"], split = 0 : i64, concat = 1 : i64} : tensor<8x6xf32> -> tensor<4x12xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_to_all_c2_same(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_to_all' op split and concat are both dimension 1}}
  %0 = dfg.all_to_all %x {axes = ["tp"], split = 1 : i64, concat = 1 : i64} : tensor<8x6xf32> -> tensor<4x12xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_to_all_c2_divide(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_to_all' op cannot split dimension 0 of size 8 into 3 equal parts}}
  %0 = dfg.all_to_all %x {axes = ["pp"], split = 0 : i64, concat = 1 : i64} : tensor<8x6xf32> -> tensor<4x12xf32>
  return
}
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 2, tp = 2>} {
func.func @all_to_all_c2_size(%x: tensor<8x6xf32>) {
  // expected-error @+1 {{'dfg.all_to_all' op result has shape 4x12, moving the split over 4 ranks asks for 2x24}}
  %0 = dfg.all_to_all %x {axes = ["tp", "dp"], split = 0 : i64, concat = 1 : i64} : tensor<8x6xf32> -> tensor<4x12xf32>
  return
}
}
