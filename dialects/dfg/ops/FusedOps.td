// Regions that become one generated kernel.
#ifndef ORRERY_DIALECTS_DFG_FUSEDOPS
#define ORRERY_DIALECTS_DFG_FUSEDOPS

include "dialects/dfg/ops/ElementwiseOps.td"

def Dfg_FusedOp : Dfg_Op<"fused", [IsolatedFromAbove, SingleBlock,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "Computes a group of ops in one pass over memory";
  let description = [{
    The region has one argument per operand and yields one value per result.
    All its ops share one iteration space: `shape`, whose last dimension is the
    columns and whose others are the rows. A value in it has the full shape or
    lacks some of its dimensions: one number per row lacks the columns, a bias
    lacks the rows, a single number lacks all. Sums over rows leave the space by
    `dfg.partial_sum`, whose result is only yielded.

    Example:
    ```
    %y = dfg.fused shape [64, 4, 32] ins(%x, %b
        : tensor<64x4x32xf32>, tensor<32xf32>) {
    ^bb0(%0: tensor<64x4x32xf32>, %1: tensor<32xf32>):
      %2 = dfg.broadcast %1 {dims = array<i64: 2>}
          : tensor<32xf32> to tensor<64x4x32xf32>
      %3 = dfg.add %0, %2 : tensor<64x4x32xf32>
      dfg.yield %3 : tensor<64x4x32xf32>
    } : tensor<64x4x32xf32>
    ```
    - (C1) every op inside is fusable; (C2) types of arguments and yields agree
      with operands and results; (C3) every value fits the iteration space.
  }];
  let arguments = (ins Variadic<Dfg_Tensor>:$inputs,
                       DenseI64ArrayAttr:$shape);
  let results = (outs Variadic<Dfg_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{`shape` custom<BareShape>($shape)
      (`ins` `(` $inputs^ `:` type($inputs) `)`)? attr-dict-with-keyword $body
      (`:` type($outputs)^)?}];
  let hasVerifier = 1;
}

def Dfg_YieldOp : Dfg_Op<"yield", [Pure, Terminator,
                                   ParentOneOf<["FusedOp"]>]> {
  let summary = "Ends a fused region with its results";
  let description = [{
    One value per result of the region's op.

    Example:
    ```
    %y = dfg.fused shape [4] ins(%x : tensor<4xf32>) {
    ^bb0(%0: tensor<4xf32>):
      dfg.yield %0 : tensor<4xf32>
    } : tensor<4xf32>
    ```
  }];
  let arguments = (ins Variadic<Dfg_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), "">];
}

#endif
