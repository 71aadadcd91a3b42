// Ops that give a plan its structure: classes, buffers, programs, schedules.
#ifndef ORRERY_DIALECTS_RANK_STRUCTURE
#define ORRERY_DIALECTS_RANK_STRUCTURE

include "dialects/rank/RankEnums.td"
include "dialects/dfg/DfgAttributes.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Rank_CommunicatorOp : Rank_Op<"communicator", [Symbol]> {
  let summary = "Declares a communicator of the plan";
  let description = [{
    One group of ranks per combination of the coordinates not in `axes`; with
    `only`, just the ranks at these coordinates of the single axis. All ranks
    create the plan's communicators in the order of these ops.

    Example: `rank.communicator @pp_0_3 {axes = ["pp"], only = array<i64: 0, 3>}`
    - (C1) `only` needs exactly one axis.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$axes,
                       OptionalAttr<DenseI64ArrayAttr>:$only);
  let assemblyFormat = "$sym_name attr-dict";
  let hasVerifier = 1;
}

def Rank_ClassOp : Rank_Op<"class", [Symbol, SymbolTable, NoTerminator,
                                     SingleBlock, IsolatedFromAbove]> {
  let summary = "Holds the buffers and programs of one rank class";
  let description = [{
    The pipeline stages `stages` run it; `first_layers` are the global indices
    of their first transformer layers, `warmups` the forwards before their first
    backward and `slots` the microbatches that they have in flight.
    `dfg-memory` sets `fixed_bytes` (what exists once) and `slot_bytes` (what
    exists per slot): a member needs fixed_bytes + slots * slot_bytes.

    Example:
    ```
    rank.class @stage0 attributes {stages = array<i64: 0>,
        first_layers = array<i64: 0>, warmups = array<i64: 1>,
        slots = array<i64: 2>} {
    }
    ```
    - (C1) the four arrays have one entry per member.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DenseI64ArrayAttr:$stages,
      DenseI64ArrayAttr:$first_layers, DenseI64ArrayAttr:$warmups,
      DenseI64ArrayAttr:$slots, OptionalAttr<I64Attr>:$fixed_bytes,
      OptionalAttr<I64Attr>:$slot_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Of a member with `slots` slots; requires both sizes.
    int64_t getArenaBytes(int64_t slots);
    /// Of the member with the most slots.
    int64_t getPeakBytes();
  }];
}

def Rank_BufferOp : Rank_Op<"buffer", [Symbol]> {
  let summary = "Declares a range of the arena";
  let description = [{
    `slots` copies exist, one per microbatch in flight; 0 stands for the
    member's number. `offset` and `slot_stride` are set by `rank-memory`. A
    `work` buffer lives inside one program only and shares its bytes with
    others. `label` is the name the host knows (inputs, scalars).

    Example: `rank.buffer work @b3 : memref<64x4x32xf32> {slots = 1 : i64}`
  }];
  let arguments = (ins Rank_BufferKindAttr:$kind, SymbolNameAttr:$sym_name,
      TypeAttrOf<AnyMemRef>:$type, I64Attr:$slots,
      OptionalAttr<StrAttr>:$label, OptionalAttr<I64Attr>:$offset,
      OptionalAttr<I64Attr>:$slot_stride);
  let assemblyFormat = "$kind $sym_name `:` $type attr-dict";
  let extraClassDeclaration = "int64_t getByteSize();";
}

def Rank_BucketOp : Rank_Op<"bucket", [Symbol]> {
  let summary = "Names the buffers of one bucket of parameters";
  let description = [{
    `fields` are "weight", "gradient" and the optimizer states, `buffers` the
    buffers that hold them.

    Example: `rank.bucket @decayed {fields = ["weight", "gradient"],
        buffers = [@w, @g], weight_decay = true, elements = 4096 : i64}`
    - (C1) one buffer per field.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$fields,
      TypedArrayAttrBase<FlatSymbolRefAttr, "buffers">:$buffers,
      BoolAttr:$weight_decay, I64Attr:$elements);
  let assemblyFormat = "$sym_name attr-dict";
  let hasVerifier = 1;
}

def Rank_ParameterOp : Rank_Op<"parameter"> {
  let summary = "Names a parameter and its place in a bucket";
  let description = [{
    Example:
    ```
    rank.parameter "layers.{layer}.w" in @decayed at 128 {layer = 0 : i64,
        global_shape = array<i64: 96, 32>, init_std = 0.02 : f64,
        init_value = 0.0 : f64, owner = true,
        sharding = #dfg.sharding<[tp, _]>}
    ```
  }];
  let arguments = (ins StrAttr:$name, FlatSymbolRefAttr:$bucket,
      I64Attr:$offset, I64Attr:$layer, DenseI64ArrayAttr:$global_shape,
      Dfg_ShardingAttr:$sharding, F64Attr:$init_std, F64Attr:$init_value,
      BoolAttr:$owner);
  let assemblyFormat = "$name `in` $bucket `at` $offset attr-dict";
}

def Rank_ProgramOp : Rank_Op<"program", [Symbol, NoTerminator, SingleBlock]> {
  let summary = "Holds a list of instructions";
  let description = [{
    forward, backward, update, evaluate or evaluate_finish.

    Example: `rank.program @forward { }`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

def Rank_PhaseOp : Rank_Op<"phase", []> {
  let summary = "Runs programs a number of times";
  let description = [{
    With m microbatches and the member's warm-up w: `first` is min(w, m) times,
    `rest` m - min(w, m) times, `all` m times, `once` once.

    Example: `rank.phase rest ["forward", "backward"]`
  }];
  let arguments = (ins Rank_CountAttr:$count, StrArrayAttr:$programs);
  let assemblyFormat = "$count $programs attr-dict";
}
def Rank_ScheduleOp : Rank_Op<"schedule", [NoTerminator, SingleBlock]> {
  let summary = "Orders the programs of a step";
  let description = [{
    Example (1F1B; stage 0 of 2 with 4 microbatches runs F F B F B F B B):
    ```
    rank.schedule "train" {
      rank.phase first ["forward"]
      rank.phase rest ["forward", "backward"]
      rank.phase first ["backward"]
      rank.phase once ["update"]
    }
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name attr-dict-with-keyword $body";
}

#endif
