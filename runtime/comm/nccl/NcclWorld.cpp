// Creating, watching and ending NCCL communicators.
#include "runtime/comm/nccl/NcclWorld.h"

#include "absl/strings/str_cat.h"

#include <chrono>
#include <thread>

namespace orrery::runtime {
namespace {

// What a member tells the others before they connect. Without `ready` all
// refuse, so that none waits for one that cannot come.
struct Hello {
  ncclUniqueId id = {};
  int32_t ready = 0;
};
constexpr int64_t kHelloWords = sizeof(Hello) / sizeof(int32_t);
static_assert(sizeof(Hello) % sizeof(int32_t) == 0);

} // namespace

NcclWorld::~NcclWorld() {
  // Nobody is left to hear of an error.
  abort().IgnoreError();
}

absl::Status NcclWorld::load() {
  if (nccl)
    return absl::OkStatus();
  absl::StatusOr<const NcclLibrary *> library = NcclLibrary::load();
  if (!library.ok())
    return library.status();
  nccl = *library;
  return absl::OkStatus();
}

absl::Status NcclWorld::checkAsync() const {
  for (const Entry &entry : entries) {
    ncclResult_t error = ncclSuccess;
    ncclResult_t result = nccl->commGetAsyncError(entry.handle, &error);
    absl::Status status = nccl->toStatus(
        result == ncclSuccess ? error : result, "ncclCommGetAsyncError",
        entry.label, entry.member, entry.members, entry.handle);
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status NcclWorld::wait(cudaEvent_t event) const {
  using Clock = std::chrono::steady_clock;
  constexpr auto kCheckEvery = std::chrono::milliseconds(100);
  Clock::time_point nextCheck = Clock::now() + kCheckEvery;
  // Without sleeping: a step's successor waits for this.
  while (true) {
    cudaError_t state = cudaEventQuery(event);
    if (state == cudaSuccess)
      return checkAsync();
    if (state != cudaErrorNotReady)
      return absl::InternalError(
          absl::StrCat("work on the device: ", cudaGetErrorString(state)));
    if (Clock::now() >= nextCheck) {
      if (absl::Status status = checkAsync(); !status.ok())
        return status;
      nextCheck = Clock::now() + kCheckEvery;
    }
    std::this_thread::yield();
  }
}

absl::Status NcclWorld::abort() {
  if (entries.empty())
    return absl::OkStatus();
  // As one group: all are told to stop before the first is waited for, since
  // what one waits for may lie behind another on a stream.
  auto grouped = [&](ncclResult_t result, const char *call) {
    return nccl->toStatus(result, call, entries.front().label,
                          entries.front().member, entries.front().members,
                          nullptr);
  };
  absl::Status first = grouped(nccl->groupStart(), "ncclGroupStart");
  for (const Entry &entry : entries)
    first.Update(nccl->toStatus(nccl->commAbort(entry.handle), "ncclCommAbort",
                                entry.label, entry.member, entry.members,
                                nullptr));
  first.Update(grouped(nccl->groupEnd(), "ncclGroupEnd"));
  entries.clear();
  return first;
}

absl::Status NcclWorld::close(Communicator &world) {
  // A rank may still read from the buffers of one whose work is complete.
  if (absl::Status status = world.barrier(); !status.ok())
    return status;
  absl::Status first;
  for (const Entry &entry : entries)
    first.Update(nccl->toStatus(nccl->commDestroy(entry.handle),
                                "ncclCommDestroy", entry.label, entry.member,
                                entry.members, nullptr));
  entries.clear();
  return first;
}

absl::StatusOr<ncclComm_t> NcclWorld::connect(const std::string &label,
                                              const ncclUniqueId &id,
                                              int member, int members,
                                              int maxBlocks) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 1;
  config.commName = label.c_str();
  if (maxBlocks > 0)
    config.maxCTAs = maxBlocks;
  ncclComm_t handle = nullptr;
  ncclResult_t result =
      nccl->commInitRankConfig(&handle, members, id, member, &config);
  if (result != ncclSuccess)
    return nccl->toStatus(result, "ncclCommInitRankConfig", label, member,
                          members, nullptr);
  entries.push_back({label, member, members, handle});
  return handle;
}

absl::StatusOr<DeviceGroup> NcclWorld::createGroup(Communicator &host) {
  DeviceGroup group;
  group.label = host.name();
  group.self = host.rank();
  group.members = host.size();
  if (group.members == 1)
    return group;
  absl::Status own = load();
  Hello hello;
  if (own.ok() && group.self == 0)
    own = nccl->toStatus(nccl->getUniqueId(&hello.id), "ncclGetUniqueId",
                         group.label, 0, group.members, nullptr);
  hello.ready = own.ok();
  std::vector<Hello> all(group.members);
  absl::Status told =
      host.allGather(&hello, all.data(), kHelloWords, plan::I32);
  if (!own.ok())
    return own;
  if (!told.ok())
    return told;
  for (int m = 0; m < group.members; ++m)
    if (!all[m].ready)
      return absl::UnavailableError(
          absl::StrCat("member ", m, " of group '", group.label,
                       "' cannot use NCCL; it says why"));
  absl::StatusOr<ncclComm_t> handle =
      connect(group.label, all[0].id, group.self, group.members, 0);
  if (!handle.ok())
    return handle.status();
  group.nccl = nccl;
  group.handle = *handle;
  return group;
}

} // namespace orrery::runtime
