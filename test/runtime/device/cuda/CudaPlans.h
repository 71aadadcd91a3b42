// Hand-written plans that run on CPUs and on GPUs alike, and what a GPU test
// needs.
#ifndef ORRERY_TEST_RUNTIME_DEVICE_CUDA_CUDAPLANS_H
#define ORRERY_TEST_RUNTIME_DEVICE_CUDA_CUDAPLANS_H

#include "runtime/plan/Plan.pb.h"

#include <string>

namespace orrery::runtime {

/// GPUs here; 0 without a driver.
int gpuCount();

/// `plan` (PlanText.h) for GPUs, with the kernels of TestKernels.cu.
plan::Plan forGpus(const plan::Plan &plan);

// Plans whose values are small whole numbers: exact in any order of sums. What
// they are judged by lies in WEIGHT buffers and scalars.

/// One rank: inputs of several microbatches, keys, instructions on three
/// streams, one in the last run only.
extern const char *const kStreamsPlan;
/// One rank: embedding and its gradient, column sum, reduction over all
/// elements, copies and fills.
extern const char *const kKernelsPlan;
/// One rank: column sums behind each other, of what other streams write and for
/// what other streams read.
extern const char *const kSumsPlan;
/// One rank: pieces of values, with gaps, that pass between two streams.
extern const char *const kPiecesPlan;
/// One rank: matrix products, plain and in batches.
extern const char *const kProductsPlan;
/// Two stages that pass microbatches forth and back.
extern const char *const kPipelinePlan;
/// dp 2 × tp 2: gather, slice, scatter, exchange and reduce.
extern const char *const kGridPlan;

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_DEVICE_CUDA_CUDAPLANS_H
