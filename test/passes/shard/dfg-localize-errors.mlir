// dfg-localize refuses states under which an op would be wrong.
// RUN: orrery-opt %s --dfg-localize --split-input-file --verify-diagnostics

// expected-error@+1 {{has no mesh}}
module {
}

// -----

// The operands are split differently.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  func.func @train(%x: tensor<6x4xf32> {dfg.sharding = #dfg.sharding<[tp, _]>},
                   %y: tensor<6x4xf32> {dfg.sharding = #dfg.sharding<[_, _]>}) {
    // expected-error@+1 {{cannot run on shards: operand 1 lies as #dfg.sharding<[_, _]>, its factors need #dfg.sharding<[tp, _]>}}
    %0 = dfg.add %x, %y {dfg.sharding = [#dfg.sharding<[tp, _]>]}
        : tensor<6x4xf32>
    return
  }
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  // expected-error@+1 {{splits dimension 1 of size 3 into 2 parts, which does not divide evenly}}
  func.func @train(%x: tensor<6x3xf32>
                       {dfg.sharding = #dfg.sharding<[_, tp]>}) {
    return
  }
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  func.func @train(%x: tensor<6x4xf32>
                       {dfg.sharding = #dfg.sharding<[tp, _]>}) {
    // expected-error@+1 {{result 0 has no dfg.sharding}}
    %0 = dfg.exp %x : tensor<6x4xf32>
    return
  }
}

// -----

// A program becomes local once.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  // expected-error@+1 {{is local already: global_type is 'tensor<8x4xf32>'}}
  dfg.parameter @w : tensor<4x4xf32> {role = "column",
      sharding = #dfg.sharding<[tp, _]>, global_type = tensor<8x4xf32>,
      checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}
}
