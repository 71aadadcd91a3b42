// Meeting, writing or reading, meeting.
#include "runtime/comm/peer/PeerExchange.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudaStatus.h"
#include "runtime/plan/ElementType.h"

namespace orrery::runtime {

absl::StatusOr<kernels::cuda::PeerPlaces>
PeerExchange::placesOf(std::byte *own, int64_t bytes) const {
  kernels::cuda::PeerPlaces places;
  places.members = static_cast<int>(ranks.size());
  places.self = self;
  for (int m = 0; m < places.members; ++m) {
    const int32_t rank = ranks[static_cast<size_t>(m)];
    places.place[m] = m == self ? own : memory->at(rank, own);
    if (m != self && (!places.place[m] || memory->at(rank, own + bytes - 1) !=
                                              places.place[m] + bytes - 1))
      return absl::InternalError(
          absl::StrCat("a message of ", bytes, " bytes between this rank and ",
                       rank, " lies in memory that is not mapped"));
  }
  return places;
}

absl::Status PeerExchange::exchange(const std::byte *in, int64_t inDistance,
                                    std::byte *out, int64_t outDistance,
                                    int64_t bytes, cudaStream_t stream) const {
  absl::StatusOr<kernels::cuda::PeerPlaces> places =
      placesOf(out + self * outDistance, bytes);
  if (!places.ok())
    return places.status();
  absl::Status status = meet(PeerPhase::Ready, stream);
  if (status.ok())
    status = cuda::toStatus(
        kernels::cuda::sendParts(in, inDistance, *places, bytes, stream),
        "copy to other GPUs");
  return status.ok() ? meet(PeerPhase::Done, stream) : status;
}

absl::Status PeerExchange::reduceScatter(std::byte *in, std::byte *out,
                                         int64_t count, plan::ElementType type,
                                         Reduction reduction,
                                         cudaStream_t stream) const {
  const int64_t bytes = count * elementBytes(type);
  absl::StatusOr<kernels::cuda::PeerPlaces> places =
      placesOf(in + self * bytes, bytes);
  if (!places.ok())
    return places.status();
  absl::Status status = meet(PeerPhase::Ready, stream);
  if (status.ok())
    status =
        cuda::toStatus(kernels::cuda::sumParts(
                           static_cast<kernels::ElementType>(type), *places,
                           out, count, reduction == Reduction::Max, stream),
                       "sum of the GPUs' parts");
  return status.ok() ? meet(PeerPhase::Done, stream) : status;
}

} // namespace orrery::runtime
