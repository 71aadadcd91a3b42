// Adding up a step's events.
#include "runtime/exec/Profile.h"

#include "absl/strings/str_format.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace orrery::runtime {
namespace {

using Interval = std::pair<double, double>;

// Total length of a union of intervals.
double lengthOf(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end());
  double total = 0, end = 0;
  bool first = true;
  for (const Interval &i : intervals) {
    const double begin = first ? i.first : std::max(end, i.first);
    total += std::max(0.0, i.second - begin);
    end = first ? i.second : std::max(end, i.second);
    first = false;
  }
  return total;
}

bool is(const TraceEvent &event,
        std::initializer_list<std::string_view> kinds) {
  return std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end();
}

std::string withoutLayer(std::string_view label) {
  const size_t at = label.rfind(" layer ");
  return std::string(label.substr(0, at));
}

std::string share(double rate, double ceiling) {
  return ceiling > 0 ? absl::StrFormat("%5.0f%%", 100 * rate / ceiling)
                     : std::string(6, ' ');
}

} // namespace

Profile profileOf(const std::vector<TraceEvent> &events, int64_t step) {
  Profile profile;
  std::vector<Interval> computing, communicating, waiting;
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  double begin = 0, end = 0;
  for (const TraceEvent &event : events) {
    if (event.step != step)
      continue;
    if (rows.empty())
      begin = event.begin;
    begin = std::min(begin, event.begin);
    end = std::max(end, event.end);
    if (is(event, {"receive"}))
      waiting.push_back({event.begin, event.end});
    else if (is(event, {"collective", "send"}))
      communicating.push_back({event.begin, event.end});
    else
      computing.push_back({event.begin, event.end});
    const std::string label = withoutLayer(event.label);
    ProfileRow &row = rows[{event.kind, label}];
    row.kind = event.kind;
    row.label = label;
    ++row.count;
    row.milliseconds += (event.end - event.begin) / 1e3;
    row.flops += event.flops;
    row.bytes += event.bytes;
  }
  profile.step = (end - begin) / 1e3;
  profile.computing = lengthOf(computing) / 1e3;
  profile.communication = lengthOf(communicating) / 1e3;
  std::vector<Interval> all = computing;
  all.insert(all.end(), communicating.begin(), communicating.end());
  const double withCommunication = lengthOf(all) / 1e3;
  all.insert(all.end(), waiting.begin(), waiting.end());
  const double withWaiting = lengthOf(all) / 1e3;
  profile.exposedCommunication = withCommunication - profile.computing;
  profile.waiting = withWaiting - withCommunication;
  profile.idle = profile.step - withWaiting;
  for (auto &[key, row] : rows)
    profile.rows.push_back(std::move(row));
  std::stable_sort(profile.rows.begin(), profile.rows.end(),
                   [](const ProfileRow &a, const ProfileRow &b) {
                     return a.milliseconds > b.milliseconds;
                   });
  return profile;
}

std::vector<std::string> profileTable(const Profile &profile,
                                      const DeviceCeilings &ceilings) {
  std::vector<std::string> lines;
  lines.push_back(absl::StrFormat("%-15s %-28s %6s %10s %6s %9s %6s %9s %6s",
                                  "kind", "operation", "runs", "ms", "share",
                                  "TFLOP/s", "of max", "GB/s", "of max"));
  for (const ProfileRow &row : profile.rows) {
    const double seconds = row.milliseconds / 1e3;
    const double flops = seconds > 0 ? row.flops / seconds : 0;
    const double bytes = seconds > 0 ? row.bytes / seconds : 0;
    std::string rates = std::string(16, ' ');
    if (row.flops > 0)
      rates = absl::StrFormat("%9.1f %6s", flops / 1e12,
                              share(flops, ceilings.flopsPerSecond));
    lines.push_back(absl::StrFormat(
        "%-15s %-28s %6d %10.3f %5.1f%% %s %9.1f %6s", row.kind,
        row.label.substr(0, 28), row.count, row.milliseconds,
        100 * row.milliseconds / std::max(profile.step, 1e-9), rates,
        bytes / 1e9, share(bytes, ceilings.bytesPerSecond)));
  }
  if (ceilings.flopsPerSecond > 0)
    lines.push_back(absl::StrFormat(
        "of max: of %.0f TFLOP/s and %.0f GB/s, measured on this device",
        ceilings.flopsPerSecond / 1e12, ceilings.bytesPerSecond / 1e9));
  return lines;
}

std::string profileLine(const Profile &profile, int rank) {
  return absl::StrFormat(
      "rank %d: step %.2f ms = computing %.2f + exposed communication %.2f + "
      "waiting for other stages %.2f + idle %.2f; communication, hidden or "
      "not, %.2f",
      rank, profile.step, profile.computing, profile.exposedCommunication,
      profile.waiting, profile.idle, profile.communication);
}

} // namespace orrery::runtime
