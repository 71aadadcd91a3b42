// RUN: orrery-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'dfg.parameter' op role is "columns", must be "column", "row", "vocabulary" or "replicated"}}
dfg.parameter @parameter_c1 : tensor<8xf32> {role = "columns", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}

// -----

// expected-error @+1 {{'dfg.parameter' op type is 'tensor<8xi32>', must be a floating-point tensor of static shape}}
dfg.parameter @parameter_c2 : tensor<8xi32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}

// -----

module attributes {dfg.mesh = #dfg.mesh<tp = 2>} {
// expected-error @+1 {{'dfg.parameter' op type is 'tensor<8xf32>', the sharding of 'tensor<8xf32>' leaves 'tensor<4xf32>'}}
dfg.parameter @parameter_c3 : tensor<8xf32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true, sharding = #dfg.sharding<[tp]>, global_type = tensor<8xf32>}
}

// -----

func.func @weight_c1_missing() {
  // expected-error @+1 {{'dfg.weight' op names the parameter @w, which does not exist}}
  %0 = dfg.weight @w : tensor<8xf32>
  return
}

// -----

// expected-note @+1 {{the parameter is declared here}}
dfg.parameter @w : tensor<8xf32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}
func.func @weight_c1_shape() {
  // expected-error @+1 {{'dfg.weight' op result has shape 9, the parameter has 8}}
  %0 = dfg.weight @w : tensor<9xf32>
  return
}

// -----

// expected-note @+1 {{the parameter is declared here}}
dfg.parameter @w : tensor<8xf32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}
func.func @accumulate_grad_c1(%g: tensor<2x4xf32>) {
  // expected-error @+1 {{'dfg.accumulate_grad' op grad has shape 2x4, the parameter has 8}}
  dfg.accumulate_grad @w, %g : tensor<2x4xf32>
  return
}

// -----

func.func @scalar_c1() {
  // expected-error @+1 {{'dfg.scalar' op result has 1 dimensions, must have 0}}
  %0 = dfg.scalar "lr" : tensor<1xf32>
  return
}

// -----

func.func @metric_c1(%x: tensor<2xf32>) {
  // expected-error @+1 {{'dfg.metric' op value has 1 dimensions, must have 0}}
  dfg.metric "lm_loss", %x : tensor<2xf32>
  return
}

// -----

func.func @metric_read_c1() {
  // expected-error @+1 {{'dfg.metric_read' op result has 2 dimensions, must have 0}}
  %0 = dfg.metric_read "lm_loss" : tensor<2x2xf32>
  return
}

// -----

func.func @metric_write_c1(%x: tensor<2xf32>) {
  // expected-error @+1 {{'dfg.metric_write' op value has 1 dimensions, must have 0}}
  dfg.metric_write "lm_loss", %x : tensor<2xf32>
  return
}

// -----

// expected-error @+1 {{'dfg.bucket' op type is 'tensor<4x4xf32>', must be a tensor of one dimension}}
dfg.bucket @bucket_c1 : tensor<4x4xf32> {parameters = [], offsets = array<i64>, states = [], weight_decay = true}

// -----

// expected-error @+1 {{'dfg.bucket' op has 1 parameters and 2 offsets}}
dfg.bucket @bucket_c2 : tensor<16xf32> {parameters = [@w], offsets = array<i64: 0, 8>, states = [], weight_decay = true}

// -----

// expected-error @+1 {{'dfg.bucket' op names the parameter @w, which does not exist}}
dfg.bucket @bucket_c3 : tensor<16xf32> {parameters = [@w], offsets = array<i64: 0>, states = [], weight_decay = true}

// -----

dfg.parameter @w : tensor<8xf32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}
// expected-error @+1 {{'dfg.bucket' op parameter @w starts at 4, the one before it ends at 8}}
dfg.bucket @bucket_c4_overlap : tensor<16xf32> {parameters = [@w, @w], offsets = array<i64: 0, 4>, states = [], weight_decay = true}

// -----

dfg.parameter @w : tensor<8xf32> {role = "row", checkpoint_name = "w", layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64, weight_decay = true}
// expected-error @+1 {{'dfg.bucket' op parameters end at 18, the bucket has 16 elements}}
dfg.bucket @bucket_c4_end : tensor<16xf32> {parameters = [@w], offsets = array<i64: 10>, states = [], weight_decay = true}

// -----

func.func @bucket_read_c1_missing() {
  // expected-error @+1 {{'dfg.bucket_read' op names the bucket @b, which does not exist}}
  %0 = dfg.bucket_read @b "weight" : tensor<16xf32>
  return
}

// -----

// expected-note @+1 {{the bucket is declared here}}
dfg.bucket @b : tensor<16xf32> {parameters = [], offsets = array<i64>, states = ["exp_avg"], weight_decay = true}
func.func @bucket_read_c1_field() {
  // expected-error @+1 {{'dfg.bucket_read' op bucket @b has no field "momentum", it has "weight", "gradient" and the states ["exp_avg"]}}
  %0 = dfg.bucket_read @b "momentum" : tensor<16xf32>
  return
}

// -----

// expected-note @+1 {{the bucket is declared here}}
dfg.bucket @b : tensor<16xf32> {parameters = [], offsets = array<i64>, states = [], weight_decay = true}
func.func @bucket_read_c2() {
  // expected-error @+1 {{'dfg.bucket_read' op result has shape 8, the bucket has 16}}
  %0 = dfg.bucket_read @b "weight" : tensor<8xf32>
  return
}

// -----

func.func @bucket_write_c1(%x: tensor<16xf32>) {
  // expected-error @+1 {{'dfg.bucket_write' op names the bucket @b, which does not exist}}
  dfg.bucket_write @b "weight", %x : tensor<16xf32>
  return
}

// -----

// expected-note @+1 {{the bucket is declared here}}
dfg.bucket @b : tensor<16xf32> {parameters = [], offsets = array<i64>, states = [], weight_decay = true}
func.func @bucket_write_c2(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.bucket_write' op value has shape 8, the bucket has 16}}
  dfg.bucket_write @b "gradient", %x : tensor<8xf32>
  return
}

// -----

func.func @square_sum_c1(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.square_sum' op result has elements of type 'f32', must have 'f64'}}
  %0 = dfg.square_sum %x : tensor<8xf32> -> tensor<f32>
  return
}

// -----

func.func @count_zeros_c1(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.count_zeros' op result has 1 dimensions, must have 0}}
  %0 = dfg.count_zeros %x : tensor<8xf32> -> tensor<1xf64>
  return
}

// -----

func.func @count_not_finite_c1(%x: tensor<8xf32>) {
  // expected-error @+1 {{'dfg.count_not_finite' op result has elements of type 'f32', must have 'f64'}}
  %0 = dfg.count_not_finite %x : tensor<8xf32> -> tensor<f32>
  return
}
