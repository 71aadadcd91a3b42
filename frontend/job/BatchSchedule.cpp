// Walks a batch-size ramp-up stage by stage instead of step by step.
#include "frontend/job/BatchSchedule.h"

#include <algorithm>

namespace orrery::job {

int64_t batchAt(const BatchRampUp &rampUp, int64_t globalBatch,
                int64_t consumed) {
  if (consumed > rampUp.samples())
    return globalBatch;
  int64_t steps = (globalBatch - rampUp.start()) / rampUp.increment();
  double perStep = double(rampUp.samples()) / double(steps);
  return rampUp.start() +
         int64_t(double(consumed) / perStep) * rampUp.increment();
}

/// Iterations of size `batch`, begun after `consumed` samples, until the
/// batch size changes: estimated from the next threshold, then made exact
/// with the same double arithmetic as batchAt.
static int64_t iterationsOfStage(const BatchRampUp &rampUp, int64_t globalBatch,
                                 int64_t consumed, int64_t batch) {
  auto same = [&](int64_t iterations) {
    int64_t now = consumed + iterations * batch;
    return now <= rampUp.samples() &&
           batchAt(rampUp, globalBatch, now) == batch;
  };
  int64_t steps = (globalBatch - rampUp.start()) / rampUp.increment();
  int64_t step = (batch - rampUp.start()) / rampUp.increment();
  double threshold =
      double(rampUp.samples()) / double(steps) * double(step + 1);
  int64_t iterations =
      std::max<int64_t>(1, int64_t((threshold - double(consumed)) / batch));
  while (iterations > 1 && !same(iterations - 1))
    --iterations;
  while (same(iterations))
    ++iterations;
  return iterations;
}

std::vector<BatchStage> batchStages(const BatchRampUp &rampUp,
                                    int64_t globalBatch) {
  std::vector<BatchStage> stages;
  int64_t consumed = 0, iteration = 0;
  while (consumed <= rampUp.samples()) {
    int64_t batch = batchAt(rampUp, globalBatch, consumed);
    stages.push_back({batch, iteration, consumed});
    int64_t count = iterationsOfStage(rampUp, globalBatch, consumed, batch);
    iteration += count;
    consumed += count * batch;
  }
  stages.push_back({globalBatch, iteration, consumed});
  return stages;
}

/// Division rounded towards minus infinity.
static int64_t floorDivide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

int64_t trainIterations(int64_t trainSamples, const BatchRampUp *rampUp,
                        int64_t globalBatch) {
  if (!rampUp)
    return trainSamples / globalBatch;
  BatchStage full = batchStages(*rampUp, globalBatch).back();
  return full.firstIteration +
         floorDivide(trainSamples - full.firstSample, globalBatch);
}

} // namespace orrery::job
