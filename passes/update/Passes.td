// Passes of the update stage.
#ifndef ORRERY_PASSES_UPDATE_PASSES
#define ORRERY_PASSES_UPDATE_PASSES

include "mlir/Pass/PassBase.td"

def DfgUpdate : Pass<"dfg-update", "::mlir::ModuleOp"> {
  let summary = "Groups parameters into buckets and writes the optimizer step";
  let description = [{
    Parameters with the same weight decay, element type and partial axes of the
    gradient form a bucket; inside it, parameters with the same sharded axes and
    owners form a range. Function @update then
    1. sums each bucket's gradient over its partial axes, and its tied ranges
       over the owning stages;
    2. takes the global norm: squares of each range, ranges that are sharded
       alike summed over those axes, then over pp. Replicas are not summed and
       of a tied range only the first owner's counts, so every element counts
       once;
    3. clips by min(1, clip / (norm + 1e-6)) and lets the optimizer write
       weights and states;
    4. reduces the metrics. @evaluate_finish does that alone.

    adam, at step t with correction_i = 1 - beta_i^t from the host:
      m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
      p -= lr ((m / correction1) / (sqrt(v / correction2) + eps) + decay p)
    sgd: m = momentum m + (g + decay p),  p -= lr m
    16-bit weights are rounded from a state "master" in f32. With a scaled loss
    gradients are first multiplied by inverse_scale; when one of them is not
    finite, on any rank, all fields stay as they are and "overflow" is 1.

    All ranks of a communicator meet its collectives in one order: reductions
    of buckets stay inside a stage or among the owners of a tied parameter;
    every stage takes part once in the norm's reduction over pp.

    Before: shapes are local, `dfg.sharding` on parameters, on
    `dfg.accumulate_grad` and on `dfg.metric`.
    After: every parameter is in one `dfg.bucket`; @update, @evaluate_finish.

    Costs per step and rank: one all-reduce of a bucket's bytes per bucket with
    partial axes, 8 bytes for each group of the norm, 8 over pp.

    Example:
    ```
    dfg.bucket @decay_partial_dp : tensor<4096xf32> {…}
    func.func @update() {
      %0 = dfg.bucket_read @decay_partial_dp "gradient" …
      %1 = dfg.all_reduce sum %0 {axes = ["dp"]} : tensor<4096xf32>
      dfg.bucket_write @decay_partial_dp "gradient", %1 …
    ```
  }];
  let options = [
    Option<"optimizer", "optimizer", "std::string", "\"adam\"",
           "adam or sgd">,
    Option<"beta1", "beta1", "double", "0.9", "Adam's decay of the mean">,
    Option<"beta2", "beta2", "double", "0.999", "Adam's decay of the square">,
    Option<"epsilon", "epsilon", "double", "1e-8", "Added to Adam's divisor">,
    Option<"momentum", "momentum", "double", "0.9", "Of SGD">,
    Option<"weightDecay", "weight-decay", "double", "0.01",
           "Of the buckets that decay">,
    Option<"clip", "clip", "double", "1.0", "Largest norm; 0: no clipping">,
    Option<"scaledLoss", "scaled-loss", "bool", "false",
           "The loss has a scale: gradients are multiplied by inverse_scale "
           "and a gradient that is not finite leaves everything as it was">,
    Option<"logParamsNorm", "log-params-norm", "bool", "false",
           "Write the metric params_norm">,
    Option<"logNumZeros", "log-num-zeros", "bool", "false",
           "Write the metric num_zeros, of the gradients">
  ];
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

#endif
