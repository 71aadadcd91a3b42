// Ops that move or combine dimensions.
#ifndef ORRERY_DIALECTS_DFG_SHAPE
#define ORRERY_DIALECTS_DFG_SHAPE

include "dialects/dfg/ops/ElementwiseOps.td"

def Dfg_BroadcastOp : Dfg_Op<"broadcast", [Pure, Fusable, Shardable,
                                           Differentiable]> {
  let summary = "Repeats a tensor along new dimensions";
  let description = [{
    result[r0, r1, …] = operand[r_dims[0], r_dims[1], …]: dimension i of the
    operand becomes dimension dims[i] of the result, all others are new. Inside
    a fused region it costs nothing. Backward: the sum over the new dimensions.

    Example: `%0 = dfg.broadcast %b {dims = array<i64: 2>}
        : tensor<8xf32> to tensor<4x2x8xf32>`
    - (C1) dims has one increasing entry per operand dimension;
    - (C2) sizes at dims agree; (C3) so do the element types.
  }];
  let arguments = (ins Dfg_Tensor:$operand, DenseI64ArrayAttr:$dims);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `to` type($result)";
  let hasVerifier = 1;
}

def Dfg_ReduceOp : Dfg_Op<"reduce", [Pure, Fusable, Shardable,
                                     Differentiable]> {
  let summary = "Sums or takes the maximum over dimensions";
  let description = [{
    The reduced dimensions vanish. Splitting one leaves the result partial, of
    the same kind. Backward of a sum: a broadcast. The maximum has no backward:
    it is used where its derivative cancels (it is subtracted from the logits
    before an exponential and added again behind the logarithm).

    Example: `%0 = dfg.reduce sum %x {dims = array<i64: 1>}
        : tensor<4x8xf32> -> tensor<4xf32>`
    - (C1) dims are increasing and in range; (C2) the result has the other
      dimensions; (C3) element types agree.
  }];
  let arguments = (ins Dfg_ReductionAttr:$kind, Dfg_Tensor:$operand,
                       DenseI64ArrayAttr:$dims);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$kind $operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}

def Dfg_PartialSumOp : Dfg_Op<"partial_sum", [Pure, Fusable]> {
  let summary = "Sums every n-th row, a first stage of a sum over rows";
  let description = [{
    With the operand as rows (all dimensions but the last) and columns, and n
    the result's first dimension:

      result[p, c] = sum over k of operand[p + k n, c], in f32 or wider

    so that reduce_sum(x over rows) = reduce_sum(partial_sum(x) over p). Inside
    a fused region whoever computes rows p, p + n, … keeps the sums at hand:
    the operand need not be written and read again.

    Example: `%0 = dfg.partial_sum %x
        : tensor<64x4x32xf32> -> tensor<16x32xf32>`
    - (C1) the result is [n, columns] with 1 <= n <= rows; (C2) it has 32-bit or
      wider floats.
  }];
  let arguments = (ins Dfg_Tensor:$operand);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}

def Dfg_ReshapeOp : Dfg_Op<"reshape", [Pure, Shardable, Differentiable]> {
  let summary = "Reads a tensor in row-major order as another shape";
  let description = [{
    Free. Dimensions that split or merge are compound factors: sharding the
    major part carries over, sharding a minor part alone does not. Of
    [4, 12] → [4, 2, 6] all of 4, 2 and 6 are factors; of [4, 6] → [6, 4] only
    the common major part 2 may be split. Backward: a reshape back.

    Example: `%0 = dfg.reshape %x : tensor<4x6xf32> to tensor<4x2x3xf32>`
    - (C1) the numbers of elements are equal; (C2) so are the element types.
  }];
  let arguments = (ins Dfg_Tensor:$operand);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `to` type($result)";
  let hasVerifier = 1;
}

def Dfg_TransposeOp : Dfg_Op<"transpose", [Pure, Shardable, Differentiable]> {
  let summary = "Reorders dimensions";
  let description = [{
    Dimension i of the result is dimension perm[i] of the operand. A copy of
    all bytes unless its user reads strided. Backward: the inverse permutation.

    Example: `%0 = dfg.transpose %x {perm = array<i64: 1, 0>}
        : tensor<4x6xf32> -> tensor<6x4xf32>`
    - (C1) perm is a permutation; (C2) the result's sizes follow it;
    - (C3) element types agree.
  }];
  let arguments = (ins Dfg_Tensor:$operand, DenseI64ArrayAttr:$perm);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}

def Dfg_SliceOp : Dfg_Op<"slice", [Pure, Shardable, Differentiable]> {
  let summary = "Takes a range of one dimension";
  let description = [{
    result = operand[…, start : start + size, …]; the dimension is whole: it
    must not be split. Backward: a concat with zeros before and behind; the
    canonicaliser joins those of several slices of one value into one concat.

    Example: `%0 = dfg.slice %x {dim = 1 : i64, start = 2 : i64, size = 3 : i64}
        : tensor<4x6xf32> -> tensor<4x3xf32>`
    - (C1) dim is in range; (C2) the range lies inside the dimension and is not
      empty; (C3) the result has the range's shape; (C4) element types agree.
  }];
  let arguments = (ins Dfg_Tensor:$operand, I64Attr:$dim, I64Attr:$start,
                       I64Attr:$size);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}

def Dfg_ConcatOp : Dfg_Op<"concat", [Pure, Shardable, Differentiable]> {
  let summary = "Joins tensors along one dimension";
  let description = [{
    The operands side by side along `dim`, which is whole: it must not be split.
    Linear in all operands together. Backward: one slice per operand.

    Example: `%0 = dfg.concat %a, %b {dim = 0 : i64}
        : tensor<2x3xf32>, tensor<1x3xf32> -> tensor<3x3xf32>`
    - (C1) dim is in range; (C2) the other sizes agree; (C3) sizes add up;
    - (C4) element types agree.
  }];
  let arguments = (ins Variadic<Dfg_Tensor>:$operands, I64Attr:$dim);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operands attr-dict `:` type($operands) `->` type($result)";
  let hasVerifier = 1;
}

#endif
