// Ops that move data between ranks: resharding, collectives, pipeline cuts.
#ifndef ORRERY_DIALECTS_DFG_MESHOPS
#define ORRERY_DIALECTS_DFG_MESHOPS

include "dialects/dfg/ops/ElementwiseOps.td"

def Dfg_AxisArray : TypedArrayAttrBase<StrAttr, "names of mesh axes">;

def Dfg_ReshardOp : Dfg_Op<"reshard", [Pure, SameOperandsAndResultType]> {
  let summary = "Brings a value into another state on the mesh";
  let description = [{
    Shapes are still global: the value does not change, only where it lies.
    `dfg-localize` makes collectives of it, along the cheapest path. An axis
    that is partial in the source and not in the target is reduced.

    Example: `%0 = dfg.reshard %x from <[_, _], partial sum [tp]>
        to <[tp, _]> : tensor<64x32xf32>`
    - (C1) both states fit the rank; (C2) sizes divide evenly; (C3) the target
      is not partial over an axis over which the source is not, nor of another
      kind.
  }];
  let arguments = (ins Dfg_Tensor:$operand, Dfg_ShardingAttr:$source,
                       Dfg_ShardingAttr:$target);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand `from` $source `to` $target attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Dfg_AllReduceOp : Dfg_Op<"all_reduce", [Pure, SameOperandsAndResultType]> {
  let summary = "Combines the values of all ranks on the axes";
  let description = [{
    all_reduce(x) = all_gather(reduce_scatter(x)); moves 2 (n-1)/n of the bytes.
    With `only`, just the ranks at these coordinates of the (single) axis take
    part, the others keep their value: a tied table on the first and last stage.

    Example: `%0 = dfg.all_reduce sum %x {axes = ["tp"]} : tensor<8xf32>`
    - (C1) axes are distinct axes of the mesh; (C2) `only` needs one axis and
      coordinates inside it.
  }];
  let arguments = (ins Dfg_ReductionAttr:$kind, Dfg_Tensor:$operand,
                       Dfg_AxisArray:$axes,
                       OptionalAttr<DenseI64ArrayAttr>:$only);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat = "$kind $operand attr-dict `:` type($result)";
  let hasVerifier = 1;
}

class Dfg_DimCollective<string mnemonic>
    : Dfg_Op<mnemonic, [Pure]> {
  let arguments = (ins Dfg_Tensor:$operand, Dfg_AxisArray:$axes,
                       I64Attr:$dim);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}
def Dfg_AllGatherOp : Dfg_DimCollective<"all_gather"> {
  let summary = "Joins the shards of all ranks on the axes";
  let description = [{
    The shards side by side along `dim`, in the order of the coordinates on
    `axes`, major to minor. all_gather(all_slice(x)) = x; moves (n-1)/n of the
    result's bytes.

    Example: `%0 = dfg.all_gather %x {axes = ["tp"], dim = 0 : i64}
        : tensor<4x8xf32> -> tensor<8x8xf32>`
    - (C1) axes are distinct axes of the mesh; (C2) dim is in range and grows
      by the number of ranks.
  }];
}
def Dfg_ReduceScatterOp : Dfg_DimCollective<"reduce_scatter"> {
  let summary = "Sums over the ranks on the axes and keeps the own part";
  let description = [{
    reduce_scatter(x) = all_slice(all_reduce(x)), at half the bytes.

    Example: `%0 = dfg.reduce_scatter %x {axes = ["tp"], dim = 0 : i64}
        : tensor<8x8xf32> -> tensor<4x8xf32>`
    - (C1) axes are distinct axes of the mesh; (C2) dim is in range and shrinks
      by the number of ranks.
  }];
}
def Dfg_AllSliceOp : Dfg_DimCollective<"all_slice"> {
  let summary = "Keeps the own part of a replicated value";
  let description = [{
    Free: nothing is sent.

    Example: `%0 = dfg.all_slice %x {axes = ["tp"], dim = 0 : i64}
        : tensor<8x8xf32> -> tensor<4x8xf32>`
    - (C1) axes are distinct axes of the mesh; (C2) dim is in range and shrinks
      by the number of ranks.
  }];
}
def Dfg_AllToAllOp : Dfg_Op<"all_to_all", [Pure]> {
  let summary = "Moves a split from one dimension to another";
  let description = [{
    all_to_all(x) = all_slice_split(all_gather_concat(x)), at 1/n of the bytes.

    Example: `%0 = dfg.all_to_all %x {axes = ["tp"], split = 1 : i64,
        concat = 0 : i64} : tensor<4x8xf32> -> tensor<8x4xf32>`
    - (C1) axes are distinct axes of the mesh; (C2) split shrinks and concat
      grows by the number of ranks, and they are two dimensions.
  }];
  let arguments = (ins Dfg_Tensor:$operand, Dfg_AxisArray:$axes,
                       I64Attr:$split, I64Attr:$concat);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat =
      "$operand attr-dict `:` type($operand) `->` type($result)";
  let hasVerifier = 1;
}

def Dfg_SendOp : Dfg_Op<"send"> {
  let summary = "Sends a value to a neighbouring pipeline stage";
  let description = [{
    `delta` is the receiver's stage minus the own one: the rank with that
    coordinate on axis pp and the same on all others. Messages between two ranks
    match in order.

    Example: `dfg.send %x {delta = 1 : i64} : tensor<64x4x32xf32>`
    - (C1) delta is 1 or -1.
  }];
  let arguments = (ins Dfg_Tensor:$operand, I64Attr:$delta);
  let assemblyFormat = "$operand attr-dict `:` type($operand)";
  let hasVerifier = 1;
}
def Dfg_ReceiveOp : Dfg_Op<"receive"> {
  let summary = "Receives a value from a neighbouring pipeline stage";
  let description = [{
    `delta` is the sender's stage minus the own one; waits for what that rank
    sends (see `dfg.send`).

    Example: `%x = dfg.receive {delta = -1 : i64} : tensor<64x4x32xf32>`
    - (C1) delta is 1 or -1.
  }];
  let arguments = (ins I64Attr:$delta);
  let results = (outs Dfg_Tensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif
