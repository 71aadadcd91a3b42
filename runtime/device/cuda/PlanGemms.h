// The matrix products of a plan: one choice of algorithms for all ranks.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_PLANGEMMS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_PLANGEMMS_H

#include "runtime/comm/Communicator.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/plan/Plan.pb.h"

#include <memory>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {

/// The product apart from its addresses, which keep the alignment that offsets
/// and slots have in the class's arena.
GemmProblem gemmProblem(const plan::Gemm &op, const plan::RankClass &rankClass);

/// Rank 0 measures the products of every class, so that ranks that run the same
/// product get the same bits whatever their stage; the others take over what it
/// chose. Use: open, then choose on rank 0, then share on all ranks.
class PlanGemms {
public:
  /// Opens the library if the plan has products. Errors: CublasLt's,
  /// GemmLibrary's.
  absl::Status open(const plan::Plan &plan, bool allowTf32, bool search);
  /// Measures what the file `cache` (may be empty) does not have, and writes it
  /// there; a file that cannot be read or written costs a warning.
  absl::Status choose(const std::string &cache);
  /// A collective: takes over rank 0's choices. A rank whose GPU or library
  /// differs measures for itself.
  absl::Status share(Communicator &world);

  absl::StatusOr<PreparedGemm *> prepare(const GemmProblem &problem);

  bool empty() const { return problems.empty(); }
  /// The type of A and B in most products. Requires one.
  kernels::ElementType commonType() const;
  /// A product that need not be of the plan, measured now.
  absl::StatusOr<PreparedGemm *> prepareFastest(const GemmProblem &problem);
  /// "matrix products: 31 forms, cuBLASLt 13.2.1, …"; empty without products.
  std::string text() const;

private:
  std::vector<GemmProblem> problems; // distinct
  std::unique_ptr<GemmLibrary> library;
  GemmAlgorithms algorithms;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_PLANGEMMS_H
