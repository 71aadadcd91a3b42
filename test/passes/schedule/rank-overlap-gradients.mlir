// RUN: orrery-opt --rank-overlap-gradients=piece-bytes=512 %s | FileCheck %s
// A gradient of 256 f32 in two pieces of 512 bytes; the upper half is complete
// first and starts on its way first.

module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 2, tp = 1>} {
  rank.communicator @dp {axes = ["dp"]}
  rank.communicator @pp {axes = ["pp"]}
  // CHECK-LABEL: rank.class @moves
  rank.class @moves attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<256xf32> {slots = 1 : i64}
    rank.buffer work @w : memref<128xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    rank.program @backward {
      // CHECK: rank.copy
      %0 = rank.view @w at 0 : memref<128xf32>
      %1 = rank.view @g at 128 : memref<128xf32>
      rank.copy %0 -> %1 : memref<128xf32>, memref<128xf32>
      // CHECK-NEXT: %[[UPPER:.+]] = rank.view @g at 128 : memref<128xf32>
      // CHECK-NEXT: rank.collective all_reduce sum @dp %[[UPPER]] -> %[[UPPER]]
      // CHECK-SAME: rank.last_run_only, rank.stream = 1
      // CHECK: rank.copy
      %2 = rank.view @g at 0 : memref<128xf32>
      rank.copy %0 -> %2 : memref<128xf32>, memref<128xf32>
      // CHECK-NEXT: %[[LOWER:.+]] = rank.view @g at 0 : memref<128xf32>
      // CHECK-NEXT: rank.collective all_reduce sum @dp %[[LOWER]] -> %[[LOWER]]
    }
    // CHECK: rank.program @update
    // CHECK-NOT: all_reduce
    // CHECK: rank.fill
    rank.program @update {
      %0 = rank.view @g at 0 : memref<256xf32>
      rank.collective all_reduce sum @dp %0 -> %0 {dim = 0 : i64,
          concat = 0 : i64} : memref<256xf32>, memref<256xf32>
      rank.fill %0 {value = 0.0 : f64} : memref<256xf32>
    }
  }
  // A sum over stages stays, and so does one of a gradient that was changed
  // since the backward.
  // CHECK-LABEL: rank.class @stays
  rank.class @stays attributes {stages = array<i64: 1>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
    rank.buffer gradient @g : memref<256xf32> {slots = 1 : i64}
    rank.buffer gradient @h : memref<256xf32> {slots = 1 : i64}
    // CHECK: rank.program @backward
    // CHECK-NOT: all_reduce
    rank.program @backward {
    }
    // CHECK: rank.program @update
    rank.program @update {
      %0 = rank.view @g at 0 : memref<256xf32>
      // CHECK: rank.collective all_reduce sum @pp
      rank.collective all_reduce sum @pp %0 -> %0 {dim = 0 : i64,
          concat = 0 : i64} : memref<256xf32>, memref<256xf32>
      %1 = rank.view @h at 0 : memref<256xf32>
      rank.fill %1 {value = 0.0 : f64} : memref<256xf32>
      // CHECK: rank.collective all_reduce sum @dp
      rank.collective all_reduce sum @dp %1 -> %1 {dim = 0 : i64,
          concat = 0 : i64} : memref<256xf32>, memref<256xf32>
    }
  }
}
