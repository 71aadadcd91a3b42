// Using the memory of other GPUs of a group: meetings by flags, copies to the
// members and sums of their parts.
#ifndef ORRERY_KERNELS_CUDA_PEERS_H
#define ORRERY_KERNELS_CUDA_PEERS_H

#include "kernels/ElementType.h"

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

constexpr int kMaxPeers = 16;

/// A place in each member's memory, own or mapped, by member.
struct PeerPlaces {
  std::byte *place[kMaxPeers] = {};
  int members = 1;
  int self = 0;
};

/// What a meeting works on. Zero before the first.
struct PeerFlags {
  // Of each member: its words for this meeting, one for each member.
  uint32_t *words[kMaxPeers] = {};
  uint32_t *round = nullptr; // own: meetings so far
  int members = 1;
  int self = 0;
};

/// Tells the other members that what came before on this stream is done, and
/// waits until all have told. One warp, so that it leaves room for what others
/// may wait for.
cudaError_t meetPeers(const PeerFlags &flags, cudaStream_t stream);

/// Words of this value let every meeting pass.
constexpr int kPassingByte = 0x3f; // each byte of the word

/// `bytes` at in + m * distance go to place m, of all members; distance in
/// bytes, `bytes` a multiple of 2. The own part is left out where it is there
/// already.
cudaError_t sendParts(const void *in, int64_t distance, const PeerPlaces &to,
                      int64_t bytes, cudaStream_t stream);

/// out[i] = sum over members of the i-th element at place m in the order of the
/// members, i < count; with `max` the largest. Floats of 16 and 32 bits are
/// added in F32 and rounded once. `out` may be the own place. F32, F16, BF16,
/// F64, I32 and I64; cudaErrorNotSupported for others.
cudaError_t sumParts(ElementType type, const PeerPlaces &from, void *out,
                     int64_t count, bool max, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_PEERS_H
