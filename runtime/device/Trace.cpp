// Chrome's trace event format.
#include "runtime/device/Trace.h"

#include "absl/strings/str_cat.h"
#include "runtime/log/Log.h"
#include "runtime/plan/AtomicFile.h"

#include <nlohmann/json.hpp>
#include <numeric>

namespace orrery::runtime {
void Trace::start() {
  events.reserve(kCapacity);
  origin = std::chrono::steady_clock::now();
}

double Trace::now() const {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now() - origin)
      .count();
}

void Trace::add(const TraceEvent &event) {
  if (events.size() == kCapacity)
    ++dropped;
  else
    events.push_back(event);
}

// The events separated by commas, without brackets around them.
std::string Trace::toJson(int rank) const {
  std::string text =
      nlohmann::json{{"name", "process_name"},
                     {"ph", "M"},
                     {"pid", rank},
                     {"args", {{"name", absl::StrCat("rank ", rank)}}}}
          .dump();
  for (size_t stream = 0; stream < streams.size(); ++stream)
    absl::StrAppend(&text, ",\n",
                    nlohmann::json{{"name", "thread_name"},
                                   {"ph", "M"},
                                   {"pid", rank},
                                   {"tid", stream},
                                   {"args", {{"name", streams[stream]}}}}
                        .dump());
  for (const TraceEvent &event : events) {
    nlohmann::json json = {{"name", event.label},
                           {"cat", event.kind},
                           {"ph", "X"},
                           {"pid", rank},
                           {"tid", event.stream},
                           {"ts", event.begin},
                           {"dur", event.end - event.begin},
                           {"args",
                            {{"program", event.program},
                             {"step", event.step},
                             {"microbatch", event.microbatch},
                             {"flops", event.flops},
                             {"bytes", event.bytes}}}};
    absl::StrAppend(&text, ",\n", json.dump());
  }
  if (dropped)
    absl::StrAppend(
        &text, ",\n",
        nlohmann::json{{"name", absl::StrCat(dropped, " events dropped")},
                       {"ph", "i"},
                       {"pid", rank},
                       {"tid", 0},
                       {"ts", events.back().end}}
            .dump());
  return text;
}

absl::Status Trace::write(const std::string &path, Communicator &world) const {
  std::string mine = toJson(world.rank());
  struct Part {
    int64_t size, dropped;
  };
  const Part part = {static_cast<int64_t>(mine.size()), dropped};
  std::vector<Part> parts(world.size());
  absl::Status status = world.allGather(&part, parts.data(), 2, plan::I64);
  if (!status.ok())
    return status;
  Communicator::Request request;
  if (world.rank() != 0) {
    status = world.isend(mine.data(), part.size, 0, 0, request);
    return status.ok() ? world.wait(request) : status;
  }
  int64_t allDropped = 0;
  for (const Part &of : parts)
    allDropped += of.dropped;
  std::string text = "{";
  if (allDropped) {
    spdlog::warn("trace '{}' holds the first {} events of each rank; {} later "
                 "ones were dropped",
                 path, kCapacity, allDropped);
    absl::StrAppend(&text, "\"otherData\":{\"events_per_rank\":", kCapacity,
                    ",\"dropped_events\":", allDropped, "},\n");
  }
  absl::StrAppend(&text, "\"traceEvents\":[\n", mine);
  for (int rank = 1; rank < world.size(); ++rank) {
    std::string theirs(static_cast<size_t>(parts[rank].size), '\0');
    status = world.irecv(theirs.data(), parts[rank].size, rank, 0, request);
    if (status.ok())
      status = world.wait(request);
    if (!status.ok())
      return status;
    absl::StrAppend(&text, ",\n", theirs);
  }
  absl::StrAppend(&text, "\n]}\n");
  return writeFileAtomically(path, {text});
}

} // namespace orrery::runtime
