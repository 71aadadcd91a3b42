// dfg-insert-reshards refuses programs without seeds.
// RUN: orrery-opt %s --dfg-insert-reshards --split-input-file \
// RUN:   --verify-diagnostics

// expected-error@+1 {{has no mesh}}
module {
}

// -----

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  // expected-error@+1 {{argument 0 has no dfg.sharding; run dfg-seed and dfg-propagate first}}
  func.func @train(%x: tensor<6x4xf32>) {
    return
  }
}

// -----

// What dfg-propagate wrote must fit the op.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  func.func @train(%x: tensor<6x4xf32> {dfg.sharding = #dfg.sharding<[_, _]>})
      -> tensor<6x4xf32> {
    // expected-error@+1 {{has dfg.factors [["tp"]], which does not fit its 2 factors}}
    %0 = dfg.exp %x {dfg.factors = [["tp"]]} : tensor<6x4xf32>
    return %0 : tensor<6x4xf32>
  }
}

// -----

// A collective has no factor rule: programs become local once.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  func.func @train(%x: tensor<6x4xf32> {dfg.sharding = #dfg.sharding<[_, _]>})
      -> tensor<6x4xf32> {
    // expected-error@+1 {{has no factor rule and no recorded operand state, so it cannot be made local}}
    %0 = dfg.all_reduce sum %x {axes = ["tp"]} : tensor<6x4xf32>
    return %0 : tensor<6x4xf32>
  }
}
