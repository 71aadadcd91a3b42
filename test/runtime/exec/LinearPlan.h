// A plan small enough to check by hand, and token files for it: the "model" is
// a weight per position, its loss the product of tokens and weights.
//
//   lm_loss = mean over samples of tokens · w      g = mean of tokens
//   w -= lr * g
#ifndef ORRERY_TEST_RUNTIME_EXEC_LINEARPLAN_H
#define ORRERY_TEST_RUNTIME_EXEC_LINEARPLAN_H

#include "absl/status/status.h"
#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <string>

namespace orrery::runtime {

/// On `replicas` ranks of axis dp; four samples a step. Logs and saves every
/// `interval` steps, validates every fourth.
plan::Plan linearPlan(int replicas, int64_t iterations, int64_t interval);

/// Writes PREFIX.bin and PREFIX.idx.
absl::Status writeTokens(const std::string &prefix);

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_EXEC_LINEARPLAN_H
