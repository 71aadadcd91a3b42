// Comparing the tensors that a plan needs with those that were stored.
#ifndef ORRERY_RUNTIME_CHECKPOINT_TENSORMATCH_H
#define ORRERY_RUNTIME_CHECKPOINT_TENSORMATCH_H

#include "runtime/checkpoint/TensorSet.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"

#include <string>
#include <vector>

namespace orrery::runtime {

/// Checks every tensor of every class of the plan against `stored`, so that
/// all ranks come to the same result. With `optimizer`, also the optimizer
/// state of every parameter; stored state that is not asked for is no fault.
/// `master` states are optional on both sides.
///
/// FailedPrecondition lists missing tensors, extra ones, and those of another
/// shape or type. Two shapes also fit when they differ in dimension 0 only,
/// the plan has its padded vocabulary there and both have at least the
/// tokenizer's vocabulary; a note says what happens to the rows beyond.
absl::Status matchTensors(const plan::Plan &plan, const TensorSet &stored,
                          bool optimizer, std::vector<std::string> &notes);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_TENSORMATCH_H
