// Opening NCCL, and texts of its errors.
#include "runtime/comm/nccl/NcclLibrary.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/SharedLibrary.h"

#include <cstdlib>

namespace orrery::runtime {
namespace {

// ncclConfig_t has a communicator's name and its blocks from here on.
constexpr int kOldestVersion = NCCL_VERSION(2, 18, 0);

absl::Status findAll(const SharedLibrary &library, NcclLibrary &out) {
  absl::Status status;
  auto find = [&](const char *symbol, auto &function) {
    status.Update(library.find(symbol, function));
  };
  find("ncclGetVersion", out.getVersion);
  find("ncclGetErrorString", out.getErrorString);
  find("ncclGetLastError", out.getLastError);
  find("ncclGetUniqueId", out.getUniqueId);
  find("ncclCommInitRankConfig", out.commInitRankConfig);
  find("ncclCommDestroy", out.commDestroy);
  find("ncclCommAbort", out.commAbort);
  find("ncclCommGetAsyncError", out.commGetAsyncError);
  find("ncclAllReduce", out.allReduce);
  find("ncclAllGather", out.allGather);
  find("ncclReduceScatter", out.reduceScatter);
  find("ncclSend", out.send);
  find("ncclRecv", out.recv);
  find("ncclGroupStart", out.groupStart);
  find("ncclGroupEnd", out.groupEnd);
  return status;
}

absl::StatusOr<NcclLibrary> open() {
  absl::StatusOr<SharedLibrary> library =
      SharedLibrary::open("NCCL", {"libnccl.so.2", "libnccl.so"});
  if (!library.ok())
    return library.status();
  NcclLibrary nccl = {};
  if (absl::Status status = findAll(*library, nccl); !status.ok())
    return status;
  // NVLink's switches add in an order of their own, so sums through them need
  // not have the same bits twice. A user's own setting stands.
  if (setenv("NCCL_NVLS_ENABLE", "0", 0) != 0)
    return absl::InternalError("cannot set NCCL_NVLS_ENABLE");
  ncclResult_t result = nccl.getVersion(&nccl.version);
  if (result != ncclSuccess)
    return nccl.toStatus(result, "ncclGetVersion", "world", 0, 1, nullptr);
  if (nccl.version < kOldestVersion)
    return absl::FailedPreconditionError(absl::StrCat(
        "NCCL from '", library->path(), "' has version ", nccl.version / 10000,
        ".", nccl.version / 100 % 100, "; 2.18 or newer is needed"));
  return nccl;
}

} // namespace

absl::StatusOr<const NcclLibrary *> NcclLibrary::load() {
  static const absl::StatusOr<NcclLibrary> library = open();
  if (!library.ok())
    return library.status();
  return &*library;
}

absl::Status NcclLibrary::toStatus(ncclResult_t result, absl::string_view call,
                                   absl::string_view group, int member,
                                   int members, ncclComm_t communicator) const {
  if (result == ncclSuccess || result == ncclInProgress)
    return absl::OkStatus();
  const char *details = getLastError(communicator);
  std::string text = absl::StrCat(
      call, " on '", group, "', member ", member, " of ", members, ": ",
      getErrorString(result), " (code ", static_cast<int>(result), ")",
      details && *details ? ": " : "", details ? details : "");
  // Another rank's end, or the way to it.
  if (result == ncclRemoteError || result == ncclSystemError)
    return absl::UnavailableError(text);
  return absl::InternalError(text);
}

} // namespace orrery::runtime
