// RUN: orrery-opt --dfg-update --split-input-file --verify-diagnostics %s
// RUN: not orrery-opt --dfg-update=optimizer=lamb --split-input-file %s 2>&1 | FileCheck %s --check-prefix=OPTIMIZER
// RUN: not orrery-opt --dfg-update=clip=-1 --split-input-file %s 2>&1 | FileCheck %s --check-prefix=CLIP
// OPTIMIZER: error: optimizer is lamb, it must be adam or sgd
// CLIP: error: clip is -1.0{{.*}}, it must be 0 (no clipping) or larger

// expected-error @below {{has no rank class; run dfg-stage first}}
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
}

// -----

// expected-error @below {{has no 'dfg.mesh'}}
module {
  module @stage0 {
  }
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 1>} {
  // expected-error @below {{has an @update already}}
  module @stage0 {
    func.func @update() {
      return
    }
  }
}

// -----

// Two uses leave gradients that cannot be added.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  module @stage0 {
    dfg.parameter @w : tensor<4xf32> {role = "replicated",
        checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    func.func @train(%a: tensor<4xf32>) {
      // expected-note @below {{the other is here}}
      dfg.accumulate_grad @w, %a {dfg.sharding =
          [#dfg.sharding<[_], partial sum [dp]>]} : tensor<4xf32>
      // expected-error @below {{adds a gradient in state #dfg.sharding<[_], partial sum [dp, tp]> to one in state #dfg.sharding<[_], partial sum [dp]>; a sum needs one state}}
      dfg.accumulate_grad @w, %a {dfg.sharding =
          [#dfg.sharding<[_], partial sum [dp, tp]>]} : tensor<4xf32>
      return
    }
  }
}

// -----

// A gradient that lies elsewhere than its parameter.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  module @stage0 {
    // expected-note @below {{the parameter}}
    dfg.parameter @w : tensor<4xf32> {role = "replicated",
        checkpoint_name = "w", layer = 0 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    func.func @train(%a: tensor<4xf32>) {
      // expected-error @below {{has a gradient placed as #dfg.sharding<[tp]>, its parameter is placed as #dfg.sharding<[_]>}}
      dfg.accumulate_grad @w, %a {dfg.sharding =
          [#dfg.sharding<[tp]>]} : tensor<4xf32>
      return
    }
  }
}

// -----

// A tied parameter in a class of two stages: its owner is not one program.
module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 1>} {
  module @both attributes {dfg.stages = array<i64: 0, 1>} {
    // expected-error @below {{is tied, so its rank class must have exactly one stage}}
    dfg.parameter @table : tensor<4xf32> {role = "replicated",
        checkpoint_name = "table", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true, tied,
        owners = array<i64: 0, 1>}
  }
}
