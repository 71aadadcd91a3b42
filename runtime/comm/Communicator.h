// What the ranks of a group say to each other. Every back end passes one
// conformance suite (test/runtime/comm).
//
// | here           | MPI                      | NCCL              |
// |----------------|--------------------------|-------------------|
// | allReduce      | MPI_Allreduce            | ncclAllReduce     |
// | allGather      | MPI_Allgather            | ncclAllGather     |
// | reduceScatter  | MPI_Reduce_scatter_block | ncclReduceScatter |
// | allToAll       | MPI_Alltoall             | grouped send/recv |
// | isend, irecv   | MPI_Isend, MPI_Irecv     | ncclSend, ncclRecv|
//
// Agreement: every member calls the same collectives in the same order with the
// same counts. `count` is in elements and may exceed 2^31. The result of a
// reduction has the same bits on every member. Errors name the call, the group
// and the member; after an error the group is unusable.
#ifndef ORRERY_RUNTIME_COMM_COMMUNICATOR_H
#define ORRERY_RUNTIME_COMM_COMMUNICATOR_H

#include "absl/status/status.h"
#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orrery::runtime {

enum class Reduction { Sum, Max };

class Communicator {
public:
  /// A pending send or receive; slots are handed out by isend and irecv and
  /// free again after wait.
  using Request = int;

  virtual ~Communicator() = default;

  virtual const std::string &name() const = 0;
  virtual int rank() const = 0; // among the members
  virtual int size() const = 0;

  /// out[i] = reduction over members of in[i]; `out` may be `in`.
  /// Types: F32, F64, I32, else Unimplemented.
  virtual absl::Status allReduce(const void *in, void *out, int64_t count,
                                 plan::ElementType type,
                                 Reduction reduction) = 0;
  /// out[m * count + i] = in[i] of member m.
  virtual absl::Status allGather(const void *in, void *out, int64_t count,
                                 plan::ElementType type) = 0;
  /// out[i] = reduction over members of in[rank * count + i].
  virtual absl::Status reduceScatter(const void *in, void *out, int64_t count,
                                     plan::ElementType type,
                                     Reduction reduction) = 0;
  /// out[m * count + i] = in[rank * count + i] of member m.
  virtual absl::Status allToAll(const void *in, void *out, int64_t count,
                                plan::ElementType type) = 0;

  /// Messages from one member to another with one tag arrive in the order of
  /// isend and match receives in the order of irecv. Buffers stay untouched
  /// until wait. Allocates nothing once as many requests were ever pending.
  virtual absl::Status isend(const void *data, int64_t bytes, int peer, int tag,
                             Request &request) = 0;
  virtual absl::Status irecv(void *data, int64_t bytes, int peer, int tag,
                             Request &request) = 0;
  virtual absl::Status wait(Request request) = 0;

  virtual absl::Status barrier() = 0;
};

/// Makes the groups of a run. Every rank calls create() with the same
/// arguments in the same order.
class CommunicatorFactory {
public:
  virtual ~CommunicatorFactory() = default;

  virtual int rank() const = 0; // in the world
  virtual int size() const = 0;
  /// The communicator of all ranks.
  virtual Communicator &world() = 0;
  /// The rank's communicator among disjoint `groups` of world ranks, in the
  /// given order of members; null when no group has the rank.
  virtual absl::Status create(const std::string &name,
                              const std::vector<std::vector<int32_t>> &groups,
                              std::unique_ptr<Communicator> &out) = 0;
  /// Ends every rank of the run because of `status`: one that waits for this
  /// one stops waiting. May not return.
  virtual void abort(const absl::Status &status) = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_COMMUNICATOR_H
