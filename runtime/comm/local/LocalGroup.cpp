// Barriers and mailboxes between threads.
#include "runtime/comm/local/LocalGroup.h"

#include "absl/strings/str_cat.h"

#include <chrono>
#include <cstring>

namespace orrery::runtime {

void LocalAbort::raise(const absl::Status &status) {
  std::lock_guard<std::mutex> lock(mutex);
  if (reason.ok())
    reason = status;
}

bool LocalAbort::raised() const {
  std::lock_guard<std::mutex> lock(mutex);
  return !reason.ok();
}

absl::Status LocalAbort::status() const {
  std::lock_guard<std::mutex> lock(mutex);
  return absl::AbortedError(
      absl::StrCat("ended by another rank: ", reason.message()));
}

template <typename Ready>
absl::Status LocalGroup::waitFor(std::unique_lock<std::mutex> &lock,
                                 Ready ready) {
  while (!changed.wait_for(lock, std::chrono::milliseconds(20), ready))
    if (abort.raised())
      return abort.status();
  return absl::OkStatus();
}

absl::Status LocalGroup::barrier() {
  std::unique_lock<std::mutex> lock(mutex);
  const int64_t mine = round;
  if (++arrived == size) {
    arrived = 0;
    ++round;
    changed.notify_all();
    return absl::OkStatus();
  }
  return waitFor(lock, [&] { return round != mine; });
}

absl::Status LocalGroup::publish(int member, const void *buffer) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    buffers[member] = buffer;
  }
  return barrier();
}

void LocalGroup::send(int from, int to, int tag, const void *data,
                      int64_t bytes) {
  const std::byte *begin = static_cast<const std::byte *>(data);
  std::lock_guard<std::mutex> lock(mutex);
  Mailbox &box = mail[{from, to, tag}];
  box.waiting.emplace(box.sent++, std::vector<std::byte>(begin, begin + bytes));
  changed.notify_all();
}

absl::Status LocalGroup::receive(int from, int to, int tag, int64_t ticket,
                                 void *data, int64_t bytes) {
  std::unique_lock<std::mutex> lock(mutex);
  Mailbox &box = mail[{from, to, tag}];
  absl::Status status =
      waitFor(lock, [&] { return box.waiting.count(ticket) != 0; });
  if (!status.ok())
    return status;
  std::vector<std::byte> message = std::move(box.waiting[ticket]);
  box.waiting.erase(ticket);
  if (static_cast<int64_t>(message.size()) != bytes)
    return absl::DataLossError(
        absl::StrCat("member ", to, " expected ", bytes, " bytes from member ",
                     from, " with tag ", tag, " and got ", message.size()));
  std::memcpy(data, message.data(), message.size());
  return absl::OkStatus();
}

} // namespace orrery::runtime
