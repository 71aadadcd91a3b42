// Launches of the 16-bit forward kernels.
#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/MmaForward.cuh"

namespace orrery::kernels::cuda::flash {
namespace {

template <class T, int D, bool Drops = true>
cudaError_t forward(const Parameters &p, int64_t headsInAll,
                    cudaStream_t stream) {
  return launch(&mmaForward<T, D, Drops>,
                headsInAll * tilesOf(p.sequence, MmaForwardSize<D>::kRows),
                kMmaThreads, mmaForwardBytes<T, D>(), p, stream);
}

} // namespace

template <class T>
cudaError_t launchMmaForward(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream) {
  if (p.dim <= 64)
    return p.key ? forward<T, 64>(p, headsInAll, stream)
                 : forward<T, 64, false>(p, headsInAll, stream);
  if (p.dim <= 96)
    return p.key ? forward<T, 96>(p, headsInAll, stream)
                 : forward<T, 96, false>(p, headsInAll, stream);
  if (p.dim <= 128)
    return p.key ? forward<T, 128>(p, headsInAll, stream)
                 : forward<T, 128, false>(p, headsInAll, stream);
  return forward<T, 256>(p, headsInAll, stream);
}

template cudaError_t launchMmaForward<Half>(const Parameters &, int64_t,
                                            cudaStream_t);
template cudaError_t launchMmaForward<Bfloat16>(const Parameters &, int64_t,
                                                cudaStream_t);

} // namespace orrery::kernels::cuda::flash
