// The fastest of several ways to compute a matrix product, by measuring.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/device/cuda/GemmOperands.h"
#include "runtime/device/cuda/Memory.h"

#include <memory>
#include <vector>

namespace orrery::runtime::cuda {

/// Every candidate first runs once for warming up and once against the clock,
/// in the library's order, until half of the time is spent, but at least
/// kAtLeast of them. Those near the best then take turns with graphs of several
/// runs, and medians decide. A later candidate must be 1 % faster than an
/// earlier one, so that equals seldom change places from run to run.
class GemmTuner {
public:
  GemmTuner(const GemmLibrary &library, const GemmOptions &options)
      : library(library), options(options) {}

  /// The fastest candidate with its time; the first, without a time, where
  /// tuning is off, there is no other, or random operands do not fit the
  /// device's memory.
  absl::StatusOr<GemmChoice> choose(const GemmProblem &problem);

private:
  static constexpr size_t kAtLeast = 4, kFinalists = 6, kRounds = 7;

  struct Contender {
    size_t index = 0; // of the candidates
    std::unique_ptr<PreparedGemm> gemm;
    double once = 0; // microseconds
    GraphExec graph;
    std::vector<double> times; // microseconds a run
    double median() const;
  };

  absl::Status start();
  absl::StatusOr<std::vector<Contender>>
  prepareAll(const GemmProblem &problem,
             const std::vector<GemmChoice> &choices) const;
  void tryOnce(std::vector<Contender> &contenders,
               const GemmOperands &operands);
  absl::Status compete(std::vector<Contender> &contenders,
                       const GemmOperands &operands);
  absl::StatusOr<GraphExec> capture(PreparedGemm &gemm,
                                    const GemmOperands &operands, int runs);
  template <typename Enqueue> absl::StatusOr<double> time(Enqueue &&enqueue);

  const GemmLibrary &library;
  const GemmOptions &options;
  Stream stream;
  Event begin, end;
  double spent = 0; // microseconds on the device, for the present product
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H
