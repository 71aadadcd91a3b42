// dfg-localize: one rank's shapes, and collectives for reshards.
// RUN: orrery-opt %s --dfg-localize | FileCheck %s
// RUN: orrery-opt %s --dfg-localize --remark-format=emitRemark \
// RUN:   --remarks-filter="dfg-localize" 2>&1 >/dev/null \
// RUN:   | FileCheck %s --check-prefix=REMARK

#whole = #dfg.sharding<[_, _]>
#rows = #dfg.sharding<[tp, _]>
#columns = #dfg.sharding<[_, tp]>
#sum = #dfg.sharding<[_, _], partial sum [tp]>

module attributes {dfg.mesh = #dfg.mesh<pp = 1, dp = 2, tp = 2>} {
  // CHECK: dfg.parameter @w : tensor<4x4xf32>
  // CHECK-SAME: global_type = tensor<8x4xf32>
  dfg.parameter @w : tensor<8x4xf32> {role = "column", sharding = #rows,
      checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
      init_value = 0.0 : f64, weight_decay = true}

  // One collective for each kind of reshard.
  // CHECK-LABEL: func.func @collectives
  // CHECK-SAME: %[[X:.*]]: tensor<8x4xf32>
  // CHECK-SAME: -> (tensor<8x4xf32> {{.*}}, tensor<4x4xf32> {{.*}}, tensor<8x4xf32>
  // REMARK: dfg.all_reduce over tp of 128 bytes on each rank
  // REMARK: dfg.reduce_scatter over tp of 128 bytes on each rank
  func.func @collectives(%x: tensor<8x4xf32> {dfg.sharding = #sum})
      -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>,
          tensor<8x4xf32>) {
    // CHECK: %[[A:.*]] = dfg.all_reduce sum %[[X]] {axes = ["tp"]
    %0 = dfg.reshard %x from #sum to #whole {dfg.sharding = [#whole]}
        : tensor<8x4xf32>
    // CHECK: %[[B:.*]] = dfg.reduce_scatter %[[X]] {axes = ["tp"]{{.*}}dim = 0 : i64} : tensor<8x4xf32> -> tensor<4x4xf32>
    %1 = dfg.reshard %x from #sum to #rows {dfg.sharding = [#rows]}
        : tensor<8x4xf32>
    // CHECK: dfg.all_gather %[[B]] {axes = ["tp"]{{.*}}dim = 0 : i64} : tensor<4x4xf32> -> tensor<8x4xf32>
    %2 = dfg.reshard %1 from #rows to #whole {dfg.sharding = [#whole]}
        : tensor<8x4xf32>
    // CHECK: dfg.all_to_all %[[B]] {axes = ["tp"], concat = 0 : i64{{.*}}split = 1 : i64} : tensor<4x4xf32> -> tensor<8x2xf32>
    %3 = dfg.reshard %1 from #rows to #columns {dfg.sharding = [#columns]}
        : tensor<8x4xf32>
    // CHECK: dfg.all_slice %[[A]] {axes = ["tp"]{{.*}}dim = 1 : i64} : tensor<8x4xf32> -> tensor<8x2xf32>
    %4 = dfg.reshard %0 from #whole to #columns {dfg.sharding = [#columns]}
        : tensor<8x4xf32>
    // CHECK-NOT: dfg.reshard
    return %0, %1, %2, %3, %4 : tensor<8x4xf32>, tensor<8x4xf32>,
        tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>
  }

  // A lookup in a shard of the table starts at the shard's first row; a
  // dropout counts elements from its shard's first position.
  // CHECK-LABEL: func.func @offsets
  func.func @offsets(%t: tensor<8x4xf32> {dfg.sharding = #rows},
                     %ids: tensor<6x2xi32>
                         {dfg.sharding = #dfg.sharding<[_, dp]>}) {
    // CHECK: dfg.embedding {{.*}}first_row = #dfg.index<0 + tp * 4>} : tensor<4x4xf32>, tensor<6x1xi32> -> tensor<6x1x4xf32>
    %0 = dfg.embedding %t, %ids {first_row = #dfg.index<0>,
        dfg.factors = [["tp"], [], [], ["dp"]],
        dfg.sharding = [#dfg.sharding<[_, dp, _], partial sum [tp]>]}
        : tensor<8x4xf32>, tensor<6x2xi32> -> tensor<6x2x4xf32>
    // CHECK: dfg.dropout {{.*}}offset = [#dfg.index<0>, #dfg.index<0 + dp * 1>, #dfg.index<0>]
    // CHECK-NOT: dfg.factors
    %1 = dfg.dropout %0 {probability = 0.1 : f64, stream = "d",
        layer = -1 : i64, extent = array<i64: 6, 2, 4>,
        offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>],
        dfg.sharding = [#dfg.sharding<[_, dp, _], partial sum [tp]>]}
        : tensor<6x2x4xf32>
    return
  }

  // The functions of rank classes have their parameters beside them.
  // CHECK: module @stage0
  module @stage0 attributes {dfg.stages = array<i64: 0>} {
    // CHECK: dfg.parameter @w : tensor<4x4xf32>
    dfg.parameter @w : tensor<8x4xf32> {role = "column", sharding = #rows,
        checkpoint_name = "w", layer = -1 : i64, init_std = 0.02 : f64,
        init_value = 0.0 : f64, weight_decay = true}
    func.func @train() {
      // CHECK: dfg.weight @w {{.*}} : tensor<4x4xf32>
      %0 = dfg.weight @w {dfg.sharding = [#rows]} : tensor<8x4xf32>
      dfg.accumulate_grad @w, %0 {dfg.sharding = [#rows]} : tensor<8x4xf32>
      return
    }
  }
}
