// The batch size as a function of the samples consumed (batch-size ramp-up).
#ifndef ORRERY_FRONTEND_JOB_BATCHSCHEDULE_H
#define ORRERY_FRONTEND_JOB_BATCHSCHEDULE_H

#include "frontend/job/Job.pb.h"

#include <cstdint>
#include <vector>

namespace orrery::job {

/// A run of iterations with one global batch size.
struct BatchStage {
  int64_t batch = 0;          // samples per iteration
  int64_t firstIteration = 0; // 0-based
  int64_t firstSample = 0;    // samples consumed before it
};

/// The global batch size of the iteration that starts after `consumed`
/// samples (megatron/microbatches.py, RampupBatchsizeNumMicroBatches):
///
///   steps = (global - start) / increment,  per = samples / steps
///   batch = global                                    if consumed > samples
///         = start + floor(consumed / per) * increment otherwise
///
/// `per` and the quotient are double, as in the original.
int64_t batchAt(const BatchRampUp &rampUp, int64_t globalBatch,
                int64_t consumed);

/// Every stage of the ramp-up in order, the last one being `globalBatch`
/// after the ramp. Worked example: start 4, increment 4, 160 samples, global
/// 16: per = 53.3; batches 4 (14 iterations, to 56), 8 (7, to 112), 12 (5, to
/// 172), then 16. Needs start >= 1, increment >= 1, samples >= 1, start <
/// globalBatch and a whole number of steps; costs one pass over the stages.
std::vector<BatchStage> batchStages(const BatchRampUp &rampUp,
                                    int64_t globalBatch);

/// Iterations of a run that is counted in samples (megatron/training.py,
/// update_train_iters): samples / globalBatch for a constant batch; with a
/// ramp-up the iterations of the ramp plus what is left over at the full
/// batch, rounded down. The ramp is always counted whole, so a run shorter
/// than its ramp gives more iterations than samples, as in the original.
int64_t trainIterations(int64_t trainSamples, const BatchRampUp *rampUp,
                        int64_t globalBatch);

} // namespace orrery::job

#endif // ORRERY_FRONTEND_JOB_BATCHSCHEDULE_H
