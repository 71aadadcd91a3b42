// Tensors of doubles and their parts on the ranks of a mesh.
#ifndef ORRERY_TEST_INTERPRETER_TENSOR_H
#define ORRERY_TEST_INTERPRETER_TENSOR_H

#include "dialects/dfg/DfgDialect.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include <vector>

namespace orrery::interpreter {

using Shape = llvm::SmallVector<int64_t, 4>;

/// A row-major tensor. Integers are held as doubles too.
struct Tensor {
  Shape shape;
  std::vector<double> data;

  Tensor() = default;
  Tensor(llvm::ArrayRef<int64_t> shape, double fill);

  int64_t size() const { return static_cast<int64_t>(data.size()); }
  /// Position of `index` in `data`.
  int64_t at(llvm::ArrayRef<int64_t> index) const;

  /// The block that begins at `start`.
  Tensor block(llvm::ArrayRef<int64_t> start,
               llvm::ArrayRef<int64_t> sizes) const;
  /// Sets the block that begins at `start`.
  void place(llvm::ArrayRef<int64_t> start, const Tensor &part);
};

/// Calls `action` for every index of `shape` in row-major order.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> action);

/// Largest |a - b| over all elements, relative to the largest |b| or 1.
/// Infinite when the shapes differ.
double distance(const Tensor &a, const Tensor &b);

/// Coordinate of `rank` on `axis`; 0 when the mesh has no such axis.
///   mesh <pp = 2, tp = 4>, rank 6: pp 1, tp 2
int64_t coordinate(dfg::MeshAttr mesh, int64_t rank, mlir::StringAttr axis);

/// The value of `index` on `rank`.
int64_t valueOn(dfg::IndexAttr index, dfg::MeshAttr mesh, int64_t rank);

/// The part of `global` that `rank` holds under the dimensions of `sharding`.
Tensor shardOf(const Tensor &global, const dfg::Sharding &sharding,
               dfg::MeshAttr mesh, int64_t rank);

/// A part and the rank that holds it.
struct Part {
  int64_t rank;
  const Tensor *tensor;
};

/// The global tensor whose state on the mesh is `sharding`: shards side by
/// side, partial values combined. `parts` are those of all ranks, or of all
/// that share some coordinates (a pipeline stage). Fails with a message when
/// replicas differ by more than `tolerance` (see `distance`).
mlir::FailureOr<Tensor> assemble(llvm::ArrayRef<Part> parts,
                                 const dfg::Sharding &sharding,
                                 dfg::MeshAttr mesh, double tolerance = 1e-9);

} // namespace orrery::interpreter

#endif // ORRERY_TEST_INTERPRETER_TENSOR_H
