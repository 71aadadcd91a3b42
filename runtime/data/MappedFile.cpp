// Maps a file with mmap.
#include "runtime/data/MappedFile.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orrery::runtime {

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      length(std::exchange(other.length, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(length, other.length);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    munmap(const_cast<std::byte *>(data), length);
}

absl::StatusOr<MappedFile> MappedFile::open(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    absl::Status status =
        absl::ErrnoToStatus(errno, absl::StrCat("cannot stat ", path));
    close(descriptor);
    return status;
  }
  if (!S_ISREG(info.st_mode)) {
    close(descriptor);
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  MappedFile file;
  file.length = static_cast<size_t>(info.st_size);
  // An empty file cannot be mapped; it stays a null span.
  if (file.length > 0) {
    void *address =
        mmap(nullptr, file.length, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) {
      absl::Status status =
          absl::ErrnoToStatus(errno, absl::StrCat("cannot map ", path));
      close(descriptor);
      return status;
    }
    file.data = static_cast<const std::byte *>(address);
  }
  close(descriptor);
  return file;
}

} // namespace orrery::runtime
