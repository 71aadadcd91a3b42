// Passes of the fuse stage: after sharding and update, before scheduling.
#ifndef ORRERY_PASSES_FUSE_PASSES
#define ORRERY_PASSES_FUSE_PASSES

include "mlir/Pass/PassBase.td"

def DfgDecompose : Pass<"dfg-decompose", "::mlir::ModuleOp"> {
  let summary = "Writes norms as elementwise ops and row reductions";
  let description = [{
    A layer norm is three walks over a row that depend on each other by two
    numbers only. Written out, it fuses with the residual addition before it
    and the gradient that follows it like any other elementwise work. All
    arithmetic is f32; 16-bit operands and results are cast.

    Before: shapes are local. After: no `dfg.layer_norm` and no
    `dfg.layer_norm_grad`; the gradients of scale and shift are
    `dfg.reduce sum` over the leading dimensions.

    Example: `%y, %mean, %rstd = dfg.layer_norm %x, %g, %b {epsilon = …}`
    becomes, with [m] for a broadcast of m,
    ```
    mean = reduce_sum(x) / h
    d    = x - [mean]
    rstd = rsqrt(reduce_sum(d d) / h + epsilon)
    y    = d [rstd] [g] + [b]
    ```
    and with xhat = (x - [mean]) [rstd], t = dy [g], its gradient becomes
    ```
    dx = [rstd] (t - [reduce_sum(t) / h] - xhat [reduce_sum(t xhat) / h])
    dg = column_sum(dy xhat),  db = column_sum(dy)
    ```
  }];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

def DfgSplitColumnSums : Pass<"dfg-split-column-sums", "::mlir::ModuleOp"> {
  let summary = "Gives sums over rows a first stage that fuses";
  let description = [{
    The gradients of biases and of a norm's scale and shift are sums over all
    rows of a tensor that is at hand when it is computed. A sum of n x h
    elements becomes sums of every p-th row, which the producer's kernel keeps
    in registers, and a small sum over these p rows:

    Before: `%g = dfg.reduce sum %x {dims = [0, 1]}
        : tensor<64x4x32xf32> -> tensor<32xf32>`
    After, with parts = 16:
    ```
    %p = dfg.partial_sum %x : tensor<64x4x32xf32> -> tensor<16x32xf32>
    %g = dfg.reduce sum %p {dims = [0]} : tensor<16x32xf32> -> tensor<32xf32>
    ```
    Saves reading x again, and writing it where only the sum needs it: a layer
    norm's backward no longer writes and reads two f32 tensors of [s, b, h].

    p is `parts`, twice the number of multiprocessors, or half as many again
    where these then have more rows to work on at a time: as many blocks of
    threads as run at once, each of which adds up all its rows. Sums of fewer
    than 4 p rows stay, and so do those of more than `max-columns` columns.
  }];
  let options = [
    Option<"parts", "parts", "int64_t", "264", "Partial sums of a column">,
    Option<"maxColumns", "max-columns", "int64_t", "16384",
           "Columns of the longest rows whose sums a kernel can keep">];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

def DfgFuse : Pass<"dfg-fuse", "::mlir::ModuleOp"> {
  let summary = "Groups fusable ops of one iteration space into kernels";
  let description = [{
    Every group is one walk over the rows of its iteration space: operands are
    read once, only values used outside the group are written.

    First, `dfg.accumulate_grad` takes a gradient as it was before a cast to 16
    bits: it adds to f32, and a sum over rows adds there itself. Then

    1. Constants, broadcasts and widening casts are copied to each user: they
       cost less than the memory they would fill.
    2. In program order, each fusable op joins the groups of its producers,
       then those that read the same rows, when
       - both work on one iteration space, or one works on the rows of the
         other (a number per row);
       - no other op depends on one and feeds the other, the order of messages
         and of reads and writes of one state counting as dependence;
       - `dfg.begin_backward` does not lie between.
    3. Groups become `dfg.fused`; other ops keep their order unless they must
       wait for a group.

    A reduction is fusable over the last dimension only.

    Before: shapes are local, norms are decomposed. After: fusable ops are
    inside `dfg.fused`, except reductions over leading dimensions.

    Saves, for a chain of k elementwise ops over n elements, 2 (k - 1) n
    accesses of memory. Bias, dropout, residual and the next norm (11 ops)
    read 2 and write 2 tensors instead of reading 20 and writing 11.

    Example: `%1 = dfg.broadcast %b …; %2 = dfg.add %x, %1` becomes
    ```
    %2 = dfg.fused shape [64, 4, 32] ins(%x, %b
        : tensor<64x4x32xf32>, tensor<32xf32>) {
    ^bb0(%0: tensor<64x4x32xf32>, %1: tensor<32xf32>):
      %3 = dfg.broadcast %1 {dims = array<i64: 2>}
          : tensor<32xf32> to tensor<64x4x32xf32>
      %4 = dfg.add %0, %3 : tensor<64x4x32xf32>
      dfg.yield %4 : tensor<64x4x32xf32>
    } : tensor<64x4x32xf32>
    ```
  }];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

#endif
