// Elementwise ops: every dimension is a pass factor.
#ifndef ORRERY_DIALECTS_DFG_ELEMENTWISE
#define ORRERY_DIALECTS_DFG_ELEMENTWISE

include "dialects/dfg/DfgAttributes.td"
include "dialects/dfg/DfgInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Shardable : DeclareOpInterfaceMethods<ShardableOpInterface>;
def ShardableWithOffsets : DeclareOpInterfaceMethods<ShardableOpInterface,
                                                     ["addShardOffsets"]>;
def Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def Costed : DeclareOpInterfaceMethods<CostedOpInterface>;

/// Marks ops that the fuse stage may place inside `dfg.fused`.
def Fusable : NativeOpTrait<"Fusable"> {
  let cppNamespace = "::orrery::dfg";
}

class Dfg_BinaryOp<string mnemonic, list<Trait> traits = []>
    : Dfg_Op<mnemonic, [Pure, Fusable, SameOperandsAndResultType, Shardable,
                        Differentiable] # traits> {
  let arguments = (ins Dfg_Float:$lhs, Dfg_Float:$rhs);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

class Dfg_UnaryOp<string mnemonic, list<Trait> traits = []>
    : Dfg_Op<mnemonic, [Pure, Fusable, SameOperandsAndResultType, Shardable,
                        Differentiable] # traits> {
  let arguments = (ins Dfg_Float:$operand);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$operand attr-dict `:` type($result)";
}

def Dfg_AddOp : Dfg_BinaryOp<"add", [Commutative]> {
  let summary = "Adds two tensors";
  let description = [{
    result = lhs + rhs. Linear in both together: the sum of two values that are
    partial over the same axes is partial over them, which is how two row
    products of a parallel residual share one all-reduce. Backward: da = dy,
    db = dy.

    Example: `%0 = dfg.add %a, %b : tensor<4x8xf32>`
  }];
  let hasCanonicalizer = 1;
}
def Dfg_SubOp : Dfg_BinaryOp<"sub"> {
  let summary = "Subtracts one tensor from another";
  let description = [{
    result = lhs - rhs. Linear in both together. Backward: da = dy, db = -dy.

    Example: `%0 = dfg.sub %a, %b : tensor<4x8xf32>`
  }];
}
def Dfg_MulOp : Dfg_BinaryOp<"mul", [Commutative]> {
  let summary = "Multiplies two tensors element by element";
  let description = [{
    result = lhs * rhs. Linear in each operand: one of them may be partial, not
    both. Backward: da = dy rhs, db = dy lhs.

    Example: `%0 = dfg.mul %a, %b : tensor<4x8xf32>`
  }];
}
def Dfg_DivOp : Dfg_BinaryOp<"div"> {
  let summary = "Divides one tensor by another";
  let description = [{
    result = lhs / rhs. Linear in lhs. Backward: da = dy / rhs,
    db = -dy result / rhs.

    Example: `%0 = dfg.div %a, %b : tensor<4x8xf32>`
  }];
}
def Dfg_MaximumOp : Dfg_BinaryOp<"maximum", [Commutative]> {
  let summary = "Takes the larger of two tensors element by element";
  let description = [{
    result = max(lhs, rhs). Backward: dy goes to the larger operand; of equals,
    to rhs.

    Example: `%0 = dfg.maximum %a, %b : tensor<f32>`
  }];
}
def Dfg_MinimumOp : Dfg_BinaryOp<"minimum", [Commutative]> {
  let summary = "Takes the smaller of two tensors element by element";
  let description = [{
    result = min(lhs, rhs). Backward: dy goes to the smaller operand; of equals,
    to rhs.

    Example: `%0 = dfg.minimum %a, %b : tensor<f32>`
  }];
}
def Dfg_SelectOp : Dfg_Op<"select", [Pure, Fusable, SameOperandsAndResultType,
                                     Shardable]> {
  let summary = "Takes one of two tensors where a condition is not zero";
  let description = [{
    result = condition != 0 ? lhs : rhs, element by element; whatever the other
    one holds, not a number included. It keeps weights as they were when a
    gradient overflowed.

    Example: `%0 = dfg.select %c, %a, %b : tensor<4xf32>`
  }];
  let arguments = (ins Dfg_Float:$condition, Dfg_Float:$lhs, Dfg_Float:$rhs);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat =
      "$condition `,` $lhs `,` $rhs attr-dict `:` type($result)";
}
def Dfg_ExpOp : Dfg_UnaryOp<"exp"> {
  let summary = "Takes the exponential";
  let description = [{
    result = e^operand. Backward: dy result.

    Example: `%0 = dfg.exp %a : tensor<4x8xf32>`
  }];
}
def Dfg_LogOp : Dfg_UnaryOp<"log"> {
  let summary = "Takes the natural logarithm";
  let description = [{
    result = ln operand. Backward: dy / operand.

    Example: `%0 = dfg.log %a : tensor<4xf32>`
  }];
}
def Dfg_SqrtOp : Dfg_UnaryOp<"sqrt"> {
  let summary = "Takes the square root";
  let description = [{
    result = operand^(1/2). Backward: dy / (2 result).

    Example: `%0 = dfg.sqrt %a : tensor<f32>`
  }];
}
def Dfg_RsqrtOp : Dfg_UnaryOp<"rsqrt"> {
  let summary = "Takes the reciprocal of the square root";
  let description = [{
    result = operand^(-1/2). Backward: -dy result / (2 operand).

    Example: `%0 = dfg.rsqrt %a : tensor<4xf32>`
  }];
}

def Dfg_GeluForm : I32EnumAttr<"GeluForm", "form of the Gaussian error unit", [
    I32EnumAttrCase<"Tanh", 0, "tanh">, I32EnumAttrCase<"Erf", 1, "erf">]> {
  let cppNamespace = "::orrery::dfg";
  let genSpecializedAttr = 0;
}
def Dfg_GeluFormAttr : EnumAttr<Dfg_Dialect, Dfg_GeluForm, "gelu_form"> {
  let assemblyFormat = "$value";
}
def Dfg_GeluOp : Dfg_Op<"gelu", [Pure, Fusable, SameOperandsAndResultType,
                                 Shardable, Differentiable]> {
  let summary = "Applies the Gaussian error linear unit";
  let description = [{
    Two forms that models were trained with; they differ by up to 5e-4:
    - `tanh`: 0.5 x (1 + tanh(0.79788456 x (1 + 0.044715 x^2)))
    - `erf`:  0.5 x (1 + erf(x / sqrt 2))

    Backward: `dfg.gelu_grad` of the same form, from x, which is kept or
    recomputed, never the result.

    Example: `%0 = dfg.gelu tanh %x : tensor<4x8xf32>`
  }];
  let arguments = (ins Dfg_GeluFormAttr:$form, Dfg_Float:$operand);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$form $operand attr-dict `:` type($result)";
}
def Dfg_GeluGradOp : Dfg_Op<"gelu_grad", [Pure, Fusable,
                                 SameOperandsAndResultType, Shardable]> {
  let summary = "Multiplies a gradient with the derivative of gelu";
  let description = [{
    result = grad * gelu'(operand), linear in grad.
    - `tanh`, T = tanh(0.79788456 x (1 + 0.044715 x^2)):
      0.5 (1 + T) + 0.5 x (1 - T^2) (0.79788456 + 0.1070322243 x^2)
    - `erf`: 0.5 (1 + erf(x / sqrt 2)) + x exp(-x^2 / 2) / sqrt(2 pi)

    Example: `%0 = dfg.gelu_grad tanh %dy, %x : tensor<4x8xf32>`
  }];
  let arguments = (ins Dfg_GeluFormAttr:$form, Dfg_Float:$grad,
                       Dfg_Float:$operand);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$form $grad `,` $operand attr-dict `:` type($result)";
}

def Dfg_CastOp : Dfg_Op<"cast", [Pure, Fusable, Shardable, Differentiable]> {
  let summary = "Converts the element type";
  let description = [{
    Between floating-point types, rounding to nearest even. Linear up to
    rounding. Backward: a cast back.

    Example: `%0 = dfg.cast %a : tensor<4xf32> to tensor<4xbf16>`
    - (C1) the shapes are equal.
  }];
  let arguments = (ins Dfg_Float:$operand);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `to` type($result)";
  let hasVerifier = 1;
}

def Dfg_ConstantOp : Dfg_Op<"constant", [Pure, Fusable, Shardable]> {
  let summary = "Makes a tensor with one value everywhere";
  let description = [{
    Every element of the result is `value`. It is never stored: a kernel has it
    as an immediate.

    Example: `%0 = dfg.constant 0.5 : tensor<4x8xf32>`
  }];
  let arguments = (ins F64Attr:$value);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "custom<PlainFloat>($value) attr-dict `:` type($result)";
}

def Dfg_DropoutOp : Dfg_Op<"dropout", [Pure, Fusable, SameOperandsAndResultType,
                                       ShardableWithOffsets, Differentiable]> {
  let summary = "Zeroes elements at random and scales the rest";
  let description = [{
    result = operand * keep / (1 - probability), where keep is a function of
    the stream's key and the element's position in the *global* batch, so that
    no layout changes it and the backward repeats it: it is its own backward,
    dx = dropout(dy), and no mask is ever stored.

    The operand is [position, sample, feature] of the global `extent`; element
    (i, j, k) has the linear index ((microbatch * extent[1] + j + offset[1]) *
    extent[0] + i + offset[0]) * extent[2] + k + offset[2]; it is kept when its
    random word >= floor(probability * 2^32). `stream` may contain `{layer}`,
    for which the global index of layer `layer` stands. When a dimension is
    split, the start of the own shard is added to `offset`.

    Example:
    ```
    %0 = dfg.dropout %x {probability = 0.1 : f64, stream = "embedding.dropout",
        layer = -1 : i64, extent = array<i64: 64, 4, 32>,
        offset = [#dfg.index<0>, #dfg.index<0>, #dfg.index<0>]}
        : tensor<64x4x32xf32>
    ```
    - (C1) the operand has three dimensions; (C2) 0 <= probability < 1;
    - (C3) extent and offset have three entries;
    - (C4) the operand is not larger than extent.
  }];
  let arguments = (ins Dfg_Float:$operand, F64Attr:$probability,
                       StrAttr:$stream, I64Attr:$layer,
                       DenseI64ArrayAttr:$extent, Dfg_IndexArray:$offset);
  let results = (outs Dfg_Float:$result);
  let assemblyFormat = "$operand attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif
