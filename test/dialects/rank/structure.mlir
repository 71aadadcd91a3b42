// RUN: orrery-opt %s | orrery-opt | FileCheck %s
// The structure of a rank class survives printing and parsing.

// CHECK: rank.communicator @tp {axes = ["tp"]}
rank.communicator @tp {axes = ["tp"]}
// CHECK: rank.communicator @pp_0_3 {axes = ["pp"], only = array<i64: 0, 3>}
rank.communicator @pp_0_3 {axes = ["pp"], only = array<i64: 0, 3>}

// CHECK-LABEL: rank.class @stage0
rank.class @stage0 attributes {stages = array<i64: 0, 1>,
    first_layers = array<i64: 0, 2>, warmups = array<i64: 1, 0>,
    slots = array<i64: 2, 1>} {
  // CHECK: rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  rank.buffer weight @w : memref<64xf32> {slots = 1 : i64}
  rank.buffer gradient @g : memref<64xf32> {slots = 1 : i64}
  // CHECK: rank.buffer input @t : memref<4x2xi32> {label = "tokens", slots = 0 : i64}
  rank.buffer input @t : memref<4x2xi32> {label = "tokens", slots = 0 : i64}
  // CHECK: rank.bucket @decayed {buffers = [@w, @g], elements = 64 : i64, fields = ["weight", "gradient"], weight_decay = true}
  rank.bucket @decayed {fields = ["weight", "gradient"], buffers = [@w, @g],
      weight_decay = true, elements = 64 : i64}
  // CHECK: rank.parameter "layers.{layer}.w" in @decayed at 0
  rank.parameter "layers.{layer}.w" in @decayed at 0 {layer = 0 : i64,
      global_shape = array<i64: 8, 16>, init_std = 0.02 : f64,
      init_value = 0.0 : f64, owner = true,
      sharding = #dfg.sharding<[tp, _]>}
  // CHECK: rank.program @forward
  rank.program @forward {
  }
  // CHECK: rank.schedule "train"
  rank.schedule "train" {
    // CHECK: rank.phase first ["forward"]
    rank.phase first ["forward"]
    // CHECK: rank.phase rest ["forward", "backward"]
    rank.phase rest ["forward", "backward"]
    // CHECK: rank.phase once ["update"]
    rank.phase once ["update"]
  }
}
