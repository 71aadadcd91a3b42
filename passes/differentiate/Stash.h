// Decides which forward values are kept for the backward.
#ifndef ORRERY_PASSES_DIFFERENTIATE_STASH_H
#define ORRERY_PASSES_DIFFERENTIATE_STASH_H

#include "dialects/dfg/DfgDialect.h"
#include "llvm/ADT/MapVector.h"

namespace orrery::passes {

/// What becomes of a forward value that the backward reads, and why.
struct StashChoice {
  bool keep;
  int64_t bytes;          // of the value, over the whole mesh
  llvm::StringRef reason; // for people
};

/// The choices for one function, in the order of the forward.
using Stash = llvm::MapVector<mlir::Value, StashChoice>;

/// The pass's options of the same names.
struct StashOptions {
  int64_t recomputeLayers = 0;
  bool productEpilogues = false;
  bool keepOperands = false;
};

/// Solves for the fewest kept bytes; see the pass's description.
Stash chooseStash(dfg::BeginBackwardOp begin, const StashOptions &options);

/// Computes again, before its first use in the backward, every value that
/// `stash` does not keep.
void rematerialize(dfg::BeginBackwardOp begin, const Stash &stash);

} // namespace orrery::passes

#endif // ORRERY_PASSES_DIFFERENTIATE_STASH_H
