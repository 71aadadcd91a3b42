// Mapping and releasing.
#include "runtime/device/cuda/HostImage.h"

#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace orrery::runtime::cuda {

absl::StatusOr<HostImage> HostImage::create(int64_t bytes) {
  HostImage image;
  if (bytes == 0)
    return image;
  void *memory =
      mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot reserve ", bytes,
                     " bytes of addresses for the host's copy of weights: ",
                     std::strerror(errno)));
  // Fewer faults; where the system has no large pages it says so, and that is
  // all.
  if (madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE) != 0)
    errno = 0;
  image.memory = static_cast<std::byte *>(memory);
  image.bytes = bytes;
  return image;
}

absl::Status HostImage::release(uint64_t begin, uint64_t end) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin >= end)
    return absl::OkStatus();
  if (madvise(memory + begin, end - begin, MADV_DONTNEED) != 0)
    return absl::InternalError(
        absl::StrCat("cannot give back ", end - begin,
                     " bytes of host memory: ", std::strerror(errno)));
  return absl::OkStatus();
}

HostImage &HostImage::operator=(HostImage &&other) noexcept {
  std::swap(memory, other.memory);
  std::swap(bytes, other.bytes);
  return *this;
}

HostImage::~HostImage() {
  if (memory)
    munmap(memory, static_cast<size_t>(bytes));
}

} // namespace orrery::runtime::cuda
