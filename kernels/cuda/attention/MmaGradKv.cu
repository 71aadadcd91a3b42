// Launches of the 16-bit kernels for gradK and gradV.
#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/MmaGradKv.cuh"

namespace orrery::kernels::cuda::flash {
namespace {

template <class T, int D, KeyGrads Which>
cudaError_t gradKv(const Parameters &p, int64_t headsInAll,
                   cudaStream_t stream) {
  return launch(&mmaGradKv<T, D, Which>,
                headsInAll * tilesOf(p.sequence, MmaGradKvSize<D>::kRows),
                kMmaThreads, mmaGradKvBytes<T, D>(), p, stream);
}

} // namespace

template <class T>
cudaError_t launchMmaGradKv(const Parameters &p, int64_t headsInAll,
                            cudaStream_t stream) {
  if (p.dim <= 64)
    return gradKv<T, 64, KeyGrads::Both>(p, headsInAll, stream);
  if (p.dim <= 96)
    return gradKv<T, 96, KeyGrads::Both>(p, headsInAll, stream);
  if (p.dim <= 128)
    return gradKv<T, 128, KeyGrads::Both>(p, headsInAll, stream);
  cudaError_t error = gradKv<T, 256, KeyGrads::V>(p, headsInAll, stream);
  if (error != cudaSuccess)
    return error;
  return gradKv<T, 256, KeyGrads::K>(p, headsInAll, stream);
}

template cudaError_t launchMmaGradKv<Half>(const Parameters &, int64_t,
                                           cudaStream_t);
template cudaError_t launchMmaGradKv<Bfloat16>(const Parameters &, int64_t,
                                               cudaStream_t);

} // namespace orrery::kernels::cuda::flash
