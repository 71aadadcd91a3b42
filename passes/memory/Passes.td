// Pass of the memory stage: buffers get their offsets.
#ifndef ORRERY_PASSES_MEMORY_PASSES
#define ORRERY_PASSES_MEMORY_PASSES

include "mlir/Pass/PassBase.td"

def RankMemory : Pass<"rank-memory", "::mlir::ModuleOp"> {
  let summary = "Lays every buffer out in one arena per rank";
  let description = [{
    ```
    | weights gradients optimizer scalars boundary | work | slot 0 | slot 1 | …
    |<----------------- fixed_bytes -------------------->|<- slot_bytes ->|
    ```
    What lives across programs gets bytes of its own. Work buffers live from
    the first instruction that names them to the last, in one program; those
    that are not alive together share bytes (largest first, lowest offset that
    is free). Those of an instruction on another stream than the first live for
    `delay` further instructions: that stream may fall behind by so much before
    it holds up the first. What is kept per microbatch in flight (stash, inputs,
    received activations) forms a slot, repeated `slots` times.

    *Before:* buffers without offsets. *After:* every buffer has `offset` (and
    `slot_stride`), the class `fixed_bytes` and `slot_bytes`; the peak of a
    member is fixed_bytes + slots * slot_bytes. A class whose peak is over
    `limit` is refused, with its largest contributors.
  }];
  let options = [Option<"limit", "limit", "int64_t", "0",
                        "Bytes of a device's memory; 0: no limit">,
                 Option<"delay", "delay", "int64_t", "4",
                        "Instructions that a stream may fall behind">];
  let dependentDialects = ["::orrery::rank::RankDialect"];
}

#endif
