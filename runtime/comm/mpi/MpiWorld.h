// Communicators over MPI.
#ifndef ORRERY_RUNTIME_COMM_MPI_MPIWORLD_H
#define ORRERY_RUNTIME_COMM_MPI_MPIWORLD_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/comm/Communicator.h"

#include <cstdint>
#include <memory>

namespace orrery::runtime {

/// MPI from its start to its end; one per process.
class MpiWorld {
public:
  /// Elements (bytes for messages) that one MPI call may carry: MPI counts are
  /// int. Larger transfers are cut; tests cut smaller ones.
  static constexpr int64_t kCountLimit = int64_t(1) << 30;

  /// Starts MPI; only the calling thread may use it.
  static absl::StatusOr<std::unique_ptr<MpiWorld>>
  start(int *argc, char ***argv, int64_t countLimit = kCountLimit);
  /// Ends MPI; every rank must come here.
  ~MpiWorld();
  MpiWorld(const MpiWorld &) = delete;
  MpiWorld &operator=(const MpiWorld &) = delete;

  CommunicatorFactory &factory() { return *made; }

private:
  MpiWorld() = default;
  std::unique_ptr<CommunicatorFactory> made;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_MPI_MPIWORLD_H
