// Launches of the 16-bit forward kernels.
#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/MmaForward.cuh"

namespace orrery::kernels::cuda::flash {
namespace {

template <class T, int D>
cudaError_t forward(const Parameters &p, int64_t headsInAll,
                    cudaStream_t stream) {
  return launch(&mmaForward<T, D>,
                headsInAll * tilesOf(p.sequence, MmaForwardSize<D>::kRows),
                kMmaThreads, mmaForwardBytes<T, D>(), p, stream);
}

} // namespace

template <class T>
cudaError_t launchMmaForward(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream) {
  if (p.dim <= 64)
    return forward<T, 64>(p, headsInAll, stream);
  if (p.dim <= 96)
    return forward<T, 96>(p, headsInAll, stream);
  if (p.dim <= 128)
    return forward<T, 128>(p, headsInAll, stream);
  return forward<T, 256>(p, headsInAll, stream);
}

template cudaError_t launchMmaForward<Half>(const Parameters &, int64_t,
                                            cudaStream_t);
template cudaError_t launchMmaForward<Bfloat16>(const Parameters &, int64_t,
                                                cudaStream_t);

} // namespace orrery::kernels::cuda::flash
