// NCCL's functions, from the shared library that is found when a plan for GPUs
// runs.
#ifndef ORRERY_RUNTIME_COMM_NCCL_NCCLLIBRARY_H
#define ORRERY_RUNTIME_COMM_NCCL_NCCLLIBRARY_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <nccl.h>

namespace orrery::runtime {

struct NcclLibrary {
  decltype(&ncclGetVersion) getVersion;
  decltype(&ncclGetErrorString) getErrorString;
  decltype(&ncclGetLastError) getLastError;
  decltype(&ncclGetUniqueId) getUniqueId;
  decltype(&ncclCommInitRankConfig) commInitRankConfig;
  decltype(&ncclCommDestroy) commDestroy;
  decltype(&ncclCommAbort) commAbort;
  decltype(&ncclCommGetAsyncError) commGetAsyncError;
  decltype(&ncclAllReduce) allReduce;
  decltype(&ncclAllGather) allGather;
  decltype(&ncclReduceScatter) reduceScatter;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) recv;
  decltype(&ncclGroupStart) groupStart;
  decltype(&ncclGroupEnd) groupEnd;
  int version; // NCCL_VERSION's encoding

  /// The library, opened by the first call and kept to the process's end.
  /// NotFound: where it was looked for, or which function it lacks.
  /// FailedPrecondition: older than 2.18.
  static absl::StatusOr<const NcclLibrary *> load();

  /// OK for success, also of what is still under way. `call`: the function's
  /// name. `communicator` may be null; it gives the text its details.
  absl::Status toStatus(ncclResult_t result, absl::string_view call,
                        absl::string_view group, int member, int members,
                        ncclComm_t communicator) const;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_NCCL_NCCLLIBRARY_H
