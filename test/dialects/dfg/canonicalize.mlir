// Gradients of slices of one value are joined.
// RUN: orrery-opt %s --canonicalize | FileCheck %s

// Three slices, as of q, k and v of a joint projection.
// CHECK-LABEL: func.func @three_slices
// CHECK-SAME: %[[Q:.*]]: tensor<4x1xf32>, %[[K:.*]]: tensor<4x1xf32>, %[[V:.*]]: tensor<4x1xf32>
func.func @three_slices(%q: tensor<4x1xf32>, %k: tensor<4x1xf32>, %v: tensor<4x1xf32>) -> tensor<4x3xf32> {
  // CHECK-NEXT: %[[C:.*]] = dfg.concat %[[Q]], %[[K]], %[[V]] {dim = 1 : i64}
  // CHECK-NEXT: return %[[C]]
  %one = dfg.constant 0.0 : tensor<4x1xf32>
  %two = dfg.constant 0.0 : tensor<4x2xf32>
  %0 = dfg.concat %q, %two {dim = 1 : i64} : tensor<4x1xf32>, tensor<4x2xf32> -> tensor<4x3xf32>
  %1 = dfg.concat %one, %k, %one {dim = 1 : i64} : tensor<4x1xf32>, tensor<4x1xf32>, tensor<4x1xf32> -> tensor<4x3xf32>
  %2 = dfg.concat %two, %v {dim = 1 : i64} : tensor<4x2xf32>, tensor<4x1xf32> -> tensor<4x3xf32>
  %3 = dfg.add %0, %1 : tensor<4x3xf32>
  %4 = dfg.add %3, %2 : tensor<4x3xf32>
  return %4 : tensor<4x3xf32>
}

// Between the slices a gap of zeros stays; new ops belong to the add's layer.
// CHECK-LABEL: func.func @gap
// CHECK-SAME: %[[A:.*]]: tensor<1xf32>, %[[B:.*]]: tensor<1xf32>
func.func @gap(%a: tensor<1xf32>, %b: tensor<1xf32>) -> tensor<4xf32> {
  // CHECK: %[[ZERO:.*]] = dfg.constant 0.000000e+00 {dfg.layer = 7 : i64} : tensor<2xf32>
  // CHECK: dfg.concat %[[A]], %[[ZERO]], %[[B]] {dfg.layer = 7 : i64, dim = 0 : i64}
  %zero = dfg.constant 0.0 : tensor<3xf32>
  %0 = dfg.concat %a, %zero {dim = 0 : i64} : tensor<1xf32>, tensor<3xf32> -> tensor<4xf32>
  %1 = dfg.concat %zero, %b {dim = 0 : i64} : tensor<3xf32>, tensor<1xf32> -> tensor<4xf32>
  %2 = dfg.add %0, %1 {dfg.layer = 7 : i64} : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// Overlapping slices are added.
// CHECK-LABEL: func.func @overlap
func.func @overlap(%a: tensor<3xf32>) -> tensor<4xf32> {
  // CHECK: dfg.add
  %zero = dfg.constant 0.0 : tensor<1xf32>
  %0 = dfg.concat %a, %zero {dim = 0 : i64} : tensor<3xf32>, tensor<1xf32> -> tensor<4xf32>
  %1 = dfg.concat %zero, %a {dim = 0 : i64} : tensor<1xf32>, tensor<3xf32> -> tensor<4xf32>
  %2 = dfg.add %0, %1 : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// Along different dimensions nothing can be joined.
// CHECK-LABEL: func.func @other_dimension
func.func @other_dimension(%a: tensor<1x2xf32>, %b: tensor<2x1xf32>) -> tensor<2x2xf32> {
  // CHECK: dfg.add
  %row = dfg.constant 0.0 : tensor<1x2xf32>
  %column = dfg.constant 0.0 : tensor<2x1xf32>
  %0 = dfg.concat %a, %row {dim = 0 : i64} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<2x2xf32>
  %1 = dfg.concat %column, %b {dim = 1 : i64} : tensor<2x1xf32>, tensor<2x1xf32> -> tensor<2x2xf32>
  %2 = dfg.add %0, %1 : tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}
