// RUN: orrery-opt %s -split-input-file -verify-diagnostics
// Structures that the verifiers refuse.

// communicator_c1
// expected-error@+1 {{'rank.communicator' op restricts coordinates of one axis but names 2 axes}}
rank.communicator @both {axes = ["pp", "tp"], only = array<i64: 0>}

// -----

// class_c1
// expected-error@+1 {{'rank.class' op needs one entry per member in each of stages (2), first_layers (1), warmups (2), slots (2)}}
rank.class @stage0 attributes {stages = array<i64: 0, 1>,
    first_layers = array<i64: 0>, warmups = array<i64: 1, 0>,
    slots = array<i64: 2, 1>} {
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  // bucket_c1
  // expected-error@+1 {{'rank.bucket' op has 2 fields but 1 buffers}}
  rank.bucket @b {fields = ["weight", "gradient"], buffers = [@w],
      weight_decay = true, elements = 64 : i64}
}

// -----

rank.class @stage0 attributes {stages = array<i64: 0>,
    first_layers = array<i64: 0>, warmups = array<i64: 0>,
    slots = array<i64: 1>} {
  rank.buffer work @a : memref<4x8xf32> {slots = 1 : i64}
  rank.program @forward {
    %0 = rank.view @a at 0 : memref<4x8xf32>
    // launch_c2
    // expected-error@+1 {{'rank.launch' op input 0 is 'memref<4x8xf32>', its region has 'tensor<4x4xf32>'}}
    rank.launch (%0) -> (%0) : (memref<4x8xf32>) -> memref<4x8xf32> {
    ^bb0(%x: tensor<4x4xf32>):
      %y = dfg.fused shape [4, 4] ins(%x : tensor<4x4xf32>) {
      ^bb0(%z: tensor<4x4xf32>):
        dfg.yield %z : tensor<4x4xf32>
      } : tensor<4x4xf32>
    }
  }
}
