// Meaning of each op on one rank, in double precision and written for reading.
#ifndef ORRERY_TEST_INTERPRETER_EVALUATE_H
#define ORRERY_TEST_INTERPRETER_EVALUATE_H

#include "test/interpreter/Tensor.h"

namespace orrery::interpreter {

/// What an op may know of the rank that runs it.
struct RankContext {
  dfg::MeshAttr mesh;
  int64_t rank = 0;
  /// Index of the microbatch, part of every dropout coordinate.
  int64_t microbatch = 0;
  /// Global index of layer 0 of the rank's program.
  int64_t firstLayer = 0;

  int64_t value(dfg::IndexAttr index) const {
    return valueOn(index, mesh, rank);
  }
  /// `text` with the global index of `layer` for "{layer}".
  std::string withLayer(llvm::StringRef text, int64_t layer) const;
  /// Key of a random stream: a fixed hash of its name.
  uint64_t streamKey(llvm::StringRef stream, int64_t layer) const;
};

using Tensors = llvm::SmallVector<Tensor>;
/// Operands by position.
using Operands = llvm::ArrayRef<const Tensor *>;

/// Results of `op`, which neither talks to other ranks nor remembers anything.
/// Fails with a diagnostic at an op that does.
mlir::FailureOr<Tensors> evaluate(mlir::Operation *op, Operands operands,
                                  const RankContext &context);

// One per group of ops; std::nullopt when `op` is not of the group.
std::optional<Tensors> evaluateElementwise(mlir::Operation *op,
                                           Operands operands,
                                           const RankContext &context);
std::optional<Tensors> evaluateShape(mlir::Operation *op, Operands operands,
                                     const RankContext &context);
std::optional<Tensors> evaluateModel(mlir::Operation *op, Operands operands,
                                     const RankContext &context);

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_EVALUATE_H
