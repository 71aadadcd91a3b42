// Ranks of a toy plan with arenas, for tests of checkpoints: what the ranks of
// a run would do, one after the other in one process.
#ifndef ORRERY_TEST_RUNTIME_CHECKPOINT_TOYRUN_H
#define ORRERY_TEST_RUNTIME_CHECKPOINT_TOYRUN_H

#include "runtime/checkpoint/CheckpointReader.h"
#include "runtime/checkpoint/CheckpointWriter.h"
#include "test/runtime/plan/ToyPlan.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orrery::test {

/// A global tensor put together from the ranks: row-major floats.
using Tensors = std::map<std::string, std::vector<float>>;

class ToyRun {
public:
  explicit ToyRun(const ToyLayout &layout) : ToyRun(toyPlan(layout)) {}
  explicit ToyRun(plan::Plan plan);

  plan::Plan &plan() { return *thePlan; }

  /// Initial weights, then distinct values in the optimizer state.
  void start();

  /// prepare, every writeShard, publish.
  absl::Status save(const std::string &directory,
                    const runtime::TrainingState &state);

  /// Every rank loads; the first error, or the first rank's result.
  absl::StatusOr<runtime::LoadResult> load(const std::string &path);

  /// The weights and states of all ranks, by entry name. Elements that two
  /// ranks hold must be equal; `agree` becomes false when they are not.
  Tensors gather(bool &agree);

  int32_t worldSize() const { return static_cast<int32_t>(ranks.size()); }
  const runtime::RankPlan &rank(int32_t number) const { return ranks[number]; }
  std::byte *arena(int32_t number) { return arenas[number].data(); }

private:
  std::unique_ptr<plan::Plan> thePlan;
  std::vector<runtime::RankPlan> ranks;
  std::vector<std::vector<std::byte>> arenas;
};

/// Distinct values in every field.
runtime::TrainingState toyState(int64_t step);

/// A new empty folder under the test's temporary folder.
std::string freshFolder(const std::string &name);

/// The whole content of a file, and back.
std::string readBytes(const std::string &path);
void writeBytes(const std::string &path, const std::string &bytes);

} // namespace orrery::test

#endif // ORRERY_TEST_RUNTIME_CHECKPOINT_TOYRUN_H
