// The rank dialect: the program of one rank class, one to one with the plan.
#ifndef ORRERY_DIALECTS_RANK_DIALECT
#define ORRERY_DIALECTS_RANK_DIALECT

include "mlir/IR/OpBase.td"

def Rank_Dialect : Dialect {
  let name = "rank";
  let cppNamespace = "::orrery::rank";
  let summary = "Programs of rank classes over buffers in one arena";
  let description = [{
    What one process does: buffers at fixed offsets of one arena, and programs
    that are lists of instructions over views of them. `passes/emit` writes it
    to the plan one to one (runtime/plan/Plan.proto has the same words).

    Discardable attributes: `dfg.layer` (i64) the transformer layer, relative to
    the stage's first, `rank.label` (string) the operation it came from and
    `rank.flops` (i64) its floating-point work, `rank.stream` (i64) the stream
    that it runs on and `rank.last_run_only` (unit) as in the plan.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::orrery::dfg::DfgDialect"];
}

class Rank_Op<string mnemonic, list<Trait> traits = []>
    : Op<Rank_Dialect, mnemonic, traits>;

#endif
