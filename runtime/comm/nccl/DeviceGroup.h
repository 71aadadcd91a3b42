// One group of ranks that exchanges device memory: an NCCL communicator, or
// copies where the group has one member, or the members' memory where a group
// is told so.
//
// The methods enqueue on a stream and return; they may be captured into a CUDA
// graph (thread-local or relaxed mode). The agreement and the results are
// Communicator.h's, with one difference: sums of 16-bit values by NCCL are
// rounded to 16 bits after each addition. Members add in an order that is fixed
// for a group, a count and a type, so that the same calls give the same bits.
#ifndef ORRERY_RUNTIME_COMM_NCCL_DEVICEGROUP_H
#define ORRERY_RUNTIME_COMM_NCCL_DEVICEGROUP_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"
#include "runtime/comm/nccl/NcclLibrary.h"
#include "runtime/comm/peer/PeerExchange.h"

#include <cstdint>
#include <cuda_runtime_api.h>
#include <optional>
#include <string>

namespace orrery::runtime {

/// Made by NcclWorld, which owns the communicator behind it and must outlive
/// it. Cheap to copy.
class DeviceGroup {
public:
  DeviceGroup() = default;

  const std::string &name() const { return label; }
  int rank() const { return self; } // among the members
  int size() const { return members; }

  /// All but allReduce use the members' memory from now on; all members say so
  /// before their next call. What the exchange asks for is mapped.
  void usePeers(PeerExchange exchange) { peers = std::move(exchange); }
  bool usesPeers() const { return peers.has_value(); }

  /// out[i] = reduction over members of in[i]; `out` may be `in`. All types of
  /// the plan.
  absl::Status allReduce(const void *in, void *out, int64_t count,
                         plan::ElementType type, Reduction reduction,
                         cudaStream_t stream) const;
  /// out[m * count + i] = in[i] of member m; `in` may be the own part of `out`.
  absl::Status allGather(const void *in, void *out, int64_t count,
                         plan::ElementType type, cudaStream_t stream) const;
  /// out[m * distance + i] = in[i] of member m, i < count; what lies between
  /// stays. `in` may be the own part of `out`. Messages from member to member
  /// in place of NCCL's all-gather, whose output has no gaps.
  absl::Status allGatherApart(const void *in, void *out, int64_t count,
                              int64_t distance, plan::ElementType type,
                              cudaStream_t stream) const;
  /// out[i] = reduction over members of in[rank * count + i]; `out` may be the
  /// own part of `in`.
  absl::Status reduceScatter(const void *in, void *out, int64_t count,
                             plan::ElementType type, Reduction reduction,
                             cudaStream_t stream) const;
  /// out[m * count + i] = in[rank * count + i] of member m.
  absl::Status allToAll(const void *in, void *out, int64_t count,
                        plan::ElementType type, cudaStream_t stream) const;

private:
  friend class NcclWorld;

  absl::Status check(ncclResult_t result, absl::string_view call) const;
  absl::Status copy(const void *in, void *out, int64_t count,
                    plan::ElementType type, cudaStream_t stream) const;
  // Sends `count` elements at in + m * inDistance to member m and receives as
  // many from it at out + m * outDistance, of all members together.
  absl::Status exchange(const void *in, int64_t inDistance, void *out,
                        int64_t outDistance, int64_t count,
                        plan::ElementType type, cudaStream_t stream) const;

  std::string label;
  int self = 0;
  int members = 1;
  const NcclLibrary *nccl = nullptr; // null: one member
  ncclComm_t handle = nullptr;
  std::optional<PeerExchange> peers; // none: all by NCCL
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_DEVICEGROUP_H
