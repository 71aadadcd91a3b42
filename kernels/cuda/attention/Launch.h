// Launches of the attention kernels, one function per family and direction, so
// that they compile apart. `headsInAll` is batch * heads.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_LAUNCH_H
#define ORRERY_KERNELS_CUDA_ATTENTION_LAUNCH_H

#include "kernels/cuda/attention/Parameters.cuh"

namespace orrery::kernels::cuda::flash {

cudaError_t launchFmaForward(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream);
/// gradQ, gradK and gradV; after the statistics.
cudaError_t launchFmaBackward(const Parameters &p, int64_t headsInAll,
                              cudaStream_t stream);

/// `T` is Half or Bfloat16.
template <class T>
cudaError_t launchMmaForward(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream);
template <class T>
cudaError_t launchMmaGradQ(const Parameters &p, int64_t headsInAll,
                           cudaStream_t stream);
template <class T>
cudaError_t launchMmaGradKv(const Parameters &p, int64_t headsInAll,
                            cudaStream_t stream);

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_LAUNCH_H
