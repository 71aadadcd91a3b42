// Passes of the differentiate stage.
#ifndef ORRERY_PASSES_DIFFERENTIATE_PASSES
#define ORRERY_PASSES_DIFFERENTIATE_PASSES

include "mlir/Pass/PassBase.td"

def DfgDifferentiate : Pass<"dfg-differentiate", "::mlir::ModuleOp"> {
  let summary = "Appends the backward and chooses what is kept for it";
  let description = [{
    Reverse-mode differentiation of every function with an `objective` metric.
    The gradient of the objective is the scalar `loss_seed`; each op builds its
    own backward; each use of a weight ends in one `dfg.accumulate_grad`.
    Gradients of slices that cover a value are joined, not padded and added.

    Then, for each forward value that the backward reads, the choice: keep it
    from the forward (it costs its bytes once per microbatch in flight) or
    compute it again. Recomputable are elementwise ops and views inside one
    layer, and, with `recompute-layers`, everything inside a group of layers;
    what passes from one layer (group) to the next is not. Among all choices
    the one with the fewest kept bytes is taken (a minimum cut), where a value
    that the forward would write to memory for this alone counts 9/8; at equal
    cost the one that recomputes least. Written anyway is what an op outside of
    kernels reads, a residual sum, which a later kernel reads behind the
    products between, and, with `product-epilogues`, the x w + b of a gelu.
    With `keep-operands` no memory pass is spent on saving memory: a value that
    the forward wrote and a matrix product of the backward reads is kept (the
    gelu before the second product of an MLP: 4 h more).

    Before: forward over global tensors, `dfg.layer` on every op.
    After: `dfg.begin_backward` and the backward behind it, ops with the
    `dfg.layer` of the op that they differentiate; recomputed ops stand before
    their first use and carry `dfg.recompute`.

    Costs per transformer layer of s·b tokens, hidden size h: the results of
    four matrix products (9 h), attention (h), two norms and two residuals
    (4 h): 14 h numbers per token; with `recompute-layers=N` it is h / N.

    Example: of y = gelu(x w + b) it keeps x w alone (x w + b, of the same size,
    with `product-epilogues`):
    ```
    %0 = dfg.matmul "sbi,oi->sbo" %x, %w …
    …
    dfg.begin_backward
    %1 = dfg.add %0, %b {dfg.recompute}
    %2 = dfg.gelu_grad tanh %dy, %1
    ```
  }];
  let options = [
    Option<"recomputeLayers", "recompute-layers", "int64_t", "0",
           "Layers of a group that is recomputed from its input; 0: none">,
    Option<"productEpilogues", "product-epilogues", "bool", "false",
           "Matrix products add their bias themselves: x w + b under a gelu "
           "costs no write">,
    Option<"keepOperands", "keep-operands", "bool", "false",
           "Keep what matrix products of the backward read and the forward "
           "wrote, more bytes for fewer passes over memory">
  ];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

#endif
