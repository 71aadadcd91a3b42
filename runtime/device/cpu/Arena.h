// One allocation that holds every buffer of a rank.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_ARENA_H
#define ORRERY_RUNTIME_DEVICE_CPU_ARENA_H

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>

namespace orrery::runtime {

/// Zeroed memory aligned to a page, in huge pages where the system gives them.
/// Pages are first touched by the threads that will use them, and so lie in
/// their memory.
class Arena {
public:
  /// ResourceExhausted names `what` and the bytes asked for.
  static absl::StatusOr<Arena> create(int64_t bytes, int threads,
                                      const char *what);
  Arena() = default;
  Arena(Arena &&other) noexcept { *this = std::move(other); }
  Arena &operator=(Arena &&other) noexcept;
  ~Arena();

  std::byte *data() const { return memory; }
  int64_t size() const { return bytes; }

private:
  std::byte *memory = nullptr;
  int64_t bytes = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_ARENA_H
