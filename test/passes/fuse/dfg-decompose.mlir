// RUN: orrery-opt %s --dfg-decompose | FileCheck %s

// CHECK-LABEL: func.func @layer_norm
// CHECK-SAME: %[[X:.*]]: tensor<4x2x8xf32>, %[[GAMMA:.*]]: tensor<8xf32>, %[[BETA:.*]]: tensor<8xf32>
func.func @layer_norm(%x: tensor<4x2x8xf32>, %gamma: tensor<8xf32>,
    %beta: tensor<8xf32>)
    -> (tensor<4x2x8xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  // CHECK: %[[SUM:.*]] = dfg.reduce sum %[[X]] {dfg.layer = 3 : i64, dims = array<i64: 2>}
  // CHECK: %[[INVERSE:.*]] = dfg.constant 1.250000e-01 {dfg.layer = 3 : i64} : tensor<4x2xf32>
  // CHECK: %[[MEAN:.*]] = dfg.mul %[[SUM]], %[[INVERSE]]
  // CHECK: %[[MEANS:.*]] = dfg.broadcast %[[MEAN]] {{.*}}dims = array<i64: 0, 1>
  // CHECK: %[[CENTRED:.*]] = dfg.sub %[[X]], %[[MEANS]]
  // CHECK: %[[SQUARE:.*]] = dfg.mul %[[CENTRED]], %[[CENTRED]]
  // CHECK: %[[SQUARES:.*]] = dfg.reduce sum %[[SQUARE]]
  // CHECK: %[[VARIANCE:.*]] = dfg.mul %[[SQUARES]]
  // CHECK: %[[EPSILON:.*]] = dfg.constant 1.000000e-05
  // CHECK: %[[BIASED:.*]] = dfg.add %[[VARIANCE]], %[[EPSILON]]
  // CHECK: %[[RSTD:.*]] = dfg.rsqrt %[[BIASED]]
  // CHECK: %[[RSTDS:.*]] = dfg.broadcast %[[RSTD]]
  // CHECK: %[[NORMAL:.*]] = dfg.mul %[[CENTRED]], %[[RSTDS]]
  // CHECK: %[[GAMMAS:.*]] = dfg.broadcast %[[GAMMA]] {{.*}}dims = array<i64: 2>
  // CHECK: %[[SCALED:.*]] = dfg.mul %[[NORMAL]], %[[GAMMAS]]
  // CHECK: %[[BETAS:.*]] = dfg.broadcast %[[BETA]]
  // CHECK: %[[Y:.*]] = dfg.add %[[SCALED]], %[[BETAS]]
  // CHECK: return %[[Y]], %[[MEAN]], %[[RSTD]]
  %y, %mean, %rstd = dfg.layer_norm %x, %gamma, %beta
      {epsilon = 1.0e-5 : f64, dfg.layer = 3 : i64}
      : tensor<4x2x8xf32>, tensor<8xf32>, tensor<8xf32>
      -> tensor<4x2x8xf32>, tensor<4x2xf32>, tensor<4x2xf32>
  return %y, %mean, %rstd : tensor<4x2x8xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}

// 16-bit operands are widened, the result is narrowed.
// CHECK-LABEL: func.func @layer_norm_bf16
// CHECK-SAME: %[[X:.*]]: tensor<2x8xbf16>, %[[W:.*]]: tensor<8xbf16>
func.func @layer_norm_bf16(%x: tensor<2x8xbf16>, %w: tensor<8xbf16>)
    -> tensor<2x8xbf16> {
  // CHECK: %[[WIDE:.*]] = dfg.cast %[[X]] : tensor<2x8xbf16> to tensor<2x8xf32>
  // CHECK: dfg.reduce sum %[[WIDE]]
  // CHECK: dfg.cast %[[W]] : tensor<8xbf16> to tensor<8xf32>
  // CHECK: %[[Y:.*]] = dfg.cast %{{.*}} : tensor<2x8xf32> to tensor<2x8xbf16>
  // CHECK: return %[[Y]]
  %y, %mean, %rstd = dfg.layer_norm %x, %w, %w {epsilon = 1.0e-5 : f64}
      : tensor<2x8xbf16>, tensor<8xbf16>, tensor<8xbf16>
      -> tensor<2x8xbf16>, tensor<2xf32>, tensor<2xf32>
  return %y : tensor<2x8xbf16>
}

// CHECK-LABEL: func.func @layer_norm_grad
// CHECK-SAME: %[[DY:.*]]: tensor<4x2x8xf32>, %[[X:.*]]: tensor<4x2x8xf32>, %[[MEAN:.*]]: tensor<4x2xf32>, %[[RSTD:.*]]: tensor<4x2xf32>, %[[GAMMA:.*]]: tensor<8xf32>
func.func @layer_norm_grad(%dy: tensor<4x2x8xf32>, %x: tensor<4x2x8xf32>,
    %mean: tensor<4x2xf32>, %rstd: tensor<4x2xf32>, %gamma: tensor<8xf32>)
    -> (tensor<4x2x8xf32>, tensor<8xf32>, tensor<8xf32>) {
  // CHECK: %[[RSTDS:.*]] = dfg.broadcast %[[RSTD]]
  // CHECK: %[[CENTRED:.*]] = dfg.sub %[[X]]
  // CHECK: %[[XHAT:.*]] = dfg.mul %[[CENTRED]], %[[RSTDS]]
  // CHECK: %[[T:.*]] = dfg.mul %[[DY]]
  // CHECK: dfg.reduce sum %[[T]] {dims = array<i64: 2>}
  // CHECK: %[[TX:.*]] = dfg.mul %[[T]], %[[XHAT]]
  // CHECK: dfg.reduce sum %[[TX]] {dims = array<i64: 2>}
  // CHECK: %[[DX:.*]] = dfg.mul %[[RSTDS]]
  // CHECK: %[[PRODUCT:.*]] = dfg.mul %[[DY]], %[[XHAT]]
  // CHECK: %[[DGAMMA:.*]] = dfg.reduce sum %[[PRODUCT]] {dims = array<i64: 0, 1>}
  // CHECK: %[[DBETA:.*]] = dfg.reduce sum %[[DY]] {dims = array<i64: 0, 1>}
  // CHECK: return %[[DX]], %[[DGAMMA]], %[[DBETA]]
  %dx, %dgamma, %dbeta = dfg.layer_norm_grad %dy, %x, %mean, %rstd, %gamma
      : tensor<4x2x8xf32>, tensor<4x2x8xf32>, tensor<4x2xf32>,
        tensor<4x2xf32>, tensor<8xf32>
      -> tensor<4x2x8xf32>, tensor<8xf32>, tensor<8xf32>
  return %dx, %dgamma, %dbeta
      : tensor<4x2x8xf32>, tensor<8xf32>, tensor<8xf32>
}
