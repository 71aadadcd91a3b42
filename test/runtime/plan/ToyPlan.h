// A small sound plan of any layout, for tests of everything that reads plans:
// tied word embeddings, one linear weight and one norm per layer, 1F1B over
// the stages.
#ifndef ORRERY_TEST_RUNTIME_PLAN_TOYPLAN_H
#define ORRERY_TEST_RUNTIME_PLAN_TOYPLAN_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <string>

namespace orrery::test {

struct ToyLayout {
  int32_t pp = 1;
  int32_t dp = 1;
  int32_t tp = 1;
  int64_t layers = 4;
  int64_t hidden = 8;
  int64_t vocabulary = 20;
  int64_t paddedTo = 8; ///< padded vocabulary: a multiple of this * tp
  int64_t microbatches = 8;
  bool is16Bit = false; ///< BF16 weights with F32 masters
  bool kernels = true;  ///< with a launch (of a kernel that is no code)
};

/// Passes checkPlan. Classes: "first", "last" and, with more than two stages,
/// "middle" for all others; "only" without a pipeline. Parameters:
///   embedding.weight          [V, h], dimension 0 on tp, tied: owner first
///   position.weight           [6, h], replicated, on the first stage
///   layers.{layer}.row        [h, 3h], dimension 1 on tp
///   layers.{layer}.column     [3h, h], dimension 0 on tp
///   layers.{layer}.norm       [h], replicated, initially 1
///   final.norm                [h], on the last stage
/// in bucket 0 "decay" (matrices) and bucket 1 "plain" (norms), with states
/// exp_avg and exp_avg_sq (and master). Programs: forward, backward, update,
/// evaluate, evaluate_finish.
plan::Plan toyPlan(const ToyLayout &layout);

/// Instruction number `index` of the named program of class `rankClass`.
plan::Instruction *instructionOf(plan::Plan &plan, int rankClass,
                                 const std::string &program, int index);

} // namespace orrery::test

#endif // ORRERY_TEST_RUNTIME_PLAN_TOYPLAN_H
