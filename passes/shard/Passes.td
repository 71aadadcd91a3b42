// Passes of the shard stage, in the order in which they run.
#ifndef ORRERY_PASSES_SHARD_PASSES
#define ORRERY_PASSES_SHARD_PASSES

include "mlir/Pass/PassBase.td"

def SeedPass : Pass<"dfg-seed", "::mlir::ModuleOp"> {
  let summary = "Writes the placements that the job asks for";
  let description = [{
    Everything that the partitioner does follows from these seeds:

    - parameter: role column or vocabulary, dimension 0 on tp; role row, the
      last dimension on tp;
    - operand of accumulate_grad: as its parameter;
    - argument with dfg.input: dimension 1, the samples, on dp;
    - residual stream (results with dfg.residual, receive, operand of send):
      dimension 1 on dp and, with sequence parallelism, dimension 0 on tp.

    A parameter that has a sharding keeps it. Axes of size 1 are never written.
    Seeds of values are `dfg.sharding` on their op or argument; those of
    operands (accumulate_grad, send) are on the user.

    *Before:* global shapes, a mesh on the outermost module. *After:* seeds are
    there and divide evenly.

    ```
    dfg.parameter @w : tensor<8x4xf32> {role = "column", …}
    %w = dfg.weight @w : tensor<8x4xf32>
    →
    dfg.parameter @w : tensor<8x4xf32> {role = "column",
        sharding = #dfg.sharding<[tp, _]>, …}
    %w = dfg.weight @w {dfg.sharding = [#dfg.sharding<[tp, _]>]}
        : tensor<8x4xf32>
    ```
  }];
  let options = [
    Option<"sequenceParallel", "sequence-parallel", "bool", "false",
           "Split the residual stream's positions over tp; also on where the "
           "module has dfg.sequence_parallel">,
  ];
}

def PropagatePass : Pass<"dfg-propagate", "::mlir::ModuleOp"> {
  let summary = "Carries placements along factors to every value and op";
  let description = [{
    Seeds spread through each op's factor rule, forward and backward, to a
    fixed point: what splits a dimension of one operand splits its factor, and
    with it every dimension in which that factor occurs. Two rounds: the
    placements of parameters and their gradients first, then all others, so
    that a product of a column-split weight with a position-split input splits
    its columns and gathers its input, never the reverse. In an op an axis
    splits one factor only, in a value one dimension only; seeds stay as they
    are; whole factors are never split; of a compound factor (heads · 3 ·
    features) only the major part is.

    *Before:* seeds. *After:* every value has `dfg.sharding` (the placement
    that is wanted for it, nothing partial), every shardable op has
    `dfg.factors` (the axes that split each of its factors).

    ```
    %w = dfg.weight @w {dfg.sharding = [#dfg.sharding<[tp, _]>]} …
    %y = dfg.matmul "sbi,oi->sbo" %x, %w …
    →
    %y = dfg.matmul "sbi,oi->sbo" %x, %w {dfg.factors = [[], [], [], ["tp"]],
        dfg.sharding = [#dfg.sharding<[_, _, tp]>]} …
    ```
  }];
}

def InsertReshardsPass : Pass<"dfg-insert-reshards", "::mlir::ModuleOp"> {
  let summary = "Makes every op right locally by inserting reshards";
  let description = [{
    Running an op on the shards is right when its operands lie as its factors
    are split. Where one does not, a `dfg.reshard` is inserted before it; one
    reshard serves all users that want the same state, those of the backward
    too. A result that lacks a split factor is partial over its axes.

    A partial sum need not be reduced at once: linear ops may work on it. It is
    reduced where the fewest bytes travel (`PartialPlan.h`), at equal cost at
    once, and late where two reductions become one: the two row products of a
    parallel residual are added before they are reduced. A gradient that
    reaches accumulate_grad partial is never reduced in the microbatch; its
    state is recorded there, and one reduction per step follows.

    *Before:* `dfg.sharding` and `dfg.factors` of dfg-propagate. *After:* every
    value's `dfg.sharding` is its true state; accumulate_grad, metric and send
    carry their operand's; no dead ops.

    Cost per Megatron layer: tensor parallel, 2 all-reduces of s·b·h forward
    and 2 backward; with sequence parallelism each is an all-gather and a
    reduce-scatter of together the same bytes. The inputs of the two column
    products stay gathered for their weight gradients, 2 s·b·h numbers a layer
    and microbatch in flight; with `gather-again` they do not, for 2 more
    all-gathers in the backward.

    ```
    %y = dfg.matmul "sbi,hi->sbh" %x, %w {dfg.factors = [[], [], ["tp"], []]} …
    %z = dfg.layer_norm %y …
    →
    %y = dfg.matmul … {dfg.sharding = [#dfg.sharding<[_, _, _],
        partial sum [tp]>]}
    %r = dfg.reshard %y from #dfg.sharding<[_, _, _], partial sum [tp]>
        to #dfg.sharding<[_, _, _]>
    %z = dfg.layer_norm %r …
    ```
  }];
  let options = [
    Option<"gatherAgain", "gather-again", "bool", "false",
           "Gather in the backward again what the forward gathered, rather "
           "than keep it">,
  ];
}

def LocalizePass : Pass<"dfg-localize", "::mlir::ModuleOp"> {
  let summary =
      "Replaces global shapes by one rank's and reshards by collectives";
  let description = [{
    Types become those that one rank holds; each reshard becomes the cheapest
    path of collectives (`ReshardPath.h`); ops whose meaning depends on where
    their shard starts get that start as a function of the mesh coordinate;
    parameters get their local type and keep the global one as `global_type`.

    *Before:* true states on all values (dfg-insert-reshards). *After:* local
    types, no `dfg.reshard`, no `dfg.factors`; `dfg.sharding` stays.

    ```
    %r = dfg.reshard %y from #dfg.sharding<[_, _], partial sum [tp]>
        to #dfg.sharding<[tp, _]> : tensor<8x4xf32>
    →
    %r = dfg.reduce_scatter %y {axes = ["tp"], dim = 0 : i64}
        : tensor<8x4xf32> -> tensor<4x4xf32>
    ```
  }];
}

def ScatterGatherPass : Pass<"dfg-scatter-gather", "::mlir::ModuleOp"> {
  let summary = "Sends each tensor-parallel rank's part of a replicated value";
  let description = [{
    A value that all ranks of tp hold alike need not cross a pipeline cut tp
    times: each rank sends its part and the receivers gather it. Between nodes
    that divides the bytes per link by the size of tp, for one all-gather
    inside the node. Both ends decide by the same shapes, so they agree.

    *Before:* dfg-localize. *After:* no send or receive of a value that is
    replicated over tp and has a dimension that tp divides.

    ```
    dfg.send %x {delta = 1 : i64} : tensor<8x4xf32>
    →
    %p = dfg.all_slice %x {axes = ["tp"], dim = 0 : i64}
        : tensor<8x4xf32> -> tensor<4x4xf32>
    dfg.send %p {delta = 1 : i64} : tensor<4x4xf32>
    ```
  }];
}

#endif
