// Temporary file, fsync, rename, fsync of the folder: in this order.
#include "runtime/plan/AtomicFile.h"

#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace orrery::runtime {

absl::Status errnoStatus(int error, absl::string_view what) {
  std::string text = absl::StrCat("cannot ", what, ": ", strerror(error),
                                  " (errno ", error, ")");
  switch (error) {
  case ENOENT:
    return absl::NotFoundError(text);
  case EACCES:
  case EPERM:
    return absl::PermissionDeniedError(text);
  case ENOSPC:
  case EDQUOT:
    return absl::ResourceExhaustedError(text);
  default:
    return absl::InternalError(text);
  }
}

std::string parentDirectory(const std::string &path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status syncDirectory(const std::string &path) {
  int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return errnoStatus(errno, absl::StrCat("open folder '", path, "'"));
  int failed = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // Some file systems cannot sync a folder; they order renames themselves.
  if (failed && failed != EINVAL)
    return errnoStatus(failed, absl::StrCat("sync folder '", path, "'"));
  return absl::OkStatus();
}

static absl::Status writeAll(int fd, absl::string_view bytes,
                             const std::string &path) {
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errnoStatus(errno, absl::StrCat("write '", path, "'"));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

static absl::Status writeAndSync(int fd, const std::string &path,
                                 const std::vector<absl::string_view> &parts) {
  for (absl::string_view part : parts)
    if (absl::Status status = writeAll(fd, part, path); !status.ok())
      return status;
  if (fsync(fd) != 0)
    return errnoStatus(errno, absl::StrCat("sync '", path, "'"));
  return absl::OkStatus();
}

absl::Status writeFileAtomically(const std::string &path,
                                 const std::vector<absl::string_view> &parts) {
  std::string temporary = absl::StrCat(path, ".tmp-", getpid());
  int fd =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0)
    return errnoStatus(errno, absl::StrCat("create '", temporary, "'"));
  absl::Status status = writeAndSync(fd, temporary, parts);
  if (close(fd) != 0 && status.ok())
    status = errnoStatus(errno, absl::StrCat("close '", temporary, "'"));
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0)
    status = errnoStatus(
        errno, absl::StrCat("rename '", temporary, "' to '", path, "'"));
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return syncDirectory(parentDirectory(path));
}

} // namespace orrery::runtime
