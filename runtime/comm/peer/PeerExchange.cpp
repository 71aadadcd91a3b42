// Meeting, copying, meeting.
#include "runtime/comm/peer/PeerExchange.h"

#include "absl/strings/str_cat.h"

namespace orrery::runtime {
namespace {

absl::Status toStatus(cudaError_t error, absl::string_view call) {
  return error == cudaSuccess ? absl::OkStatus()
                              : absl::InternalError(absl::StrCat(
                                    call, ": ", cudaGetErrorString(error)));
}

} // namespace

absl::StatusOr<std::shared_ptr<const PeerExchange>>
PeerExchange::create(const PeerMemory &memory, int number,
                     std::vector<int32_t> ranks, int self) {
  std::shared_ptr<PeerExchange> made(new PeerExchange());
  made->memory = &memory;
  made->number = number;
  made->ranks = std::move(ranks);
  made->own = self;
  absl::Status status =
      toStatus(cudaStreamCreateWithFlags(&made->side, cudaStreamNonBlocking),
               "cudaStreamCreateWithFlags");
  for (cudaEvent_t *event : {&made->fork, &made->join})
    status.Update(
        toStatus(cudaEventCreateWithFlags(event, cudaEventDisableTiming),
                 "cudaEventCreateWithFlags"));
  if (!status.ok())
    return status;
  return made;
}

PeerExchange::~PeerExchange() {
  for (cudaEvent_t event : {fork, join})
    if (event)
      static_cast<void>(cudaEventDestroy(event));
  if (side)
    static_cast<void>(cudaStreamDestroy(side));
}

absl::Status PeerExchange::copyOwn(const std::byte *in, std::byte *out,
                                   int64_t bytes, cudaStream_t stream) const {
  absl::Status status = toStatus(cudaEventRecord(fork, stream), "fork");
  if (status.ok())
    status = toStatus(cudaStreamWaitEvent(side, fork), "fork");
  if (status.ok())
    status = toStatus(cudaMemcpyAsync(out, in, static_cast<size_t>(bytes),
                                      cudaMemcpyDeviceToDevice, side),
                      "copy of the own part");
  if (status.ok())
    status = toStatus(cudaEventRecord(join, side), "join");
  return status;
}

absl::Status PeerExchange::exchange(const std::byte *in, int64_t inDistance,
                                    std::byte *out, int64_t outDistance,
                                    int64_t bytes, bool ownPart,
                                    cudaStream_t stream) const {
  const std::byte *ownFrom = in + own * inDistance;
  std::byte *ownTo = out + own * outDistance;
  const bool copies = ownPart && ownFrom != ownTo;
  absl::Status status;
  if (copies)
    status = copyOwn(ownFrom, ownTo, bytes, stream);
  if (status.ok())
    status = memory->meet(number, PeerPhase::Ready, ranks, own, stream);
  // Each begins with its right neighbour, so that all links are in use.
  for (int step = 1; step < size() && status.ok(); ++step) {
    const int member = (own + step) % size();
    const int32_t rank = ranks[static_cast<size_t>(member)];
    std::byte *to = memory->at(rank, ownTo);
    if (!to || memory->at(rank, ownTo + bytes - 1) != to + bytes - 1)
      return absl::InternalError(
          absl::StrCat("a message of ", bytes, " bytes to rank ", rank,
                       " leads to memory that is not mapped"));
    status = toStatus(cudaMemcpyAsync(to, in + member * inDistance,
                                      static_cast<size_t>(bytes),
                                      cudaMemcpyDefault, stream),
                      "copy to another GPU");
  }
  if (status.ok())
    status = memory->meet(number, PeerPhase::Done, ranks, own, stream);
  if (status.ok() && copies)
    status = toStatus(cudaStreamWaitEvent(stream, join), "join");
  return status;
}

} // namespace orrery::runtime
