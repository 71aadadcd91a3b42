// Host memory laid out as the arena, of which only the pages that are touched
// exist.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_HOSTIMAGE_H
#define ORRERY_RUNTIME_DEVICE_CUDA_HOSTIMAGE_H

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>

namespace orrery::runtime::cuda {

class HostImage {
public:
  /// Zeroes, without memory behind them yet. ResourceExhausted names the bytes.
  static absl::StatusOr<HostImage> create(int64_t bytes);
  HostImage() = default;
  HostImage(HostImage &&other) noexcept { *this = std::move(other); }
  HostImage &operator=(HostImage &&other) noexcept;
  ~HostImage();

  std::byte *data() const { return memory; }
  /// Gives back the memory of the pages that lie wholly in [begin, end): they
  /// are zero again.
  absl::Status release(uint64_t begin, uint64_t end);

private:
  std::byte *memory = nullptr;
  int64_t bytes = 0;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_HOSTIMAGE_H
