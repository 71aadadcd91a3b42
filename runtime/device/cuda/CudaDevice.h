// GPUs as the device of a rank, through CUDA.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/comm/Communicator.h"
#include "runtime/device/Device.h"
#include "runtime/plan/RankPlan.h"

#include <memory>
#include <string>

namespace orrery::runtime {

struct CudaOptions {
  bool allowTf32 = false; // of F32 matrix products
  // Matrix products beyond cuBLASLt's proposals, once for a plan.
  bool searchProducts = true;
  // The gradient of cuDNN's attention is the same in every run; else faster.
  bool deterministic = true;
  // Ranks of a host use each other's memory where they can.
  bool peerMemory = true;
  // File in which the choice of matrix products is kept from one run to the
  // next; empty: none. Rank 0 reads and writes it for all.
  std::string gemmCache;
};

/// A collective over all ranks, which comes to the same end on all of them, or
/// through `factory.abort` where NCCL fails on one and others wait inside it:
/// takes the rank's GPU, loads the plan's kernels, creates its communicators in
/// its order, prepares every instruction, chooses forms of the matrix products,
/// takes the arena and runs every instruction but sends and receives once.
/// `rank` and `factory` must outlive the device, which belongs to the calling
/// thread.
///
/// A step is one CUDA graph, captured when its number of microbatches first
/// occurs; with a trace it is enqueued without one. After an error of `run` the
/// device is of no use.
///
/// Errors, besides those of what is loaded: FailedPrecondition for a GPU that
/// cannot run the plan's code; ResourceExhausted, with every part's size, when
/// the arena does not fit.
absl::StatusOr<std::unique_ptr<Device>>
createCudaDevice(const RankPlan &rank, CommunicatorFactory &factory,
                 const CudaOptions &options);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
