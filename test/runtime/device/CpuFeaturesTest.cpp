// Whether a machine fits a plan's target.
#include "runtime/device/cpu/CpuFeatures.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

plan::Target target(std::vector<std::string> features) {
  plan::Target target;
  target.set_name("cpu");
  target.set_cpu("x86-64-v3");
  for (const std::string &feature : features)
    target.add_features(feature);
  return target;
}

TEST(CheckTarget, KnowsLlvmsNamesOfFeatures) {
  EXPECT_TRUE(checkTarget(target({"sse4.1", "+lzcnt", "avx2", "-avx512f"}),
                          {"sse4_1", "abm", "avx2"})
                  .ok());
}

TEST(CheckTarget, ListsWhatIsMissing) {
  absl::Status status = checkTarget(target({"avx2", "fma"}), {"sse2"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("lacks avx2, fma"), absl::string_view::npos)
      << status;
}

TEST(CheckTarget, RefusesPlansForOtherDevices) {
  plan::Target gpu;
  gpu.set_name("sm_90");
  EXPECT_FALSE(checkTarget(gpu, {}).ok());
  plan::Target other = target({});
  other.set_triple("riscv64-unknown-linux-gnu");
  EXPECT_NE(checkTarget(other, {}).message().find("riscv64"),
            absl::string_view::npos);
}

TEST(MachineFeatures, AreKnown) { EXPECT_FALSE(machineFeatures().empty()); }

} // namespace
} // namespace orrery::runtime
