// Launches of the 16-bit kernels for gradK and gradV.
#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/MmaGradKv.cuh"

namespace orrery::kernels::cuda::flash {
namespace {

template <class T, int D, KeyGrads Which, bool Drops>
cudaError_t gradKv(const Parameters &p, int64_t headsInAll,
                   cudaStream_t stream) {
  return launch(&mmaGradKv<T, D, Which, Drops>,
                headsInAll * tilesOf(p.sequence, MmaGradKvSize<D>::kRows),
                kMmaThreads, mmaGradKvBytes<T, D>(), p, stream);
}

template <class T, int D>
cudaError_t bothGrads(const Parameters &p, int64_t headsInAll,
                      cudaStream_t stream) {
  return p.key ? gradKv<T, D, KeyGrads::Both, true>(p, headsInAll, stream)
               : gradKv<T, D, KeyGrads::Both, false>(p, headsInAll, stream);
}

} // namespace

template <class T>
cudaError_t launchMmaGradKv(const Parameters &p, int64_t headsInAll,
                            cudaStream_t stream) {
  if (p.dim <= 64)
    return bothGrads<T, 64>(p, headsInAll, stream);
  if (p.dim <= 96)
    return bothGrads<T, 96>(p, headsInAll, stream);
  if (p.dim <= 128)
    return bothGrads<T, 128>(p, headsInAll, stream);
  cudaError_t error = gradKv<T, 256, KeyGrads::V, true>(p, headsInAll, stream);
  if (error != cudaSuccess)
    return error;
  return gradKv<T, 256, KeyGrads::K, true>(p, headsInAll, stream);
}

template cudaError_t launchMmaGradKv<Half>(const Parameters &, int64_t,
                                           cudaStream_t);
template cudaError_t launchMmaGradKv<Bfloat16>(const Parameters &, int64_t,
                                               cudaStream_t);

} // namespace orrery::kernels::cuda::flash
