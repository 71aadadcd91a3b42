// Tests of NCCL over MPI's ranks: one GPU each, or a reason to skip.
#ifndef ORRERY_TEST_RUNTIME_COMM_NCCL_DEVICERANKS_H
#define ORRERY_TEST_RUNTIME_COMM_NCCL_DEVICERANKS_H

#include "runtime/comm/Communicator.h"
#include "runtime/comm/nccl/NcclWorld.h"

#include <cuda_runtime_api.h>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Not OK where a call fails; the text names it.
inline absl::Status cuda(cudaError_t error, const char *call) {
  return error == cudaSuccess ? absl::OkStatus()
                              : absl::InternalError(std::string(call) + ": " +
                                                    cudaGetErrorString(error));
}
#define RETURN_IF_ERROR(expression)                                            \
  if (absl::Status status_ = (expression); !status_.ok())                      \
  return status_
#define RETURN_IF_CUDA(call) RETURN_IF_ERROR(cuda(call, #call))

/// What a rank works with: its GPU is current.
struct DeviceRank {
  CommunicatorFactory &factory;
  NcclWorld &nccl;
  const DeviceGroup &all; // over the world
  cudaStream_t stream;

  int rank() const { return all.rank(); }
  int size() const { return all.size(); }
  /// Waits for the stream, watching for other ranks' ends.
  absl::Status finish() const;
};

/// Empty when every rank has a GPU of its own and NCCL, else why not; the same
/// on all ranks.
const std::string &whyNoDevices();

/// Runs the body on all ranks, which agree on its success.
absl::Status
onAllDevices(const std::function<absl::Status(const DeviceRank &)> &body);

/// Skips or runs; fails the test when a rank's body fails.
#define EXPECT_ON_ALL_DEVICES(...)                                             \
  if (!whyNoDevices().empty())                                                 \
    GTEST_SKIP() << whyNoDevices();                                            \
  absl::Status bodyStatus = onAllDevices(__VA_ARGS__);                         \
  EXPECT_TRUE(bodyStatus.ok()) << bodyStatus

/// Device memory with values of T; poisoned where not set: NaN in F32, F64,
/// F16 and BF16, -1 in integers.
template <typename T> class DeviceArray {
public:
  explicit DeviceArray(int64_t count) : count(count) {
    if (cudaMalloc(&memory, bytes()) != cudaSuccess ||
        cudaMemset(memory, 0xff, bytes()) != cudaSuccess ||
        cudaDeviceSynchronize() != cudaSuccess) // other streams do not wait
      ADD_FAILURE() << "no memory for " << bytes() << " bytes";
  }
  explicit DeviceArray(const std::vector<T> &values)
      : DeviceArray(static_cast<int64_t>(values.size())) {
    set(values);
  }
  ~DeviceArray() { EXPECT_EQ(cudaFree(memory), cudaSuccess); }
  DeviceArray(const DeviceArray &) = delete;
  DeviceArray &operator=(const DeviceArray &) = delete;

  T *data() const { return static_cast<T *>(memory); }
  int64_t bytes() const { return count * static_cast<int64_t>(sizeof(T)); }
  void set(const std::vector<T> &values) {
    EXPECT_EQ(
        cudaMemcpy(memory, values.data(), bytes(), cudaMemcpyHostToDevice),
        cudaSuccess);
  }
  /// To be called when the work on the memory is done.
  std::vector<T> get() const {
    std::vector<T> values(count);
    EXPECT_EQ(
        cudaMemcpy(values.data(), memory, bytes(), cudaMemcpyDeviceToHost),
        cudaSuccess);
    return values;
  }

private:
  int64_t count;
  void *memory = nullptr;
};

/// Captures what `enqueue` enqueues on the rank's stream and others that it
/// forks from it.
class CapturedGraph {
public:
  CapturedGraph() = default;
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph &) = delete;
  CapturedGraph &operator=(const CapturedGraph &) = delete;

  absl::Status capture(cudaStream_t stream,
                       const std::function<absl::Status()> &enqueue);
  absl::Status launch(cudaStream_t stream) const;

private:
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
};

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_COMM_NCCL_DEVICERANKS_H
