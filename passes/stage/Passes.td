// Passes of the stage stage.
#ifndef ORRERY_PASSES_STAGE_PASSES
#define ORRERY_PASSES_STAGE_PASSES

include "mlir/Pass/PassBase.td"

def DfgStage : Pass<"dfg-stage", "::mlir::ModuleOp"> {
  let summary = "Cuts the program into pipeline stages and rank classes";
  let description = [{
    Stage r of p holds layers [r L/p, (r + 1) L/p); what comes before the first
    layer goes to stage 0, what comes behind the last to stage p - 1. Each
    value that passes to the next stage is sent as the last op of the forward
    and received as the first op there; gradients travel back alike.

    Stages that follow each other and whose programs are equal but for the
    index of their first layer become one rank class. All layer indices, also
    in parameter names, count from the first layer of the stage.

    Before: `dfg.layer` on every op, `dfg.mesh` with axis pp on the module.
    After: one nested module per rank class, with `dfg.stages` and
    `dfg.first_layers`, its own parameters, and functions with the arguments
    that they use. A parameter that several stages read is `tied` and names
    them as its `owners`.

    Communication: one message per neighbour, direction and microbatch.

    Example, with two layers on two stages:
    ```
    module @stage0 attributes {dfg.first_layers = array<i64: 0>,
                               dfg.stages = array<i64: 0>} {
      func.func @train(…) {
        …
        dfg.send %y {delta = 1 : i64, dfg.layer = 0 : i64} : tensor<4x2x8xf32>
        dfg.begin_backward
        %dy = dfg.receive {delta = 1 : i64, dfg.layer = 0 : i64}
            : tensor<4x2x8xf32>
        …
    ```
  }];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

#endif
