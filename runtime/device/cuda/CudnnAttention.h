// Attention by cuDNN's fused kernels, for what they do: 16-bit types, no
// dropout, whole sequences. Everything else is kernels/cuda/Attention.h's.
//
// Tensors and lse are as there; cuDNN's stats are lse. Plans are made before
// the first step, one for each distinct problem; enqueuing one may be captured
// into a CUDA graph.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDNNATTENTION_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDNNATTENTION_H

#include "absl/status/statusor.h"
#include "kernels/AttentionArguments.h"
#include "kernels/ElementType.h"

#include <cuda_runtime_api.h>
#include <initializer_list>
#include <memory>
#include <string>

namespace orrery::runtime::cuda {

struct CudnnOptions {
  /// The gradient has the same bits each time. cuDNN then keeps the gradient of
  /// the s×s matrix in its workspace: 2 bytes for each pair of a query and a
  /// key, of every sample and head that one call covers.
  bool deterministic = true;
  /// A deterministic gradient is cut into calls of so many samples, or heads of
  /// one sample, that these bytes suffice; of one head of one sample at least,
  /// and of more where a part's lse would not start at 16 bytes.
  int64_t matrixBytes = int64_t(1) << 30;
};

/// Samples and heads of one call, divisors of all samples and all heads; fewer
/// heads than all only with one sample.
struct CudnnPart {
  int64_t samples = 1;
  int64_t heads = 1;
};

/// The largest part of a gradient that CudnnOptions::matrixBytes allow; 64
/// queries and 128 keys are cuDNN's granularity.
///   s 1024, 8 samples of 12 heads, 64 MiB: 2 MiB a head, 2 samples of 12
CudnnPart gradientPart(const kernels::AttentionShape &shape,
                       const CudnnOptions &options);

class CudnnForward {
public:
  virtual ~CudnnForward() = default;
  virtual int64_t workspaceBytes() const = 0;
  /// `arguments` differ from those of the plan in their addresses alone,
  /// multiples of 16 bytes. `workspace`: a multiple of 256.
  virtual absl::Status
  enqueue(const kernels::AttentionForwardArguments &arguments, void *workspace,
          cudaStream_t stream) const = 0;
};

class CudnnBackward {
public:
  virtual ~CudnnBackward() = default;
  virtual int64_t workspaceBytes() const = 0;
  virtual absl::Status
  enqueue(const kernels::AttentionBackwardArguments &arguments, void *workspace,
          cudaStream_t stream) const = 0;
};

/// Lives as long as its plans and the graphs that they were captured into.
class CudnnAttention {
public:
  virtual ~CudnnAttention() = default;

  /// For the current device. Unimplemented: built without cudnn-frontend's
  /// headers. NotFound: no cuDNN here, and where it was looked for.
  /// FailedPrecondition: cuDNN is older than 9.6.
  static absl::StatusOr<std::unique_ptr<CudnnAttention>>
  create(const CudnnOptions &options);

  /// Whether cuDNN has a form for both passes: F16 or BF16; no dropout and no
  /// documents (by documentStart or its strides); d a multiple of 8 up to 128;
  /// more than one position; strides in multiples of 8.
  static bool supports(kernels::ElementType type,
                       const kernels::AttentionShape &shape,
                       std::initializer_list<kernels::AttentionTensor> tensors);

  /// The plan for arguments like these; addresses do not matter. Unimplemented
  /// where this cuDNN has none for this GPU. Stays valid as long as this.
  virtual absl::StatusOr<const CudnnForward *>
  forward(kernels::ElementType type,
          const kernels::AttentionForwardArguments &like) = 0;
  virtual absl::StatusOr<const CudnnBackward *>
  backward(kernels::ElementType type,
           const kernels::AttentionBackwardArguments &like) = 0;

  /// "cuDNN 9.19.0"
  virtual std::string name() const = 0;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDNNATTENTION_H
