// The fastest of several ways to compute a matrix product, by measuring.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/Gemm.h"
#include "runtime/device/cuda/GemmOperands.h"
#include "runtime/device/cuda/Memory.h"

#include <memory>
#include <optional>
#include <vector>

namespace orrery::runtime::cuda {

/// Every proposal of the library first runs once for warming up and once
/// against the clock, in the library's order, until half of the time is spent,
/// but at least kAtLeast of them. Products that take long enough are then
/// searched further (GemmSearch.h), a run each again. The best proposals and
/// the best that was found take turns with graphs of several runs, for by then
/// the card is as warm as in training, and medians decide. A later candidate
/// must be faster than an earlier one by half a percent, so that equals seldom
/// change places from run to run; one that the library did not propose must
/// give the result of the first proposal that runs.
class GemmTuner {
public:
  GemmTuner(const GemmLibrary &library, const GemmOptions &options)
      : library(library), options(options) {}

  /// The fastest candidate with its time; the first, without a time, where
  /// tuning is off, there is no other, or random operands do not fit the
  /// device's memory. Internal where none runs.
  absl::StatusOr<GemmChoice> choose(const GemmProblem &problem);

private:
  static constexpr size_t kAtLeast = 4, kProposals = 6, kFound = 10,
                          kRounds = 7; // finalists of two kinds

  struct Contender {
    size_t order = 0;   // proposals in the library's order, then others
    bool found = false; // not proposed
    GemmChoice choice;
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
  /// Microseconds of a run behind a first one; nothing where it fails.
  std::optional<double> timeOnce(PreparedGemm &gemm,
                                 const GemmOperands &operands);
  void tryProposals(std::vector<Contender> &contenders,
                    const GemmOperands &operands);
  absl::Status search(const GemmProblem &problem,
                      const std::vector<GemmChoice> &proposals,
                      std::vector<Contender> &contenders,
                      const GemmOperands &operands);
  static void keepFinalists(std::vector<Contender> &contenders);
  static double shortest(const std::vector<Contender> &contenders);
  absl::Status compete(std::vector<Contender> &contenders,
                       const GemmOperands &operands);
  absl::StatusOr<GraphExec> capture(PreparedGemm &gemm,
                                    const GemmOperands &operands, int runs);
  /// The fastest; one that was found agrees with `truth`, which is `first`
  /// prepared, the last resort.
  GemmChoice decide(const GemmChoice &first, PreparedGemm &truth,
                    std::vector<Contender> contenders,
                    const GemmOperands &operands);
  template <typename Enqueue> absl::StatusOr<double> time(Enqueue &&enqueue);

  const GemmLibrary &library;
  const GemmOptions &options;
  Stream stream;
  Event begin, end;
  double spent = 0; // microseconds on the device, for the present product
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMTUNER_H
