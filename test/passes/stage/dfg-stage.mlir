// RUN: orrery-opt --dfg-stage --split-input-file %s | FileCheck %s

// Two layers on two stages with a table that both ends read: messages at the
// ends, indices relative, arguments where they are used, owners of the table.
// CHECK:       module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>}
// CHECK-NOT:   dfg.parameter
// CHECK:       module @stage0 attributes {dfg.first_layers = array<i64: 0>, dfg.stages = array<i64: 0>}
// CHECK:         dfg.parameter @table {{.*}}owners = array<i64: 0, 1>{{.*}}tied
// CHECK:         dfg.parameter @layers.0.w
// CHECK:         func.func @train(%[[X:.*]]: tensor<4xf32> {dfg.input = "x"})
// CHECK:           %[[Y:.*]] = dfg.dropout {{.*}}dfg.layer = 0 : i64{{.*}}layer = 0 : i64
// CHECK-NEXT:      dfg.send %[[Y]] {delta = 1 : i64, dfg.layer = 0 : i64}
// CHECK-NEXT:      dfg.begin_backward
// CHECK-NEXT:      %[[DY:.*]] = dfg.receive {delta = 1 : i64, dfg.layer = 0 : i64}
// CHECK-NEXT:      dfg.accumulate_grad @layers.0.w, %[[DY]]
// CHECK-NEXT:      return
// CHECK:       module @stage1 attributes {dfg.first_layers = array<i64: 1>, dfg.stages = array<i64: 1>}
// CHECK:         dfg.parameter @table
// CHECK:         dfg.parameter @layers.0.w {{.*}}checkpoint_name = "layers.{layer}.w"{{.*}}layer = 0 : i64
// CHECK:         func.func @train(%[[L:.*]]: tensor<4x2x3xf32> {dfg.input = "label"})
// CHECK-NEXT:      %[[R:.*]] = dfg.receive {delta = -1 : i64, dfg.layer = 0 : i64}
// CHECK-NEXT:      dfg.weight @layers.0.w {dfg.layer = 0 : i64}
// CHECK-NEXT:      %[[Z:.*]] = dfg.mul %[[R]]
// CHECK:           dfg.weight @table {dfg.layer = 1 : i64}
// CHECK:           dfg.begin_backward
// CHECK:           %[[D:.*]] = dfg.mul %{{.*}}, %[[R]]
// CHECK-NEXT:      dfg.accumulate_grad @layers.0.w, %[[D]]
// CHECK-NEXT:      dfg.send %[[D]] {delta = -1 : i64, dfg.layer = 0 : i64}
// CHECK-NEXT:      return
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>} {
  dfg.parameter @table : tensor<4xf32> {role = "replicated",
      checkpoint_name = "table", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
  dfg.parameter @w_a : tensor<4x2x3xf32> {role = "replicated",
      checkpoint_name = "layers.{layer}.w", layer = 0 : i64,
      init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
  dfg.parameter @w_b : tensor<4x2x3xf32> {role = "replicated",
      checkpoint_name = "layers.{layer}.w", layer = 1 : i64,
      init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
  func.func @train(%x: tensor<4xf32> {dfg.input = "x"},
                   %label: tensor<4x2x3xf32> {dfg.input = "label"}) {
    %t = dfg.weight @table {dfg.layer = -1 : i64} : tensor<4xf32>
    %e = dfg.mul %x, %t {dfg.layer = -1 : i64} : tensor<4xf32>
    %a = dfg.weight @w_a {dfg.layer = 0 : i64} : tensor<4x2x3xf32>
    %b = dfg.broadcast %e {dims = array<i64: 0>, dfg.layer = 0 : i64}
        : tensor<4xf32> to tensor<4x2x3xf32>
    %p = dfg.mul %a, %b {dfg.layer = 0 : i64} : tensor<4x2x3xf32>
    %y = dfg.dropout %p {dfg.layer = 0 : i64, probability = 0.1 : f64,
        stream = "layers.{layer}.dropout", layer = 0 : i64,
        extent = array<i64: 4, 2, 3>,
        offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]}
        : tensor<4x2x3xf32>
    %w = dfg.weight @w_b {dfg.layer = 1 : i64} : tensor<4x2x3xf32>
    %z = dfg.mul %y, %w {dfg.layer = 1 : i64} : tensor<4x2x3xf32>
    %u = dfg.weight @table {dfg.layer = 2 : i64} : tensor<4xf32>
    %v = dfg.broadcast %u {dims = array<i64: 0>, dfg.layer = 2 : i64}
        : tensor<4xf32> to tensor<4x2x3xf32>
    dfg.begin_backward {dfg.layer = 2 : i64}
    %g = dfg.mul %v, %label {dfg.layer = 2 : i64} : tensor<4x2x3xf32>
    %d = dfg.mul %g, %y {dfg.layer = 1 : i64} : tensor<4x2x3xf32>
    dfg.accumulate_grad @w_b, %d {dfg.layer = 1 : i64} : tensor<4x2x3xf32>
    dfg.accumulate_grad @w_a, %d {dfg.layer = 0 : i64} : tensor<4x2x3xf32>
    return
  }
}

// -----

// Four stages of one layer each: the two in the middle run one program.
// CHECK:       module @stage0
// CHECK:       module @"stage1-2" attributes {dfg.first_layers = array<i64: 1, 2>, dfg.stages = array<i64: 1, 2>}
// CHECK:         func.func @evaluate()
// CHECK-NEXT:      %[[R:.*]] = dfg.receive {delta = -1 : i64, dfg.layer = 0 : i64}
// CHECK-NEXT:      %[[E:.*]] = dfg.exp %[[R]] {dfg.layer = 0 : i64}
// CHECK-NEXT:      dfg.send %[[E]] {delta = 1 : i64, dfg.layer = 0 : i64}
// CHECK:       module @stage3
module attributes {dfg.mesh = #dfg.mesh<pp = 4, dp = 1, tp = 1>} {
  func.func @evaluate(%x: tensor<f32> {dfg.input = "x"}) {
    %0 = dfg.exp %x {dfg.layer = 0 : i64} : tensor<f32>
    %1 = dfg.exp %0 {dfg.layer = 1 : i64} : tensor<f32>
    %2 = dfg.exp %1 {dfg.layer = 2 : i64} : tensor<f32>
    %3 = dfg.exp %2 {dfg.layer = 3 : i64} : tensor<f32>
    dfg.metric "loss", %3 {dfg.layer = 4 : i64} : tensor<f32>
    return
  }
}

// -----

// Without a pipeline there is one stage and no message.
// CHECK:       module @stage0 attributes {dfg.first_layers = array<i64: 0>, dfg.stages = array<i64: 0>}
// CHECK-NOT:   dfg.send
// CHECK:       dfg.metric
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  func.func @evaluate(%x: tensor<f32> {dfg.input = "x"}) {
    %0 = dfg.exp %x {dfg.layer = 0 : i64} : tensor<f32>
    dfg.metric "loss", %0 {dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}
