// The state that the members of a local group share.
#ifndef ORRERY_RUNTIME_COMM_LOCAL_LOCALGROUP_H
#define ORRERY_RUNTIME_COMM_LOCAL_LOCALGROUP_H

#include "absl/status/status.h"

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

namespace orrery::runtime {

/// Whether the run has been ended by one of its ranks.
class LocalAbort {
public:
  /// Records the first reason.
  void raise(const absl::Status &status);
  bool raised() const;
  /// Aborted, with the reason.
  absl::Status status() const;

private:
  mutable std::mutex mutex;
  absl::Status reason;
};

/// A barrier, a table of buffers and mailboxes.
class LocalGroup {
public:
  LocalGroup(int members, LocalAbort &abort)
      : size(members), buffers(members), abort(abort) {}

  /// Waits for every member, or until the run is aborted.
  absl::Status barrier();
  /// Publishes `buffer` as `member`'s, then waits for every member.
  absl::Status publish(int member, const void *buffer);
  const void *bufferOf(int member) const { return buffers[member]; }
  /// Memory shared by the members, at least `bytes`; grown by member 0 between
  /// barriers.
  std::vector<std::byte> shared;

  void send(int from, int to, int tag, const void *data, int64_t bytes);
  /// Waits for message number `ticket` (from 0) of this sender and tag.
  absl::Status receive(int from, int to, int tag, int64_t ticket, void *data,
                       int64_t bytes);

  const int size;

private:
  // Waits for `ready`, looking for an abort now and then.
  template <typename Ready>
  absl::Status waitFor(std::unique_lock<std::mutex> &lock, Ready ready);

  std::vector<const void *> buffers;
  LocalAbort &abort;
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;
  int64_t round = 0;
  using Address = std::tuple<int, int, int>; // from, to, tag
  struct Mailbox {
    int64_t sent = 0;
    std::map<int64_t, std::vector<std::byte>> waiting; // by number
  };
  std::map<Address, Mailbox> mail;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_LOCAL_LOCALGROUP_H
