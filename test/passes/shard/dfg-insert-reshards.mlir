// dfg-insert-reshards: every op becomes right locally.
// RUN: orrery-opt %s --dfg-propagate --dfg-insert-reshards | FileCheck %s
// RUN: orrery-opt %s --dfg-propagate --dfg-insert-reshards \
// RUN:   --remark-format=emitRemark --remarks-filter="dfg-insert-reshards" \
// RUN:   2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#rows = #dfg.sharding<[tp, _]>
#columns = #dfg.sharding<[_, tp]>
#whole = #dfg.sharding<[_, _]>

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 1, tp = 2>} {
  dfg.parameter @g : tensor<4xf32> {role = "replicated",
      sharding = #dfg.sharding<[_]>, checkpoint_name = "g", layer = -1 : i64,
      init_std = 0.0 : f64, init_value = 1.0 : f64, weight_decay = true}

  // A product over a split dimension is partial; exp is not linear. One
  // reshard serves both users.
  // CHECK-LABEL: func.func @resolve
  // REMARK: dfg.exp needs operand 0 as #dfg.sharding<[_, _]>, dfg.matmul gives it as #dfg.sharding<[_, _], partial sum [tp]>
  func.func @resolve(%x: tensor<4x8xf32> {dfg.sharding = #columns},
                     %w: tensor<8x4xf32> {dfg.sharding = #rows}) {
    // CHECK: %[[P:.*]] = dfg.matmul {{.*}}partial sum [tp]>
    %0 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    // CHECK: %[[R:.*]] = dfg.reshard %[[P]] from <[_, _], partial sum [tp]> to <[_, _]>
    // CHECK: dfg.exp %[[R]]
    // CHECK-NOT: dfg.reshard
    %1 = dfg.exp %0 : tensor<4x4xf32>
    // CHECK: dfg.log %[[R]]
    %2 = dfg.log %0 : tensor<4x4xf32>
    %3 = dfg.add %1, %2 : tensor<4x4xf32>
    dfg.send %3 {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<4x4xf32>
    return
  }

  // Two partial sums are added first, then reduced once.
  // CHECK-LABEL: func.func @merge
  func.func @merge(%x: tensor<4x8xf32> {dfg.sharding = #columns},
                   %w: tensor<8x4xf32> {dfg.sharding = #rows}) {
    %0 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    %1 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    // CHECK-NOT: dfg.reshard
    // CHECK: %[[S:.*]] = dfg.add {{.*}}partial sum [tp]>
    %2 = dfg.add %0, %1 : tensor<4x4xf32>
    // CHECK: dfg.reshard %[[S]]
    // CHECK-NOT: dfg.reshard
    %3 = dfg.exp %2 : tensor<4x4xf32>
    dfg.send %3 {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<4x4xf32>
    return
  }

  // One of the two is needed whole before: then both are reduced, or the sum
  // would be reduced a third time.
  // CHECK-LABEL: func.func @no_merge
  func.func @no_merge(%x: tensor<4x8xf32> {dfg.sharding = #columns},
                      %w: tensor<8x4xf32> {dfg.sharding = #rows}) {
    %0 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    %1 = dfg.exp %0 : tensor<4x4xf32>
    %2 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    // CHECK-COUNT-2: dfg.reshard
    // CHECK: dfg.add {{.*}}dfg.sharding = [#dfg.sharding<[_, _]>]
    // CHECK-NOT: dfg.reshard
    %3 = dfg.add %0, %2 : tensor<4x4xf32>
    %4 = dfg.add %1, %3 : tensor<4x4xf32>
    dfg.send %4 {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<4x4xf32>
    return
  }

  // A sum over rows is a quarter of the bytes: it is reduced behind it. The
  // product with a whole value commutes with the reduction.
  // CHECK-LABEL: func.func @fewest_bytes
  func.func @fewest_bytes(%x: tensor<4x8xf32> {dfg.sharding = #columns},
                          %w: tensor<8x4xf32> {dfg.sharding = #rows},
                          %y: tensor<4x4xf32> {dfg.sharding = #whole}) {
    %0 = dfg.matmul "ab,bc->ac" %x, %w
        : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
    // CHECK: dfg.mul {{.*}}partial sum [tp]>
    %1 = dfg.mul %0, %y : tensor<4x4xf32>
    // CHECK: %[[S:.*]] = dfg.reduce sum {{.*}}partial sum [tp]>
    %2 = dfg.reduce sum %1 {dims = array<i64: 0>}
        : tensor<4x4xf32> -> tensor<4xf32>
    // CHECK: dfg.reshard %[[S]] from <[_], partial sum [tp]> to <[_]>
    %3 = dfg.exp %2 : tensor<4xf32>
    dfg.accumulate_grad @g, %3 {dfg.sharding = [#dfg.sharding<[_]>]}
        : tensor<4xf32>
    return
  }

  // A gradient is summed over microbatches while partial, but all uses of a
  // parameter must agree: the second is whole, so the first is reduced.
  // CHECK-LABEL: func.func @gradients
  func.func @gradients(%x: tensor<6x4xf32> {dfg.sharding = #rows}) {
    // CHECK: dfg.accumulate_grad @g, {{.*}}<[_], partial sum [tp]>
    %0 = dfg.reduce sum %x {dims = array<i64: 0>}
        : tensor<6x4xf32> -> tensor<4xf32>
    dfg.accumulate_grad @g, %0 {dfg.sharding = [#dfg.sharding<[_]>]}
        : tensor<4xf32>
    return
  }
  // CHECK-LABEL: func.func @gradients_agree
  func.func @gradients_agree(%x: tensor<6x4xf32> {dfg.sharding = #rows},
                             %y: tensor<4xf32>
                                 {dfg.sharding = #dfg.sharding<[_]>}) {
    %0 = dfg.reduce sum %x {dims = array<i64: 0>}
        : tensor<6x4xf32> -> tensor<4xf32>
    // CHECK: %[[R:.*]] = dfg.reshard
    // CHECK: dfg.accumulate_grad @g, %[[R]] {dfg.sharding = [#dfg.sharding<[_]>]}
    dfg.accumulate_grad @g, %0 {dfg.sharding = [#dfg.sharding<[_]>]}
        : tensor<4xf32>
    // CHECK: dfg.accumulate_grad @g, {{.*}} {dfg.sharding = [#dfg.sharding<[_]>]}
    dfg.accumulate_grad @g, %y {dfg.sharding = [#dfg.sharding<[_]>]}
        : tensor<4xf32>
    return
  }

  // A maximum is reduced at once, even before a view; dead ops go.
  // CHECK-LABEL: func.func @maximum
  func.func @maximum(%x: tensor<4x8xf32> {dfg.sharding = #columns}) {
    // CHECK: %[[M:.*]] = dfg.reduce max {{.*}}<[_], partial max [tp]>
    %0 = dfg.reduce max %x {dims = array<i64: 1>}
        : tensor<4x8xf32> -> tensor<4xf32>
    // CHECK-NEXT: %[[R:.*]] = dfg.reshard %[[M]]
    // CHECK-NEXT: dfg.reshape %[[R]]
    %1 = dfg.reshape %0 : tensor<4xf32> to tensor<2x2xf32>
    // CHECK-NOT: dfg.exp
    %2 = dfg.exp %1 : tensor<2x2xf32>
    dfg.send %1 {delta = 1 : i64, dfg.sharding = [#whole]} : tensor<2x2xf32>
    return
  }

  // Zeros may be added to a partial sum as they are.
  // CHECK-LABEL: func.func @zeros
  func.func @zeros(%x: tensor<6x4xf32> {dfg.sharding = #rows}) {
    %0 = dfg.reduce sum %x {dims = array<i64: 0>}
        : tensor<6x4xf32> -> tensor<4xf32>
    %zero = dfg.constant 0.0 : tensor<4xf32>
    // CHECK: dfg.add {{.*}}partial sum [tp]>
    %1 = dfg.add %0, %zero : tensor<4xf32>
    dfg.accumulate_grad @g, %1 {dfg.sharding = [#dfg.sharding<[_]>]}
        : tensor<4xf32>
    return
  }
}
