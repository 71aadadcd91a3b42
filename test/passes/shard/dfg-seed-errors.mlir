// dfg-seed refuses sizes that do not divide, and names the nearest that do.
// RUN: orrery-opt %s --dfg-seed=sequence-parallel=true --split-input-file \
// RUN:   --verify-diagnostics

// expected-error@+1 {{has no mesh}}
module {
}

// -----

// A column parameter of 7 rows has no two equal parts.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  // expected-error@+1 {{cannot split the column dimension of a parameter (dimension 0) of size 7 evenly over axis tp of size 2; the nearest legal size is 8}}
  dfg.parameter @w : tensor<7x4xf32> {role = "column", checkpoint_name = "w",
      layer = -1 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
}

// -----

// Three samples for two replicas.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 1>} {
  // expected-error@+1 {{cannot split the samples of input 'tokens' (dimension 1) of size 3 evenly over axis dp of size 2; the nearest legal size is 4}}
  func.func @train(%tokens: tensor<6x3xi32> {dfg.input = "tokens"}) {
    return
  }
}

// -----

// Sequence parallelism needs a sequence that tp divides.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 4>} {
  func.func @train(%x: tensor<6x3x4xf32>) {
    // expected-error@+1 {{cannot split the sequence (dimension 0) of size 6 evenly over axis tp of size 4; the nearest legal size is 8}}
    %0 = dfg.exp %x {dfg.residual} : tensor<6x3x4xf32>
    return
  }
}

// -----

// The residual stream has positions and samples.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  func.func @train(%x: tensor<6xf32>) {
    // expected-error@+1 {{is on the residual stream, whose values are [position, sample, …]; this one has rank 1}}
    %0 = dfg.exp %x {dfg.residual} : tensor<6xf32>
    return
  }
}
