// Reproducible operands for kernel tests, and comparison with the truth.
#ifndef ORRERY_TEST_KERNELS_SAMPLES_H
#define ORRERY_TEST_KERNELS_SAMPLES_H

#include "kernels/ref/Philox.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace orrery::kernels {

/// `count` floats, uniform in [-1, 1).
inline std::vector<float> uniform(size_t count, uint64_t key) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    uint32_t word = Philox4x32::generate(i, 0, key)[0];
    values[i] = static_cast<float>(word / 2147483648.0 - 1.0);
  }
  return values;
}

inline std::vector<double> widen(const std::vector<float> &values) {
  return std::vector<double>(values.begin(), values.end());
}

/// Every element within `tolerance` of the truth, relative to the truth's
/// largest magnitude (at least 0.1: some gradients cancel); prints the worst.
inline void expectClose(const std::vector<float> &actual,
                        const std::vector<double> &truth, double tolerance,
                        const char *what) {
  ASSERT_EQ(actual.size(), truth.size()) << what;
  double magnitude = 0.1, worst = 0;
  size_t where = 0;
  for (double x : truth)
    if (std::isfinite(x))
      magnitude = std::max(magnitude, std::fabs(x));
  for (size_t i = 0; i < truth.size(); ++i) {
    if (std::isinf(truth[i])) {
      ASSERT_EQ(actual[i], static_cast<float>(truth[i])) << what << " " << i;
      continue;
    }
    double error = std::fabs(actual[i] - truth[i]);
    if (std::isnan(error))
      error = INFINITY; // else a later comparison would forget it
    if (error > worst) {
      worst = error;
      where = i;
    }
  }
  EXPECT_LE(worst, tolerance * magnitude)
      << what << " element " << where << ": " << actual[where] << ", truth "
      << truth[where];
}

} // namespace orrery::kernels

#endif // ORRERY_TEST_KERNELS_SAMPLES_H
