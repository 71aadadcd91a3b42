// RUN: orrery-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{mesh axis 'tp' occurs twice}}
module @mesh_c1 attributes {dfg.mesh = #dfg.mesh<tp = 2, tp = 4>} {}

// -----

// expected-error @+1 {{mesh axis 'tp' has size 0, the least is 1}}
module @mesh_c2 attributes {dfg.mesh = #dfg.mesh<tp = 0>} {}

// -----

// expected-error @+1 {{axis "tp" occurs twice in a sharding}}
module @sharding_c1 attributes {test = #dfg.sharding<[tp, tp]>} {}

// -----

// expected-error @+1 {{expected 'sum' or 'max', got 'min'}}
module @sharding_kind attributes {test = #dfg.sharding<[_], partial min [tp]>} {}

// -----

// expected-error @+1 {{'builtin.module' op 'dfg.mesh' is 4 : i64, must be #dfg.mesh}}
module attributes {dfg.mesh = 4} {}

// -----

func.func @layer(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.exp' op 'dfg.layer' is "first", must be an integer}}
  %0 = dfg.exp %x {dfg.layer = "first"} : tensor<8xf32>
  return
}

// -----

func.func @sharding_count(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.exp' op 'dfg.sharding' is [], must be an array of 1}}
  %0 = dfg.exp %x {dfg.sharding = []} : tensor<8xf32>
  return
}

// -----

func.func @sharding_rank(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.exp' op sharding #dfg.sharding<[_, tp]> has 2 dimensions, the value is of type 'tensor<8xf32>'}}
  %0 = dfg.exp %x {dfg.sharding = [#dfg.sharding<[_, tp]>]} : tensor<8xf32>
  return
}

// -----

module attributes {dfg.mesh = #dfg.mesh<tp = 2>} {
// expected-error @+1 {{'func.func' op sharding #dfg.sharding<[dp]> names axis "dp", which the mesh #dfg.mesh<tp = 2> lacks}}
func.func @sharding_axis(%x: tensor<8xf32> {dfg.sharding = #dfg.sharding<[dp]>}) {
  return
}
}

// -----

// expected-error @+1 {{'func.func' op 'dfg.input' of argument 0 is 3 : i64, must be a string}}
func.func @input(%x: tensor<8xf32> {dfg.input = 3}) {
  return
}
