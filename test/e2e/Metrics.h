// Reading metrics files, and comparing two runs by them.
#ifndef ORRERY_TEST_E2E_METRICS_H
#define ORRERY_TEST_E2E_METRICS_H

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::test {

struct StepMetrics {
  int64_t step = 0;
  double lmLoss = 0;
  double gradNorm = 0;
  double learningRate = 0;
  int64_t consumedSamples = 0;
};

struct EvaluationMetrics {
  int64_t step = 0;
  double validLoss = 0; ///< 0 in a line of the test split
  double testLoss = 0;
};

struct Metrics {
  std::vector<StepMetrics> steps;
  std::vector<EvaluationMetrics> evaluations;
  /// Every line without the times, which differ from run to run.
  std::vector<std::string> lines;
};

/// Adds a test failure when the file is not there or a line is no JSON object.
Metrics readMetrics(const std::string &path);

/// The steps of both, one to one, with losses within `tolerance` relative to
/// `expected`; the evaluations likewise.
testing::AssertionResult lossesAgree(const Metrics &actual,
                                     const Metrics &expected, double tolerance);

/// The part of `metrics` behind step `step`.
Metrics after(const Metrics &metrics, int64_t step);

} // namespace orrery::test

#endif // ORRERY_TEST_E2E_METRICS_H
