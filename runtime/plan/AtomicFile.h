// Writing a file so that it appears whole or not at all.
#ifndef ORRERY_RUNTIME_PLAN_ATOMICFILE_H
#define ORRERY_RUNTIME_PLAN_ATOMICFILE_H

#include "absl/status/status.h"

#include "absl/strings/string_view.h"
#include <string>
#include <vector>

namespace orrery::runtime {

/// Status of a failed system call: `what` (an action and its path), then the
/// text and number of `error` (an errno value). ENOENT gives NotFound, EACCES
/// and EPERM PermissionDenied, ENOSPC and EDQUOT ResourceExhausted, every
/// other value Internal.
absl::Status errnoStatus(int error, absl::string_view what);

/// Writes the concatenation of `parts` to `path`: into a temporary file in the
/// same folder, fsync, rename over `path`, fsync of the folder. After a crash
/// at any moment `path` holds its former content or all of the new one.
/// On failure the temporary file is removed and `path` is as before.
absl::Status writeFileAtomically(const std::string &path,
                                 const std::vector<absl::string_view> &parts);

/// Makes the entries of the folder `path` durable (fsync of the folder).
absl::Status syncDirectory(const std::string &path);

/// The folder part of `path`: "a/b" of "a/b/c", "." of "c", "/" of "/c".
std::string parentDirectory(const std::string &path);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_ATOMICFILE_H
