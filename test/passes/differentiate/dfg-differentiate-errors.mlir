// RUN: orrery-opt --dfg-differentiate --split-input-file --verify-diagnostics %s
// RUN: not orrery-opt --dfg-differentiate=recompute-layers=-1 --split-input-file %s 2>&1 | FileCheck %s
// CHECK: error: recompute-layers is -1, the least is 0

// Nothing to differentiate.
// expected-error @below {{no function has a dfg.metric with 'objective'}}
module {
  func.func @train() {
    return
  }
}

// -----

// Two objectives.
module {
  func.func @train(%a: tensor<f32>) {
    // expected-note @below {{the first is here}}
    dfg.metric "loss", %a {objective, dfg.layer = 0 : i64} : tensor<f32>
    // expected-error @below {{is the second objective of @train, a function has at most one}}
    dfg.metric "other", %a {objective, dfg.layer = 0 : i64} : tensor<f32>
    return
  }
}

// -----

// A backward exists.
module {
  // expected-error @below {{has a backward already}}
  func.func @train(%a: tensor<f32>) {
    dfg.metric "loss", %a {objective, dfg.layer = 0 : i64} : tensor<f32>
    dfg.begin_backward
    return
  }
}

// -----

// An op without a backward between a weight and the objective.
module {
  dfg.parameter @w : tensor<4xf32> {role = "replicated", checkpoint_name = "w",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  func.func @train() {
    %w = dfg.weight @w {dfg.layer = 0 : i64} : tensor<4xf32>
    // expected-error @below {{lies between a weight and the objective, but has no backward}}
    %g = dfg.gelu_grad tanh %w, %w {dfg.layer = 0 : i64} : tensor<4xf32>
    %l = dfg.reduce sum %g {dims = array<i64: 0>, dfg.layer = 0 : i64}
        : tensor<4xf32> -> tensor<f32>
    dfg.metric "loss", %l {objective, dfg.layer = 0 : i64} : tensor<f32>
    return
  }
}
