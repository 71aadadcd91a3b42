// Device memory, page-locked host memory, streams and events that free
// themselves.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_MEMORY_H
#define ORRERY_RUNTIME_DEVICE_CUDA_MEMORY_H

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudaStatus.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace orrery::runtime::cuda {

/// Owns one handle; `Free` ends it. What freeing returns is dropped: it repeats
/// errors of earlier calls.
template <typename Handle, auto Free> class Owned {
public:
  Owned() = default;
  explicit Owned(Handle handle) : handle(handle) {}
  Owned(Owned &&other) noexcept : handle(std::exchange(other.handle, {})) {}
  Owned &operator=(Owned &&other) noexcept {
    std::swap(handle, other.handle);
    return *this;
  }
  ~Owned() {
    if (handle)
      static_cast<void>(Free(handle));
  }

  Handle get() const { return handle; }

private:
  Handle handle = {};
};

using Stream = Owned<cudaStream_t, cudaStreamDestroy>;
using Event = Owned<cudaEvent_t, cudaEventDestroy>;
using Graph = Owned<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;
using DeviceMemory = Owned<void *, cudaFree>;
using PinnedMemory = Owned<void *, cudaFreeHost>;

/// Nothing for 0 bytes. ResourceExhausted names `what` and the bytes; a launch
/// that comes next does not hear of it.
inline absl::StatusOr<DeviceMemory> allocateDevice(int64_t bytes,
                                                   absl::string_view what) {
  void *memory = nullptr;
  if (bytes > 0)
    if (cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
        error != cudaSuccess) {
      static_cast<void>(cudaGetLastError()); // the status says it
      return toStatus(error, absl::StrCat("cannot allocate ", bytes,
                                          " bytes of GPU memory for ", what));
    }
  return DeviceMemory(memory);
}

inline absl::StatusOr<PinnedMemory> allocatePinned(int64_t bytes,
                                                   absl::string_view what) {
  void *memory = nullptr;
  if (bytes > 0)
    if (cudaError_t error = cudaMallocHost(&memory, static_cast<size_t>(bytes));
        error != cudaSuccess)
      return toStatus(error,
                      absl::StrCat("cannot allocate ", bytes,
                                   " bytes of page-locked memory for ", what));
  return PinnedMemory(memory);
}

/// `urgent`: its blocks go before those of other streams.
inline absl::StatusOr<Stream> createStream(bool urgent) {
  int least = 0, greatest = 0;
  cudaStream_t stream = nullptr;
  cudaError_t error = cudaDeviceGetStreamPriorityRange(&least, &greatest);
  if (error == cudaSuccess)
    error = cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking,
                                         urgent ? greatest : least);
  if (error != cudaSuccess)
    return toStatus(error, "cannot create a stream");
  return Stream(stream);
}

inline absl::StatusOr<Event> createEvent(bool timing) {
  cudaEvent_t event = nullptr;
  if (cudaError_t error = cudaEventCreateWithFlags(
          &event, timing ? cudaEventDefault : cudaEventDisableTiming);
      error != cudaSuccess)
    return toStatus(error, "cannot create an event");
  return Event(event);
}

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_MEMORY_H
