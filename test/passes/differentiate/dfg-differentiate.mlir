// RUN: orrery-opt --dfg-differentiate --split-input-file %s | FileCheck %s
// RUN: orrery-opt --dfg-differentiate=recompute-layers=1 --split-input-file %s | FileCheck %s --check-prefix=GROUP
// RUN: orrery-opt --dfg-differentiate=product-epilogues --split-input-file %s | FileCheck %s --check-prefix=EPILOGUE
// RUN: orrery-opt --dfg-differentiate=keep-operands --split-input-file %s | FileCheck %s --check-prefix=OPERANDS
// RUN: orrery-opt --dfg-differentiate --split-input-file --remarks-filter=dfg-differentiate %s -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Of gelu(x w + b) the product is kept; sum and gelu are cheap.
// CHECK-LABEL: func.func @gelu
// CHECK:         %[[P:.*]] = dfg.matmul "sbi,oi->sbo"
// CHECK:         dfg.metric "loss", {{.*}}objective
// CHECK-NEXT:    dfg.begin_backward
// CHECK-NEXT:    %[[SEED:.*]] = dfg.scalar "loss_seed"
// CHECK:         %[[DY:.*]] = dfg.broadcast %[[SEED]]
// CHECK:         %[[B:.*]] = dfg.weight @b {{.*}}dfg.recompute
// CHECK-NEXT:    %[[BB:.*]] = dfg.broadcast %[[B]] {{.*}}dfg.recompute
// CHECK-NEXT:    %[[Z:.*]] = dfg.add %[[P]], %[[BB]] {{.*}}dfg.recompute
// CHECK-NEXT:    %[[DZ:.*]] = dfg.gelu_grad tanh %[[DY]], %[[Z]]
// CHECK-NEXT:    %[[DB:.*]] = dfg.reduce sum %[[DZ]]
// CHECK-NEXT:    dfg.accumulate_grad @b, %[[DB]] {dfg.layer = 0 : i64}
// CHECK-NEXT:    %[[DW:.*]] = dfg.matmul "sbo,sbi->oi" %[[DZ]], %arg0
// CHECK-NEXT:    dfg.accumulate_grad @w, %[[DW]]
// CHECK-NEXT:    return

// A product that adds its bias itself writes the sum: that is kept.
// EPILOGUE-LABEL: func.func @gelu
// EPILOGUE:         %[[Z:.*]] = dfg.add
// EPILOGUE:         dfg.begin_backward
// EPILOGUE-NOT:     dfg.recompute
// EPILOGUE:         dfg.gelu_grad tanh %{{.*}}, %[[Z]]
// EPILOGUE:         return

// REMARK-DAG: [Analysis] Keep | Category:dfg-differentiate | {{.*}}dfg.matmul: costly to compute again
// REMARK-DAG: [Analysis] Recompute | Category:dfg-differentiate | {{.*}}dfg.add: cheaper to compute again than to keep
module {
  dfg.parameter @w : tensor<6x4xf32> {role = "column", checkpoint_name = "w",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  dfg.parameter @b : tensor<6xf32> {role = "column", checkpoint_name = "b",
      layer = 0 : i64, init_std = 0.0 : f64, init_value = 0.0 : f64,
      weight_decay = false}
  func.func @gelu(%x: tensor<3x2x4xf32>) {
    %w = dfg.weight @w {dfg.layer = 0 : i64} : tensor<6x4xf32>
    %p = dfg.matmul "sbi,oi->sbo" %x, %w {dfg.layer = 0 : i64}
        : tensor<3x2x4xf32>, tensor<6x4xf32> -> tensor<3x2x6xf32>
    %b = dfg.weight @b {dfg.layer = 0 : i64} : tensor<6xf32>
    %bb = dfg.broadcast %b {dims = array<i64: 2>, dfg.layer = 0 : i64}
        : tensor<6xf32> to tensor<3x2x6xf32>
    %z = dfg.add %p, %bb {dfg.layer = 0 : i64} : tensor<3x2x6xf32>
    %y = dfg.gelu tanh %z {dfg.layer = 0 : i64} : tensor<3x2x6xf32>
    %l = dfg.reduce sum %y {dims = array<i64: 0, 1, 2>, dfg.layer = 1 : i64}
        : tensor<3x2x6xf32> -> tensor<f32>
    dfg.metric "loss", %l {objective, dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}

// -----

// Slices that cover a value give one concat; a second use is added, later
// uses first; slices that do not cover are padded.
// CHECK-LABEL: func.func @slices
// CHECK:         dfg.begin_backward
// CHECK:         %[[C:.*]] = dfg.concat %[[DA:.*]], %[[DC:.*]] {dfg.layer = 0 : i64, dim = 0 : i64}
// CHECK-NOT:     dfg.concat
// CHECK:         dfg.accumulate_grad @w, %[[C]]
module {
  dfg.parameter @w : tensor<6xf32> {role = "column", checkpoint_name = "w",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  func.func @slices(%x: tensor<3xf32>) {
    %w = dfg.weight @w {dfg.layer = 0 : i64} : tensor<6xf32>
    %b = dfg.slice %w {dim = 0 : i64, start = 3 : i64, size = 3 : i64,
        dfg.layer = 0 : i64} : tensor<6xf32> -> tensor<3xf32>
    %a = dfg.slice %w {dim = 0 : i64, start = 0 : i64, size = 3 : i64,
        dfg.layer = 0 : i64} : tensor<6xf32> -> tensor<3xf32>
    %p = dfg.mul %a, %b {dfg.layer = 0 : i64} : tensor<3xf32>
    %q = dfg.mul %p, %x {dfg.layer = 0 : i64} : tensor<3xf32>
    %l = dfg.reduce sum %q {dims = array<i64: 0>, dfg.layer = 1 : i64}
        : tensor<3xf32> -> tensor<f32>
    dfg.metric "loss", %l {objective, dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}

// -----

// A value with two uses gets the sum of both gradients; a group of layers is
// recomputed from its input, the weight is read again.
// CHECK-LABEL: func.func @layers
// CHECK-COUNT-2: dfg.matmul "ab,cb->ac"
// CHECK:         dfg.begin_backward
// CHECK-NOT:     dfg.matmul "ab,cb->ac"
// CHECK:         dfg.exp
// CHECK-SAME:    dfg.recompute
// CHECK:         return

// GROUP-LABEL: func.func @layers
// GROUP:         %[[X1:.*]] = dfg.matmul "ab,cb->ac" %arg0
// GROUP:         %[[E1:.*]] = dfg.exp %[[X1]]
// GROUP:         %[[X2:.*]] = dfg.matmul "ab,cb->ac" %[[E1]]
// GROUP:         dfg.begin_backward
// GROUP:         %[[W:.*]] = dfg.weight @w1 {dfg.layer = 1 : i64, dfg.recompute}
// GROUP:         %[[R2:.*]] = dfg.matmul "ab,cb->ac" %[[E1]], %[[W]] {dfg.layer = 1 : i64, dfg.recompute}
// GROUP:         %[[E2:.*]] = dfg.exp %[[R2]] {dfg.layer = 1 : i64, dfg.recompute}
// GROUP:         dfg.mul %{{.*}}, %[[E2]]
// GROUP:         %[[SUM:.*]] = dfg.add
// GROUP:         dfg.mul %[[SUM]], %[[E1]] {dfg.layer = 0 : i64}
// GROUP:         dfg.accumulate_grad @w0
module {
  dfg.parameter @w0 : tensor<4x4xf32> {role = "column", checkpoint_name = "w0",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  dfg.parameter @w1 : tensor<4x4xf32> {role = "column", checkpoint_name = "w1",
      layer = 1 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  func.func @layers(%x: tensor<3x4xf32>) {
    %w0 = dfg.weight @w0 {dfg.layer = 0 : i64} : tensor<4x4xf32>
    %p0 = dfg.matmul "ab,cb->ac" %x, %w0 {dfg.layer = 0 : i64}
        : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
    %e0 = dfg.exp %p0 {dfg.layer = 0 : i64} : tensor<3x4xf32>
    %w1 = dfg.weight @w1 {dfg.layer = 1 : i64} : tensor<4x4xf32>
    %p1 = dfg.matmul "ab,cb->ac" %e0, %w1 {dfg.layer = 1 : i64}
        : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
    %e1 = dfg.exp %p1 {dfg.layer = 1 : i64} : tensor<3x4xf32>
    %y = dfg.add %e0, %e1 {dfg.layer = 1 : i64} : tensor<3x4xf32>
    %l = dfg.reduce sum %y {dims = array<i64: 0, 1>, dfg.layer = 2 : i64}
        : tensor<3x4xf32> -> tensor<f32>
    dfg.metric "loss", %l {objective, dfg.layer = 2 : i64} : tensor<f32>
    return
  }
}

// -----

// A residual sum is written for the kernel behind the products: keeping it
// costs no write, though only ops of kernels read it, and saves adding again.
// CHECK-LABEL: func.func @residual
// CHECK:         %[[R:.*]] = dfg.add %arg0
// CHECK:         dfg.begin_backward
// CHECK-NOT:     dfg.add {{.*}}dfg.recompute
// CHECK:         dfg.gelu erf %[[R]] {{.*}}dfg.recompute
// CHECK:         dfg.gelu_grad erf %{{.*}}, %[[R]]
// CHECK:         return

// The gelu is an operand of the weight's gradient: with keep-operands it is
// kept beside the sum that gelu_grad reads.
// OPERANDS-LABEL: func.func @residual
// OPERANDS:         %[[R:.*]] = dfg.add %arg0
// OPERANDS:         %[[E:.*]] = dfg.gelu erf %[[R]]
// OPERANDS:         dfg.begin_backward
// OPERANDS-NOT:     dfg.gelu erf
// OPERANDS:         dfg.matmul "ac,ab->cb" %{{.*}}, %[[E]]
// OPERANDS:         dfg.gelu_grad erf %{{.*}}, %[[R]]
// OPERANDS:         return
module {
  dfg.parameter @w : tensor<4x4xf32> {role = "column", checkpoint_name = "w",
      layer = 0 : i64, init_std = 0.02 : f64, init_value = 0.0 : f64,
      weight_decay = true}
  func.func @residual(%x: tensor<3x4xf32>) {
    %w = dfg.weight @w {dfg.layer = 0 : i64} : tensor<4x4xf32>
    %p = dfg.matmul "ab,cb->ac" %x, %w {dfg.layer = 0 : i64}
        : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
    %r = dfg.add %x, %p {dfg.layer = 0 : i64} : tensor<3x4xf32>
    %e = dfg.gelu erf %r {dfg.layer = 0 : i64} : tensor<3x4xf32>
    %q = dfg.matmul "ab,cb->ac" %e, %w {dfg.layer = 0 : i64}
        : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
    %y = dfg.add %r, %q {dfg.layer = 0 : i64} : tensor<3x4xf32>
    %l = dfg.reduce sum %y {dims = array<i64: 0, 1>, dfg.layer = 1 : i64}
        : tensor<3x4xf32> -> tensor<f32>
    dfg.metric "loss", %l {objective, dfg.layer = 1 : i64} : tensor<f32>
    return
  }
}
