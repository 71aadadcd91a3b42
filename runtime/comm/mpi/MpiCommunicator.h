// One group of ranks as an MPI communicator.
#ifndef ORRERY_RUNTIME_COMM_MPI_MPICOMMUNICATOR_H
#define ORRERY_RUNTIME_COMM_MPI_MPICOMMUNICATOR_H

#include "runtime/comm/Communicator.h"

#include <mpi.h>
#include <string_view>

namespace orrery::runtime {

class MpiCommunicator : public Communicator {
public:
  /// Owns `handle` unless it is MPI_COMM_WORLD.
  MpiCommunicator(std::string name, MPI_Comm handle, int64_t countLimit);
  ~MpiCommunicator() override;

  const std::string &name() const override { return label; }
  int rank() const override { return self; }
  int size() const override { return members; }

  absl::Status allReduce(const void *in, void *out, int64_t count,
                         plan::ElementType type, Reduction reduction) override;
  absl::Status allGather(const void *in, void *out, int64_t count,
                         plan::ElementType type) override;
  absl::Status reduceScatter(const void *in, void *out, int64_t count,
                             plan::ElementType type,
                             Reduction reduction) override;
  absl::Status allToAll(const void *in, void *out, int64_t count,
                        plan::ElementType type) override;
  absl::Status isend(const void *data, int64_t bytes, int peer, int tag,
                     Request &request) override;
  absl::Status irecv(void *data, int64_t bytes, int peer, int tag,
                     Request &request) override;
  absl::Status wait(Request request) override;
  absl::Status barrier() override;

private:
  // A message of more than the limit is several MPI messages.
  struct Pending {
    bool used = false;
    std::vector<MPI_Request> parts;
  };
  absl::Status check(int code, std::string_view call) const;
  absl::Status basicType(plan::ElementType type, MPI_Datatype &out) const;
  // All-gather (or all-to-all) of `bytes` per member in slices of the limit.
  absl::Status exchange(const void *in, void *out, int64_t bytes, bool gather);
  Request take();

  std::string label;
  MPI_Comm handle;
  int64_t limit;
  int self = 0;
  int members = 1;
  std::vector<Pending> pending;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_MPI_MPICOMMUNICATOR_H
