// Round trip of fused regions.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

// CHECK-LABEL: func.func @bias
func.func @bias(%x: tensor<64x4x32xf32>, %b: tensor<32xf32>) -> tensor<64x4x32xf32> {
  // CHECK: %[[Y:.*]] = dfg.fused shape [64, 4, 32] ins(%{{.*}}, %{{.*}} : tensor<64x4x32xf32>, tensor<32xf32>) {
  // CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<64x4x32xf32>, %[[B:.*]]: tensor<32xf32>):
  // CHECK-NEXT: %[[R:.*]] = dfg.broadcast %[[B]]
  // CHECK-NEXT: %[[S:.*]] = dfg.add %[[X]], %[[R]]
  // CHECK-NEXT: dfg.yield %[[S]] : tensor<64x4x32xf32>
  // CHECK-NEXT: } : tensor<64x4x32xf32>
  %y = dfg.fused shape [64, 4, 32] ins(%x, %b : tensor<64x4x32xf32>, tensor<32xf32>) {
  ^bb0(%0: tensor<64x4x32xf32>, %1: tensor<32xf32>):
    %2 = dfg.broadcast %1 {dims = array<i64: 2>} : tensor<32xf32> to tensor<64x4x32xf32>
    %3 = dfg.add %0, %2 : tensor<64x4x32xf32>
    dfg.yield %3 : tensor<64x4x32xf32>
  } : tensor<64x4x32xf32>
  return %y : tensor<64x4x32xf32>
}

// A region without operands.
// CHECK-LABEL: func.func @ones
func.func @ones() {
  // CHECK: dfg.fused shape [8] {
  %y = dfg.fused shape [8] {
    %0 = dfg.constant 1.0 : tensor<8xf32>
    dfg.yield %0 : tensor<8xf32>
  } : tensor<8xf32>
  return
}
