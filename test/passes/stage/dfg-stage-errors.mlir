// RUN: orrery-opt --dfg-stage --split-input-file --verify-diagnostics %s

// Layers that do not divide.
// expected-error @below {{cannot divide 3 layers into 2 equal stages; nearest legal choices: 1 stages or 4 layers}}
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>} {
  func.func @train(%x: tensor<f32>) {
    dfg.metric "loss", %x {dfg.layer = 3 : i64} : tensor<f32>
    return
  }
}

// -----

// expected-error @below {{has no 'dfg.mesh'}}
module {
  func.func @train() {
    return
  }
}

// -----

// An op that belongs nowhere.
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>} {
  func.func @train(%x: tensor<f32>) {
    // expected-error @below {{has no 'dfg.layer', so it has no stage}}
    dfg.metric "loss", %x : tensor<f32>
    return
  }
}

// -----

// A value that skips a stage.
module attributes {dfg.mesh = #dfg.mesh<pp = 3, dp = 1, tp = 1>} {
  func.func @train(%x: tensor<f32>) {
    // expected-note @below {{the value is made here}}
    %0 = dfg.exp %x {dfg.layer = 0 : i64} : tensor<f32>
    %1 = dfg.exp %0 {dfg.layer = 1 : i64} : tensor<f32>
    // expected-error @below {{of stage 2 reads a forward value of stage 0; it can come from stage 1 only}}
    %2 = dfg.add %0, %1 {dfg.layer = 2 : i64} : tensor<f32>
    dfg.metric "loss", %2 {dfg.layer = 3 : i64} : tensor<f32>
    return
  }
}

// -----

// A gradient that travels forwards.
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>} {
  func.func @train(%x: tensor<f32>) {
    dfg.metric "loss", %x {dfg.layer = 2 : i64} : tensor<f32>
    dfg.begin_backward {dfg.layer = 2 : i64}
    // expected-note @below {{the value is made here}}
    %0 = dfg.exp %x {dfg.layer = 0 : i64} : tensor<f32>
    // expected-error @below {{of stage 1 reads a backward value of stage 0; it can come from stage 2 only}}
    %1 = dfg.exp %0 {dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}

// -----

// A parameter that nothing reads.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  // expected-error @below {{is not read by any stage}}
  dfg.parameter @w : tensor<4xf32> {role = "replicated", checkpoint_name = "w",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  func.func @train(%x: tensor<f32>) {
    dfg.metric "loss", %x {dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}
