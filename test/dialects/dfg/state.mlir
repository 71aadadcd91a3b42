// Round trip of parameters, gradients, metrics, buckets and flat reductions.
// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// RUN: orrery-opt %s --mlir-print-op-generic | orrery-opt | FileCheck %s

module attributes {dfg.mesh = #dfg.mesh<pp = 2, tp = 2>} {

// CHECK: dfg.parameter @w : tensor<32x32xf32> {
// CHECK-SAME: global_type = tensor<64x32xf32>,
// CHECK-SAME: owners = array<i64: 0, 1>, role = "column",
// CHECK-SAME: sharding = #dfg.sharding<[tp, _]>, tied, weight_decay = true}
dfg.parameter @w : tensor<32x32xf32> {role = "column",
    checkpoint_name = "layers.{layer}.w", layer = 0 : i64, init_std = 0.02 : f64,
    init_value = 0.0 : f64, weight_decay = true, tied,
    owners = array<i64: 0, 1>, sharding = #dfg.sharding<[tp, _]>,
    global_type = tensor<64x32xf32>}
// CHECK: dfg.parameter @b : tensor<32xf32> {
dfg.parameter @b : tensor<32xf32> {role = "replicated", checkpoint_name = "b",
    layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64,
    weight_decay = false}
// CHECK: dfg.bucket @all : tensor<1088xf32> {offsets = array<i64: 0, 1024>,
// CHECK-SAME: parameters = [@w, @b], states = ["exp_avg"], weight_decay = true}
dfg.bucket @all : tensor<1088xf32> {parameters = [@w, @b],
    offsets = array<i64: 0, 1024>, states = ["exp_avg"], weight_decay = true}

// CHECK-LABEL: func.func @train
func.func @train() {
  // CHECK: %[[W:.*]] = dfg.weight @w : tensor<32x32xf32>
  %0 = dfg.weight @w : tensor<32x32xf32>
  // CHECK: %[[SEED:.*]] = dfg.scalar "loss_seed" : tensor<f32>
  %1 = dfg.scalar "loss_seed" : tensor<f32>
  // CHECK: dfg.metric "lm_loss", %[[SEED]] {objective} : tensor<f32>
  dfg.metric "lm_loss", %1 {objective} : tensor<f32>
  // CHECK: dfg.accumulate_grad @w, %[[W]] : tensor<32x32xf32>
  dfg.accumulate_grad @w, %0 : tensor<32x32xf32>
  return
}

// CHECK-LABEL: func.func @update
func.func @update() {
  // CHECK: %[[G:.*]] = dfg.bucket_read @all "gradient" : tensor<1088xf32>
  %g = dfg.bucket_read @all "gradient" : tensor<1088xf32>
  // CHECK: dfg.square_sum %[[G]] : tensor<1088xf32> -> tensor<f64>
  %0 = dfg.square_sum %g : tensor<1088xf32> -> tensor<f64>
  // CHECK: dfg.count_zeros %[[G]] : tensor<1088xf32> -> tensor<f64>
  %1 = dfg.count_zeros %g : tensor<1088xf32> -> tensor<f64>
  // CHECK: dfg.count_not_finite %[[G]] : tensor<1088xf32> -> tensor<f64>
  %2 = dfg.count_not_finite %g : tensor<1088xf32> -> tensor<f64>
  // CHECK: dfg.bucket_write @all "exp_avg", %[[G]] : tensor<1088xf32>
  dfg.bucket_write @all "exp_avg", %g : tensor<1088xf32>
  // CHECK: %[[L:.*]] = dfg.metric_read "lm_loss" : tensor<f32>
  %3 = dfg.metric_read "lm_loss" : tensor<f32>
  // CHECK: dfg.metric_write "lm_loss", %[[L]] : tensor<f32>
  dfg.metric_write "lm_loss", %3 : tensor<f32>
  return
}
}
