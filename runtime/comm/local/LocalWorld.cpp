// Communicators among threads.
#include "runtime/comm/local/LocalWorld.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/local/LocalGroup.h"
#include "runtime/plan/ElementType.h"

#include <algorithm>
#include <cstring>
#include <thread>

namespace orrery::runtime {
namespace {

template <typename T>
void reduceInto(T *out, const T *in, int64_t count, Reduction reduction) {
  if (reduction == Reduction::Sum)
    for (int64_t i = 0; i < count; ++i)
      out[i] += in[i];
  else
    for (int64_t i = 0; i < count; ++i)
      out[i] = std::max(out[i], in[i]);
}

class LocalCommunicator : public Communicator {
public:
  LocalCommunicator(std::string name, std::shared_ptr<LocalGroup> group,
                    int rank)
      : label(std::move(name)), group(std::move(group)), self(rank) {}

  const std::string &name() const override { return label; }
  int rank() const override { return self; }
  int size() const override { return group->size; }

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
  absl::Status barrier() override { return group->barrier(); }

private:
  struct Pending {
    bool used = false;
    void *data = nullptr; // null for a send, which is done at once
    int64_t bytes = 0;
    int peer = 0;
    int tag = 0;
    int64_t ticket = 0; // of a receive: number among those of (peer, tag)
  };
  Request take(const Pending &pending);
  // out = reduction over members of elements [begin, begin + count).
  absl::Status reduceRange(std::byte *out, int64_t begin, int64_t count,
                           plan::ElementType type, Reduction reduction);
  absl::Status exchange(const void *in, void *out, int64_t bytes, bool ownPart);

  std::string label;
  std::shared_ptr<LocalGroup> group;
  int self;
  std::vector<Pending> pending;
  std::map<std::pair<int, int>, int64_t> posted; // receives by (peer, tag)
};

absl::Status LocalCommunicator::reduceRange(std::byte *out, int64_t begin,
                                            int64_t count,
                                            plan::ElementType type,
                                            Reduction reduction) {
  const int64_t bytes = elementBytes(type);
  for (int member = 0; member < size(); ++member) {
    const std::byte *in =
        static_cast<const std::byte *>(group->bufferOf(member)) + begin * bytes;
    if (member == 0)
      std::memcpy(out, in, count * bytes);
    else if (type == plan::F32)
      reduceInto(reinterpret_cast<float *>(out),
                 reinterpret_cast<const float *>(in), count, reduction);
    else if (type == plan::F64)
      reduceInto(reinterpret_cast<double *>(out),
                 reinterpret_cast<const double *>(in), count, reduction);
    else if (type == plan::I32)
      reduceInto(reinterpret_cast<int32_t *>(out),
                 reinterpret_cast<const int32_t *>(in), count, reduction);
    else
      return absl::UnimplementedError(
          absl::StrCat("communicator '", label, "' reduces F32, F64 and I32, ",
                       "not ", elementName(type)));
  }
  return absl::OkStatus();
}

absl::Status LocalCommunicator::allReduce(const void *in, void *out,
                                          int64_t count, plan::ElementType type,
                                          Reduction reduction) {
  const int64_t bytes = elementBytes(type);
  if (self == 0 && static_cast<int64_t>(group->shared.size()) < count * bytes)
    group->shared.resize(count * bytes);
  if (absl::Status status = group->publish(self, in); !status.ok())
    return status;
  // Each member reduces its part of the elements for all.
  const int64_t each = (count + size() - 1) / size();
  const int64_t begin = std::min(count, each * self);
  absl::Status reduced =
      reduceRange(group->shared.data() + begin * bytes, begin,
                  std::min(each, count - begin), type, reduction);
  if (absl::Status status = group->barrier(); !status.ok())
    return status;
  if (reduced.ok())
    std::memcpy(out, group->shared.data(), count * bytes);
  absl::Status status = group->barrier();
  return reduced.ok() ? status : reduced;
}

// Copies from every member its whole buffer, or the part meant for this one.
absl::Status LocalCommunicator::exchange(const void *in, void *out,
                                         int64_t bytes, bool ownPart) {
  if (absl::Status status = group->publish(self, in); !status.ok())
    return status;
  for (int member = 0; member < size(); ++member)
    std::memcpy(static_cast<std::byte *>(out) + member * bytes,
                static_cast<const std::byte *>(group->bufferOf(member)) +
                    (ownPart ? self * bytes : 0),
                bytes);
  return group->barrier();
}

absl::Status LocalCommunicator::allGather(const void *in, void *out,
                                          int64_t count,
                                          plan::ElementType type) {
  return exchange(in, out, count * elementBytes(type), false);
}

absl::Status LocalCommunicator::allToAll(const void *in, void *out,
                                         int64_t count,
                                         plan::ElementType type) {
  return exchange(in, out, count * elementBytes(type), true);
}

absl::Status LocalCommunicator::reduceScatter(const void *in, void *out,
                                              int64_t count,
                                              plan::ElementType type,
                                              Reduction reduction) {
  if (absl::Status status = group->publish(self, in); !status.ok())
    return status;
  absl::Status reduced = reduceRange(static_cast<std::byte *>(out),
                                     self * count, count, type, reduction);
  absl::Status status = group->barrier();
  return reduced.ok() ? status : reduced;
}

Communicator::Request LocalCommunicator::take(const Pending &request) {
  for (size_t i = 0; i < pending.size(); ++i)
    if (!pending[i].used) {
      pending[i] = request;
      return static_cast<Request>(i);
    }
  pending.push_back(request);
  return static_cast<Request>(pending.size() - 1);
}

absl::Status LocalCommunicator::isend(const void *data, int64_t bytes, int peer,
                                      int tag, Request &request) {
  group->send(self, peer, tag, data, bytes);
  request = take({true, nullptr, bytes, peer, tag});
  return absl::OkStatus();
}

absl::Status LocalCommunicator::irecv(void *data, int64_t bytes, int peer,
                                      int tag, Request &request) {
  request = take({true, data, bytes, peer, tag, posted[{peer, tag}]++});
  return absl::OkStatus();
}

absl::Status LocalCommunicator::wait(Request request) {
  Pending done = pending[request];
  pending[request].used = false;
  if (!done.data)
    return absl::OkStatus();
  return group->receive(done.peer, self, done.tag, done.ticket, done.data,
                        done.bytes);
}

// What the ranks of a run share: groups, by the order of their creation.
struct LocalWorld {
  explicit LocalWorld(int ranks)
      : everyone(std::make_shared<LocalGroup>(ranks, abort)) {}

  std::shared_ptr<LocalGroup> groupOf(int64_t call, size_t index,
                                      size_t members) {
    std::lock_guard<std::mutex> lock(mutex);
    std::shared_ptr<LocalGroup> &group = groups[{call, index}];
    if (!group)
      group = std::make_shared<LocalGroup>(static_cast<int>(members), abort);
    return group;
  }

  LocalAbort abort;
  std::shared_ptr<LocalGroup> everyone;
  std::mutex mutex;
  std::map<std::pair<int64_t, size_t>, std::shared_ptr<LocalGroup>> groups;
};

class LocalFactory : public CommunicatorFactory {
public:
  LocalFactory(LocalWorld &shared, int rank)
      : shared(shared), self(rank), all("world", shared.everyone, rank) {}

  int rank() const override { return self; }
  int size() const override { return shared.everyone->size; }
  Communicator &world() override { return all; }
  absl::Status create(const std::string &name,
                      const std::vector<std::vector<int32_t>> &groups,
                      std::unique_ptr<Communicator> &out) override {
    const int64_t call = calls++;
    out.reset();
    for (size_t i = 0; i < groups.size(); ++i) {
      auto found = std::find(groups[i].begin(), groups[i].end(), self);
      if (found != groups[i].end())
        out = std::make_unique<LocalCommunicator>(
            name, shared.groupOf(call, i, groups[i].size()),
            static_cast<int>(found - groups[i].begin()));
    }
    return absl::OkStatus();
  }
  void abort(const absl::Status &status) override {
    shared.abort.raise(status);
  }

private:
  LocalWorld &shared;
  int self;
  LocalCommunicator all;
  int64_t calls = 0;
};

} // namespace

absl::Status
runLocalRanks(int ranks,
              const std::function<absl::Status(CommunicatorFactory &)> &body) {
  LocalWorld world(ranks);
  std::vector<absl::Status> results(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      LocalFactory factory(world, rank);
      results[rank] = body(factory);
      if (!results[rank].ok())
        factory.abort(results[rank]);
    });
  for (std::thread &thread : threads)
    thread.join();
  absl::Status echo;
  for (const absl::Status &result : results) {
    if (result.ok())
      continue;
    if (result.code() != absl::StatusCode::kAborted)
      return result;
    echo = result;
  }
  return echo;
}

} // namespace orrery::runtime
