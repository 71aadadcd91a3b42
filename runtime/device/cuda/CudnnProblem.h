// One attention problem as a graph of cuDNN's frontend. For CudnnFrontend.cpp
// alone: what this includes is large.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDNNPROBLEM_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDNNPROBLEM_H

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/CudnnAttention.h"
#include "runtime/device/cuda/Memory.h"

#include <algorithm>
#include <cudnn_frontend.h>
#include <span>
#include <vector>

namespace orrery::runtime::cuda {

namespace fe = cudnn_frontend;

/// Names of tensors within a graph.
enum CudnnUid : int64_t { Q = 1, K, V, O, Stats, GradO, GradQ, GradK, GradV };

inline absl::Status toStatus(const fe::error_t &error, absl::string_view what) {
  if (error.code == fe::error_code_t::OK)
    return absl::OkStatus();
  std::string text = absl::StrCat(what, ": ", error.err_msg);
  switch (error.code) {
  case fe::error_code_t::GRAPH_NOT_SUPPORTED:
  case fe::error_code_t::UNSUPPORTED_GRAPH_FORMAT:
  case fe::error_code_t::HEURISTIC_QUERY_FAILED:
  case fe::error_code_t::GRAPH_EXECUTION_PLAN_CREATION_FAILED:
  case fe::error_code_t::CUDNN_BACKEND_API_FAILED: // of a plan's parts
    return absl::UnimplementedError(text);
  default:
    return absl::InternalError(text);
  }
}

inline absl::Status toStatus(cudnnStatus_t status, absl::string_view call) {
  if (status == CUDNN_STATUS_SUCCESS)
    return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(call, ": ", fe::detail::get_error_string(status)));
}

// The frontend reports a missing library or function by exceptions.
template <typename Body> absl::Status guarded(Body body) {
  try {
    return body();
  } catch (const std::exception &exception) {
    return absl::InternalError(absl::StrCat("cuDNN: ", exception.what()));
  }
}

// A tensor of a problem: how it lies, and where in a call.
struct CudnnOperand {
  CudnnUid uid;
  kernels::AttentionTensor tensor;
};

// Bytes from a tensor's first element to the end of its last.
inline int64_t extentOf(const kernels::AttentionTensor &tensor,
                        const kernels::AttentionShape &shape) {
  return ((shape.sequence - 1) * tensor.strideS +
          (shape.batch - 1) * tensor.strideB +
          (shape.heads - 1) * tensor.strideN + shape.dim) *
         2;
}

// A graph over a part of the samples and heads, enqueued for each part.
class CudnnProblem {
public:
  CudnnProblem(cudnnHandle_t handle, kernels::ElementType type,
               const kernels::AttentionShape &shape, CudnnPart part)
      : handle(handle), shape(shape), part(part) {
    graph.set_io_data_type(type == kernels::ElementType::F16
                               ? fe::DataType_t::HALF
                               : fe::DataType_t::BFLOAT16);
    graph.set_intermediate_data_type(fe::DataType_t::FLOAT);
    graph.set_compute_data_type(fe::DataType_t::FLOAT);
    // The owner keeps plans as long as graphs that were captured with them.
    graph.set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE);
  }

  // [s, b, n, d] as cuDNN's [b, n, s, d].
  std::shared_ptr<fe::graph::Tensor_attributes>
  tensor(CudnnUid uid, const kernels::AttentionTensor &form) {
    return graph.tensor(describe(fe::graph::Tensor_attributes(), uid, form));
  }
  void output(const std::shared_ptr<fe::graph::Tensor_attributes> &tensor,
              CudnnUid uid, const kernels::AttentionTensor &form) {
    describe(*tensor, uid, form).set_output(true);
  }
  fe::graph::Tensor_attributes &
  describeStats(fe::graph::Tensor_attributes &stats) const {
    return stats.set_uid(Stats)
        .set_dim({part.samples, part.heads, shape.sequence, 1})
        .set_stride({part.heads * shape.sequence, shape.sequence, 1, 1})
        .set_data_type(fe::DataType_t::FLOAT);
  }

  absl::Status build(std::span<const CudnnOperand> operands,
                     absl::string_view what) {
    absl::Status status =
        toStatus(graph.build(handle, {fe::HeurMode_t::A}), what);
    if (status.ok())
      status = toStatus(graph.get_workspace_size(workspace), what);
    return status.ok() ? runOnce(operands) : status;
  }

  absl::Status enqueue(std::span<const CudnnOperand> operands, float *lse,
                       void *memory, cudaStream_t stream) {
    absl::Status status =
        toStatus(fe::detail::set_stream(handle, stream), "cudnnSetStream");
    for (int64_t b = 0; b < shape.batch && status.ok(); b += part.samples)
      for (int64_t n = 0; n < shape.heads && status.ok(); n += part.heads) {
        std::unordered_map<int64_t, void *> addresses = {
            {Stats, lse + (b * shape.heads + n) * shape.sequence}};
        for (const auto &[uid, tensor] : operands)
          addresses[uid] = static_cast<std::byte *>(tensor.data) +
                           (b * tensor.strideB + n * tensor.strideN) * 2;
        status = toStatus(graph.execute(handle, addresses, memory),
                          "cannot enqueue cuDNN's attention");
      }
    return status;
  }

  // One call on memory of its own: kernels are loaded when they first run,
  // which a stream under capture does not allow. All operands share the memory;
  // what comes out does not matter.
  absl::Status runOnce(std::span<const CudnnOperand> operands) {
    int64_t bytes = shape.batch * shape.heads * shape.sequence * 4;
    for (const CudnnOperand &operand : operands)
      bytes = std::max(bytes, extentOf(operand.tensor, shape));
    absl::StatusOr<DeviceMemory> memory =
        allocateDevice(bytes, "a first run of cuDNN's attention");
    absl::StatusOr<DeviceMemory> scratch =
        allocateDevice(workspace, "cuDNN's workspace");
    absl::StatusOr<Stream> stream = createStream(false);
    for (const absl::Status &status :
         {memory.status(), scratch.status(), stream.status()})
      if (!status.ok())
        return status;
    std::vector<CudnnOperand> placed(operands.begin(), operands.end());
    for (CudnnOperand &operand : placed)
      operand.tensor.data = memory->get();
    absl::Status status = toStatus(
        cudaMemsetAsync(memory->get(), 0, bytes, stream->get()), "memset");
    if (status.ok())
      status = enqueue(placed, static_cast<float *>(memory->get()),
                       scratch->get(), stream->get());
    if (status.ok())
      status = toStatus(cudaStreamSynchronize(stream->get()),
                        "first run of cuDNN's attention");
    return status;
  }

  fe::graph::Graph graph;
  int64_t workspace = 0;

private:
  fe::graph::Tensor_attributes &
  describe(fe::graph::Tensor_attributes &&tensor, CudnnUid uid,
           const kernels::AttentionTensor &form) const {
    return describe(tensor, uid, form);
  }
  fe::graph::Tensor_attributes &
  describe(fe::graph::Tensor_attributes &tensor, CudnnUid uid,
           const kernels::AttentionTensor &form) const {
    return tensor.set_uid(uid)
        .set_dim({part.samples, part.heads, shape.sequence, shape.dim})
        .set_stride({form.strideB, form.strideN, form.strideS, 1});
  }

  cudnnHandle_t handle;
  kernels::AttentionShape shape;
  CudnnPart part;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDNNPROBLEM_H
