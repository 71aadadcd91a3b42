// The hosts of a job and how many ranks each takes, from a hostfile.
#ifndef ORRERY_FRONTEND_HOSTFILE_HOSTFILE_H
#define ORRERY_FRONTEND_HOSTFILE_HOSTFILE_H

#include "frontend/job/Diagnostic.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::frontend {

struct Host {
  std::string name;
  int64_t slots = 0; // ranks
};

struct Hostfile {
  std::vector<Host> hosts; // in order of first mention
  job::Diagnostics errors; // subjects are "line 3"
  bool ok() const { return errors.empty(); }
  int64_t worldSize() const; // sum of the slots
};

/// Reads the forms that mpirun and DeepSpeed take, one host a line:
///
///   # comment
///   node1 slots=4 max_slots=8
///   node2              one slot; a repeated host adds to its slots
///   user@node3:4       four slots (mpirun)
///
/// `max-slots` is another spelling of `max_slots`; `slots` must be at least 1
/// and at most `max_slots`. Every fault is reported with its line.
Hostfile parseHostfile(std::string_view text);

/// The same for a file on disk; a file that cannot be read is an error.
Hostfile readHostfile(const std::string &path);

} // namespace orrery::frontend

#endif // ORRERY_FRONTEND_HOSTFILE_HOSTFILE_H
