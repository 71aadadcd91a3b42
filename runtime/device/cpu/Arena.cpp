// Mapping and first touch of the arena.
#include "runtime/device/cpu/Arena.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace orrery::runtime {

absl::StatusOr<Arena> Arena::create(int64_t bytes, int threads,
                                    const char *what) {
  Arena arena;
  if (bytes == 0)
    return arena;
  void *memory =
      mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return absl::ResourceExhaustedError(absl::StrCat("cannot allocate ", bytes,
                                                     " bytes for ", what, ": ",
                                                     std::strerror(errno)));
  arena.memory = static_cast<std::byte *>(memory);
  arena.bytes = bytes;
  // Only advice: systems without huge pages refuse it and lose nothing.
  madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  constexpr int64_t kPiece = 1 << 21;
  const int64_t pieces = (bytes + kPiece - 1) / kPiece;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t piece = 0; piece < pieces; ++piece)
    std::memset(arena.memory + piece * kPiece, 0,
                static_cast<size_t>(std::min(kPiece, bytes - piece * kPiece)));
  return arena;
}

Arena &Arena::operator=(Arena &&other) noexcept {
  std::swap(memory, other.memory);
  std::swap(bytes, other.bytes);
  return *this;
}

Arena::~Arena() {
  if (memory)
    munmap(memory, static_cast<size_t>(bytes));
}

} // namespace orrery::runtime
