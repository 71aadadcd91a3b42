// Prepared instructions: everything worked out once, so that enqueuing one
// reads no protobuf and allocates nothing.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_OPERATION_H
#define ORRERY_RUNTIME_DEVICE_CUDA_OPERATION_H

#include "runtime/device/cuda/CudaStatus.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace orrery::runtime::cuda {

/// What an operation finds when it is enqueued. Addresses do not change as long
/// as the device lives: a captured graph holds them.
struct Site {
  std::byte *arena = nullptr;
  const uint64_t *keys = nullptr; // by number of the random stream
  std::byte *scratch = nullptr;   // of the lane; a multiple of 256
  cudaStream_t stream = nullptr;
  int64_t microbatch = 0;
};

class Operation {
public:
  virtual ~Operation() = default;

  /// Enqueues kernels or messages; may be captured.
  virtual absl::Status enqueue(const Site &site) = 0;
  virtual int64_t scratchBytes() const { return 0; }
};

/// An operation that is one call: `Call` takes a Site and gives a cudaError_t
/// or an absl::Status.
template <typename Call> class CallOperation : public Operation {
public:
  CallOperation(int64_t scratch, Call call)
      : scratch(scratch), call(std::move(call)) {}
  absl::Status enqueue(const Site &site) override {
    if constexpr (std::is_same_v<decltype(call(site)), cudaError_t>)
      return toStatus(call(site), "cannot enqueue");
    else
      return call(site);
  }
  int64_t scratchBytes() const override { return scratch; }

private:
  int64_t scratch;
  Call call;
};

template <typename Call>
std::unique_ptr<Operation> makeOperation(int64_t scratch, Call call) {
  return std::make_unique<CallOperation<Call>>(scratch, std::move(call));
}

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_OPERATION_H
