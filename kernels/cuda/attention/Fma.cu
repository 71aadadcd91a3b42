// Launches of the F32 kernels.
#include "kernels/cuda/attention/FmaBackward.cuh"
#include "kernels/cuda/attention/Launch.h"

namespace orrery::kernels::cuda::flash {
namespace {

template <int D>
cudaError_t forward(const Parameters &p, int64_t headsInAll,
                    cudaStream_t stream) {
  using Size = FmaSize<D>;
  return launch(&fmaForward<D>, headsInAll * tilesOf(p.sequence, Size::kRows),
                Size::kThreads, fmaForwardBytes<D>(), p, stream);
}

template <int D>
cudaError_t backward(const Parameters &p, int64_t headsInAll,
                     cudaStream_t stream) {
  using Size = FmaSize<D>;
  const int64_t blocks = headsInAll * tilesOf(p.sequence, Size::kRows);
  cudaError_t error = launch(&fmaGradQ<D>, blocks, Size::kThreads,
                             fmaBackwardBytes<D>(), p, stream);
  if (error != cudaSuccess)
    return error;
  return launch(&fmaGradKv<D>, blocks, Size::kThreads, fmaBackwardBytes<D>(), p,
                stream);
}

} // namespace

cudaError_t launchFmaForward(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream) {
  if (p.dim <= 64)
    return forward<64>(p, headsInAll, stream);
  if (p.dim <= 128)
    return forward<128>(p, headsInAll, stream);
  return forward<256>(p, headsInAll, stream);
}

cudaError_t launchFmaBackward(const Parameters &p, int64_t headsInAll,
                              cudaStream_t stream) {
  if (p.dim <= 64)
    return backward<64>(p, headsInAll, stream);
  if (p.dim <= 128)
    return backward<128>(p, headsInAll, stream);
  return backward<256>(p, headsInAll, stream);
}

} // namespace orrery::kernels::cuda::flash
