// dfg-propagate refuses what cannot be split evenly.
// RUN: orrery-opt %s --dfg-propagate --split-input-file --verify-diagnostics

// expected-error@+1 {{has no mesh}}
module {
}

// -----

// Three heads on two ranks, though their features together divide.
module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  func.func @heads(%x: tensor<6x12xf32>
                       {dfg.sharding = #dfg.sharding<[_, tp]>}) {
    // expected-error@+1 {{cannot split a factor of size 3 evenly over axis tp of size 2; the nearest legal size is 4; it is a part of operand 0}}
    %0 = dfg.reshape %x : tensor<6x12xf32> to tensor<6x3x4xf32>
    return
  }
}
