// RUN: orrery-opt --rank-schedule=microbatches=8 %s | FileCheck %s
// RUN: orrery-opt --rank-schedule=microbatches=2 %s | FileCheck %s --check-prefix=FEW
// 1F1B: stage r of 4 runs 3 - r forwards ahead and keeps 4 - r microbatches,
// but never more than there are.

// CHECK: rank.class @stage0
// CHECK-SAME: slots = array<i64: 4>
// CHECK-SAME: warmups = array<i64: 3>
// FEW: rank.class @stage0
// FEW-SAME: slots = array<i64: 2>
// FEW-SAME: warmups = array<i64: 3>
module attributes {dfg.mesh = #dfg.mesh<pp = 4, dp = 1, tp = 1>} {
  rank.class @stage0 attributes {stages = array<i64: 0>,
      first_layers = array<i64: 0>, warmups = array<i64: 0>,
      slots = array<i64: 1>} {
  }
  // CHECK: rank.schedule "train"
  // CHECK-NEXT: rank.phase first ["forward"]
  // CHECK-NEXT: rank.phase rest ["forward", "backward"]
  // CHECK-NEXT: rank.phase first ["backward"]
  // CHECK-NEXT: rank.phase once ["update"]
  // CHECK: rank.schedule "evaluate"
  // CHECK-NEXT: rank.phase all ["evaluate"]
  // CHECK-NEXT: rank.phase once ["evaluate_finish"]
  // CHECK: rank.class @"stage1-2"
  // CHECK-SAME: slots = array<i64: 3, 2>
  // CHECK-SAME: warmups = array<i64: 2, 1>
  rank.class @"stage1-2" attributes {stages = array<i64: 1, 2>,
      first_layers = array<i64: 2, 4>, warmups = array<i64: 0, 0>,
      slots = array<i64: 1, 1>} {
  }
}
