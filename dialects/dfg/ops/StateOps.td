// Ops that read and write what outlives a microbatch: parameters, gradients,
// optimizer state, metrics; and the structure of a step.
#ifndef ORRERY_DIALECTS_DFG_STATE
#define ORRERY_DIALECTS_DFG_STATE

include "dialects/dfg/ops/ElementwiseOps.td"
include "dialects/dfg/ops/MeshOps.td"
include "mlir/IR/SymbolInterfaces.td"

def Dfg_ParameterOp : Dfg_Op<"parameter", [Symbol]> {
  let summary = "Declares a trained parameter";
  let description = [{
    `checkpoint_name` is its name in the original system's state dict; it may
    contain `{layer}`, for which the global index of layer `layer` stands.
    `role` says how tensor parallelism splits it: "column" and "vocabulary"
    split dimension 0 over axis tp, "row" splits the last dimension,
    "replicated" nothing. Initialised to N(0, init_std), or to the constant
    init_value where init_std is 0. A `tied` parameter exists on the stages
    `owners`; the first of them draws and saves it. `dfg-localize` makes `type`
    the shape of one shard, with `sharding` and `global_type` beside it.

    Example:
    ```
    dfg.parameter @w : tensor<96x32xf32> {role = "column",
        checkpoint_name = "layers.{layer}.qkv.weight", layer = 0 : i64,
        init_std = 0.02 : f64, init_value = 0.0 : f64, weight_decay = true}
    ```
    - (C1) role is one of the four; (C2) the type is a floating-point tensor of
      static shape; (C3) it is what `sharding` leaves of `global_type`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, StrAttr:$role,
      StrAttr:$checkpoint_name, I64Attr:$layer, F64Attr:$init_std,
      F64Attr:$init_value, BoolAttr:$weight_decay, UnitAttr:$tied,
      OptionalAttr<Dfg_ShardingAttr>:$sharding,
      OptionalAttr<TypeAttr>:$global_type,
      OptionalAttr<DenseI64ArrayAttr>:$owners);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Dfg_WeightOp : Dfg_Op<"weight", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Reads a parameter";
  let description = [{
    The value at the start of the step: `dfg-update` writes parameters behind
    the last microbatch. The element type may be narrower than the parameter's.

    Example: `%w = dfg.weight @w : tensor<96x32xf32>`
    - (C1) the parameter exists and has the result's shape.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
}

def Dfg_AccumulateGradOp : Dfg_Op<"accumulate_grad", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Adds to the gradient of a parameter";
  let description = [{
    The gradient is f32, zeroed at the start of a step and summed over the
    microbatches. The operand may be partial: it is summed while partial and
    reduced once a step; `dfg.sharding` on this op tells its state.

    Example: `dfg.accumulate_grad @w, %g : tensor<96x32xf32>`
    - (C1) the parameter exists and has the operand's shape.
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter, Dfg_Float:$grad);
  let assemblyFormat = "$parameter `,` $grad attr-dict `:` type($grad)";
}

def Dfg_ScalarOp : Dfg_Op<"scalar", [Pure]> {
  let summary = "Reads a number that the host sets before each step";
  let description = [{
    Names: lr, loss_seed, inverse_scale, correction1, correction2.

    Example: `%0 = dfg.scalar "lr" : tensor<f32>`
    - (C1) the result has no dimensions.
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Dfg_MetricOp : Dfg_Op<"metric"> {
  let summary = "Adds a number to a metric of the step";
  let description = [{
    Metrics are zeroed at the start of a step. With `objective` it is the value
    that `dfg-differentiate` differentiates; its gradient is the scalar
    `loss_seed`. The operand may be partial; `dfg.sharding` on this op tells.

    Example: `dfg.metric "lm_loss", %loss {objective} : tensor<f32>`
    - (C1) the operand has no dimensions.
  }];
  let arguments = (ins StrAttr:$name, Dfg_Float:$value,
                       UnitAttr:$objective);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
  let hasVerifier = 1;
}

def Dfg_MetricReadOp : Dfg_Op<"metric_read"> {
  let summary = "Reads a metric as summed so far";
  let description = [{
    What `dfg.metric` of all microbatches added up, or what
    `dfg.metric_write` set since.

    Example: `%0 = dfg.metric_read "lm_loss" : tensor<f32>`
    - (C1) the result has no dimensions.
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def Dfg_MetricWriteOp : Dfg_Op<"metric_write"> {
  let summary = "Sets a metric";
  let description = [{
    Replaces what microbatches added up: the value that the log shows.

    Example: `dfg.metric_write "grad_norm", %0 : tensor<f32>`
    - (C1) the value has no dimensions.
  }];
  let arguments = (ins StrAttr:$name, Dfg_Float:$value);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
  let hasVerifier = 1;
}

def Dfg_BeginBackwardOp : Dfg_Op<"begin_backward"> {
  let summary = "Separates forward from backward";
  let description = [{
    Everything before it in the block belongs to the forward program of a
    microbatch, everything after it to the backward program. A value that
    crosses it is kept from one to the other.

    Example: `dfg.begin_backward`
  }];
  let assemblyFormat = "attr-dict";
}

def Dfg_BucketOp : Dfg_Op<"bucket", [Symbol,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Declares parameters laid side by side as one flat value";
  let description = [{
    Parameter i occupies elements [offsets[i], offsets[i] + its local size) of
    `type`; the rest is padding of zeros. Packing costs nothing: memory
    layout puts the parameters there, so that one collective and one optimizer
    kernel serve them all. Each bucket has fields "weight" (of the parameters'
    type), "gradient" (f32) and the optimizer `states` (f32).

    Example:
    ```
    dfg.bucket @decayed : tensor<4096xf32> {parameters = [@w0, @w1],
        offsets = array<i64: 0, 1024>, states = ["exp_avg", "exp_avg_sq"],
        weight_decay = true}
    ```
    - (C1) the type has one dimension; (C2) there is one offset per parameter;
    - (C3) the parameters exist; (C4) they do not overlap, in the order of
      offsets, and end inside the bucket.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type,
      TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$parameters,
      DenseI64ArrayAttr:$offsets, StrArrayAttr:$states,
      BoolAttr:$weight_decay);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Dfg_BucketReadOp : Dfg_Op<"bucket_read", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Reads a field of a bucket";
  let description = [{
    Example: `%g = dfg.bucket_read @decayed "gradient" : tensor<4096xf32>`
    - (C1) the bucket exists and has the field; (C2) it has the result's shape.
  }];
  let arguments = (ins FlatSymbolRefAttr:$bucket, StrAttr:$field);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$bucket $field attr-dict `:` type($result)";
}
def Dfg_BucketWriteOp : Dfg_Op<"bucket_write", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Writes a field of a bucket";
  let description = [{
    Example: `dfg.bucket_write @decayed "weight", %w : tensor<4096xf32>`
    - (C1) the bucket exists and has the field; (C2) it has the value's shape.
  }];
  let arguments = (ins FlatSymbolRefAttr:$bucket, StrAttr:$field,
                       Dfg_Float:$value);
  let assemblyFormat = "$bucket $field `,` $value attr-dict `:` type($value)";
}

class Dfg_FlatReduceOp<string mnemonic> : Dfg_Op<mnemonic, [Pure]> {
  let arguments = (ins Dfg_Float:$operand);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}
def Dfg_SquareSumOp : Dfg_FlatReduceOp<"square_sum"> {
  let summary = "Sums the squares of all elements";
  let description = [{
    The sum of operand^2, in f64 and in a fixed order of additions;
    its square root over all buckets is the gradient norm.

    Example: `%0 = dfg.square_sum %g : tensor<4096xf32> -> tensor<f64>`
    - (C1) the result is tensor<f64>.
  }];
}
def Dfg_CountZerosOp : Dfg_FlatReduceOp<"count_zeros"> {
  let summary = "Counts the elements that are zero";
  let description = [{
    The number of elements equal to 0, in f64 and in a fixed order of additions;
    the log shows it with --log-num-zeros-in-grad.

    Example: `%0 = dfg.count_zeros %g : tensor<4096xf32> -> tensor<f64>`
    - (C1) the result is tensor<f64>.
  }];
}
def Dfg_CountNotFiniteOp : Dfg_FlatReduceOp<"count_not_finite"> {
  let summary = "Counts the elements that are infinite or not a number";
  let description = [{
    The number of infinities and NaNs, in f64 and in a fixed order of additions;
    any makes a step with loss scaling be skipped.

    Example: `%0 = dfg.count_not_finite %g : tensor<4096xf32> -> tensor<f64>`
    - (C1) the result is tensor<f64>.
  }];
}

#endif
