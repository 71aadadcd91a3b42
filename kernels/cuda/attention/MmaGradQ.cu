// Launches of the 16-bit kernels for gradQ.
#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/MmaGradQ.cuh"

namespace orrery::kernels::cuda::flash {
namespace {

template <class T, int D, bool Drops = true>
cudaError_t gradQ(const Parameters &p, int64_t headsInAll,
                  cudaStream_t stream) {
  return launch(&mmaGradQ<T, D, Drops>,
                headsInAll * tilesOf(p.sequence, MmaGradQSize<D>::kRows),
                kMmaThreads, mmaGradQBytes<T, D>(), p, stream);
}

} // namespace

template <class T>
cudaError_t launchMmaGradQ(const Parameters &p, int64_t headsInAll,
                           cudaStream_t stream) {
  if (p.dim <= 64)
    return p.key ? gradQ<T, 64>(p, headsInAll, stream)
                 : gradQ<T, 64, false>(p, headsInAll, stream);
  if (p.dim <= 96)
    return p.key ? gradQ<T, 96>(p, headsInAll, stream)
                 : gradQ<T, 96, false>(p, headsInAll, stream);
  if (p.dim <= 128)
    return p.key ? gradQ<T, 128>(p, headsInAll, stream)
                 : gradQ<T, 128, false>(p, headsInAll, stream);
  return gradQ<T, 256>(p, headsInAll, stream);
}

template cudaError_t launchMmaGradQ<Half>(const Parameters &, int64_t,
                                          cudaStream_t);
template cudaError_t launchMmaGradQ<Bfloat16>(const Parameters &, int64_t,
                                              cudaStream_t);

} // namespace orrery::kernels::cuda::flash
