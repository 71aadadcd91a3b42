// The speed of a run's steps.
#ifndef ORRERY_RUNTIME_EXEC_BENCHMARK_H
#define ORRERY_RUNTIME_EXEC_BENCHMARK_H

#include "frontend/job/Job.pb.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Floating-point operations of one training step that the model needs, without
/// recomputation: 72 t L h^2 (1 + s / 6h + V / 12 L h) for t tokens, as for a
/// GPT whose hidden layer is 4h wide, whose vocabulary has V tokens with its
/// padding, and whose attention is counted whole, causal or not. Source: D.
/// Narayanan et al., SC 2021, equation 3, with the factor 96 of recomputation
/// replaced by 72.
double modelFlops(const job::JobSpec &job, int64_t samples);

struct BenchmarkResult {
  int64_t steps = 0;       // measured: the second half of the run's
  double milliseconds = 0; // of the median step
  double tokensPerSecond = 0;
  double teraflopsPerRank = 0; // of the model, not of the hardware
};

/// `milliseconds` of all steps of the run, each of `samples` samples.
BenchmarkResult benchmarkOf(const job::JobSpec &job, int64_t samples,
                            std::vector<double> milliseconds);

/// One line of JSON.
std::string benchmarkLine(const BenchmarkResult &result, int ranks,
                          int64_t memoryBytes, double firstLoss,
                          double lastLoss);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_BENCHMARK_H
