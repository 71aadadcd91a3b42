// RUN: orrery-opt %s --dfg-split-column-sums="parts=16" | FileCheck %s
// RUN: orrery-opt %s --dfg-split-column-sums="parts=16" --dfg-fuse | FileCheck %s --check-prefix=FUSED

// The gradient of a bias behind a product: 256 rows in 16 sums of 16.
// CHECK-LABEL: func.func @bias
// FUSED-LABEL: func.func @bias
func.func @bias(%x: tensor<64x4x32xf32>, %y: tensor<64x4x32xf32>)
    -> (tensor<64x4x32xf32>, tensor<32xf32>) {
  // CHECK: %[[X:.*]] = dfg.mul
  %0 = dfg.mul %x, %y : tensor<64x4x32xf32>
  // CHECK: %[[P:.*]] = dfg.partial_sum %[[X]] {dfg.layer = 3 : i64} : tensor<64x4x32xf32> -> tensor<16x32xf32>
  // CHECK: %[[G:.*]] = dfg.reduce sum %[[P]] {dfg.layer = 3 : i64, dims = array<i64: 0>} : tensor<16x32xf32> -> tensor<32xf32>
  // CHECK: return %[[X]], %[[G]]
  // FUSED: %[[F:.*]]:2 = dfg.fused shape [64, 4, 32]
  // FUSED: %[[M:.*]] = dfg.mul
  // FUSED: %[[S:.*]] = dfg.partial_sum %[[M]]
  // FUSED: dfg.yield %[[M]], %[[S]]
  // FUSED: dfg.reduce sum %[[F]]#1
  %1 = dfg.reduce sum %0 {dims = array<i64: 0, 1>, dfg.layer = 3 : i64}
      : tensor<64x4x32xf32> -> tensor<32xf32>
  return %0, %1 : tensor<64x4x32xf32>, tensor<32xf32>
}

// 16-bit sums are taken in f32 and rounded once.
// CHECK-LABEL: func.func @narrow
func.func @narrow(%x: tensor<256x32xbf16>) -> tensor<32xbf16> {
  %0 = dfg.mul %x, %x : tensor<256x32xbf16>
  // CHECK: %[[P:.*]] = dfg.partial_sum %{{.*}} : tensor<256x32xbf16> -> tensor<16x32xf32>
  // CHECK: %[[G:.*]] = dfg.reduce sum %[[P]] {dims = array<i64: 0>} : tensor<16x32xf32> -> tensor<32xf32>
  // CHECK: dfg.cast %[[G]] : tensor<32xf32> to tensor<32xbf16>
  %1 = dfg.reduce sum %0 {dims = array<i64: 0>}
      : tensor<256x32xbf16> -> tensor<32xbf16>
  return %1 : tensor<32xbf16>
}

// Three blocks of 224 threads have more rows at a time than two.
// CHECK-LABEL: func.func @three_blocks
func.func @three_blocks(%x: tensor<256x1600xf32>) -> tensor<1600xf32> {
  %0 = dfg.mul %x, %x : tensor<256x1600xf32>
  // CHECK: dfg.partial_sum %{{.*}} : tensor<256x1600xf32> -> tensor<24x1600xf32>
  %1 = dfg.reduce sum %0 {dims = array<i64: 0>}
      : tensor<256x1600xf32> -> tensor<1600xf32>
  return %1 : tensor<1600xf32>
}

// Few rows are not worth two stages.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT: dfg.partial_sum
func.func @few_rows(%x: tensor<60x32xf32>) -> tensor<32xf32> {
  %0 = dfg.mul %x, %x : tensor<60x32xf32>
  %1 = dfg.reduce sum %0 {dims = array<i64: 0>}
      : tensor<60x32xf32> -> tensor<32xf32>
  return %1 : tensor<32xf32>
}

// What a matrix product makes is in memory anyway.
// CHECK-LABEL: func.func @not_fusable
// CHECK-NOT: dfg.partial_sum
func.func @not_fusable(%x: tensor<256x32xf32>) -> tensor<32xf32> {
  %1 = dfg.reduce sum %x {dims = array<i64: 0>}
      : tensor<256x32xf32> -> tensor<32xf32>
  return %1 : tensor<32xf32>
}
