// The complete static check of a plan, made before any rank starts work.
//
// After checkPlan succeeds, an executor that follows the plan reads and writes
// only inside its arena, calls only kernels that exist with the operands they
// ask for, and never waits for a message that nobody sends. What is checked:
//
//   plan          format, mesh, world size of the job, kernels
//   communicators axes in the mesh, `only` in its axis
//   classes       every stage in exactly one; buffers inside the arena, each
//                 slot disjoint from every other (work buffers may share);
//                 parameters inside their buckets, divided evenly, complete
//                 and owned once over the whole plan
//   instructions  views inside their buffers, shapes, types, communicators;
//                 what overwrites a gradient is the first to touch it
//   schedules     programs exist; a walk of all stages proves that every
//                 receive meets its send and every collective its peers, and
//                 that no slot is reused while it is needed
#ifndef ORRERY_RUNTIME_PLAN_PLANCHECK_H
#define ORRERY_RUNTIME_PLAN_PLANCHECK_H

#include "runtime/plan/Mesh.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"

#include <cstdint>
#include <vector>

namespace orrery::runtime {

/// Everything above. InvalidArgument names class, program, instruction number,
/// operand, the values and the limit, e.g.
///   class 'stage0', program 'forward', instruction 12 (gemm 'dfg.matmul'):
///   operand a: needs 4096 elements, view has 2048
absl::Status checkPlan(const plan::Plan &plan);

/// Mesh, communicators, kernels, classes, buckets and parameters.
absl::Status checkStructure(const plan::Plan &plan, const Mesh &mesh);

/// Every instruction of every program of one class.
absl::Status checkInstructions(const plan::Plan &plan, const Mesh &mesh,
                               const plan::RankClass &rankClass);

/// Products with first_run_overwrites are the first of a training step to touch
/// their C, a part of a gradient without gaps. Requires that checkStructure and
/// checkInstructions passed.
absl::Status checkOverwrites(const plan::RankClass &rankClass);

/// Walks the train and evaluate schedules of all stages for one number of
/// microbatches. Requires that checkStructure and checkInstructions passed.
absl::Status checkSchedules(const plan::Plan &plan, const Mesh &mesh,
                            int64_t microbatches);

/// The numbers of microbatches that the job can reach and that differ for the
/// schedules: those of a batch-size ramp-up up to 2 pp + 2, and the
/// largest; 1 to 2 pp + 2 when the plan carries no job.
std::vector<int64_t> microbatchCounts(const plan::Plan &plan, const Mesh &mesh);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_PLANCHECK_H
