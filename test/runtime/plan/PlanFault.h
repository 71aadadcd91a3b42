// One fault in a sound plan, and that the check finds it.
#ifndef ORRERY_TEST_RUNTIME_PLAN_PLANFAULT_H
#define ORRERY_TEST_RUNTIME_PLAN_PLANFAULT_H

#include "runtime/plan/PlanCheck.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace orrery::test {

/// One change that makes a sound plan (pp 2, tp 2) unsound, and words that the
/// message must have.
struct Fault {
  std::string name;
  std::function<void(plan::Plan &)> make;
  std::vector<std::string> words;
};

inline void expectFound(const Fault &fault) {
  plan::Plan plan = toyPlan({.pp = 2, .tp = 2});
  fault.make(plan);
  absl::Status status = runtime::checkPlan(plan);
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const std::string &word : fault.words)
    EXPECT_NE(status.message().find(word), std::string::npos)
        << "no '" << word << "' in: " << status.message();
}

inline std::string nameOfFault(const ::testing::TestParamInfo<Fault> &info) {
  return info.param.name;
}

} // namespace orrery::test

#endif // ORRERY_TEST_RUNTIME_PLAN_PLANFAULT_H
