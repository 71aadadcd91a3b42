// Checks the arguments and chooses the kernels.
#include "kernels/cuda/Attention.h"

#include "kernels/cuda/attention/Launch.h"
#include "kernels/cuda/attention/Statistics.cuh"

namespace orrery::kernels::cuda {
namespace {

using namespace flash;

cudaError_t check(ElementType type, const AttentionShape &shape,
                  const uint64_t *key) {
  if (type != ElementType::F32 && type != ElementType::F16 &&
      type != ElementType::BF16)
    return cudaErrorNotSupported;
  if (shape.sequence < 1 || shape.sequence > (1 << 30) || shape.batch < 1 ||
      shape.heads < 1 || shape.dim < 1 || shape.dim > kAttentionMaxDim ||
      shape.batch > INT32_MAX || shape.heads > INT32_MAX)
    return cudaErrorInvalidValue;
  if (!(shape.dropout >= 0 && shape.dropout < 1) || !(shape.scale > 0) ||
      (shape.dropout > 0 && !key))
    return cudaErrorInvalidValue;
  return cudaSuccess;
}

int64_t paddedSequence(const AttentionShape &shape) {
  return (shape.sequence + kStatisticsTile - 1) / kStatisticsTile *
         kStatisticsTile;
}

Tensor tensor(ElementType type, const AttentionShape &shape,
              const AttentionTensor &t) {
  const int64_t bytes = elementBytes(type);
  const uint64_t all = reinterpret_cast<uintptr_t>(t.data) |
                       static_cast<uint64_t>(t.strideS * bytes) |
                       static_cast<uint64_t>(t.strideB * bytes) |
                       static_cast<uint64_t>(t.strideN * bytes) |
                       static_cast<uint64_t>(shape.dim * bytes);
  return {t.data, t.strideS, t.strideB, t.strideN, all % 16 == 0};
}

Parameters parameters(const AttentionShape &shape, const uint64_t *key) {
  Parameters p = {};
  p.sequence = static_cast<int>(shape.sequence);
  p.batch = static_cast<int>(shape.batch);
  p.heads = static_cast<int>(shape.heads);
  p.dim = static_cast<int>(shape.dim);
  p.paddedSequence = static_cast<int>(paddedSequence(shape));
  p.causal = shape.causal;
  p.scale = static_cast<float>(shape.scale);
  p.scale2 = static_cast<float>(shape.scale * kLog2E);
  p.documentStart = shape.documentStart;
  p.documentStrideS = shape.documentStrideS;
  p.documentStrideB = shape.documentStrideB;
  p.key = shape.dropout > 0 ? key : nullptr;
  p.threshold = static_cast<uint32_t>(
      static_cast<uint64_t>(shape.dropout * 4294967296.0));
  p.keepScale = static_cast<float>(1 / (1 - shape.dropout));
  p.firstHead = static_cast<uint64_t>(shape.sample * shape.totalHeads) +
                static_cast<uint64_t>(shape.head);
  p.totalHeads = static_cast<uint64_t>(shape.totalHeads);
  return p;
}

template <class T>
cudaError_t launchStatistics(const Parameters &p, int64_t headsInAll,
                             cudaStream_t stream) {
  const int64_t threads = headsInAll * p.paddedSequence * kStatisticsLanes;
  return launch(&attentionStatistics<T>,
                (threads + kStatisticsThreads - 1) / kStatisticsThreads,
                kStatisticsThreads, 0, p, stream);
}

template <class T>
cudaError_t backward16(const Parameters &p, int64_t headsInAll,
                       cudaStream_t stream) {
  cudaError_t error = launchStatistics<T>(p, headsInAll, stream);
  if (error == cudaSuccess)
    error = launchMmaGradKv<T>(p, headsInAll, stream);
  if (error == cudaSuccess)
    error = launchMmaGradQ<T>(p, headsInAll, stream);
  return error;
}

} // namespace

int64_t attentionScratchBytes(ElementType, const AttentionShape &shape,
                              bool backward) {
  if (!backward)
    return 0;
  return shape.batch * shape.heads * paddedSequence(shape) *
         static_cast<int64_t>(sizeof(Statistics));
}

cudaError_t attention(ElementType type,
                      const AttentionForwardArguments &arguments,
                      const uint64_t *key, void *, cudaStream_t stream) {
  const AttentionShape &shape = arguments.shape;
  if (cudaError_t error = check(type, shape, key); error != cudaSuccess)
    return error;
  Parameters p = parameters(shape, key);
  p.q = tensor(type, shape, arguments.q);
  p.k = tensor(type, shape, arguments.k);
  p.v = tensor(type, shape, arguments.v);
  p.o = tensor(type, shape, arguments.o);
  p.lse = arguments.lse;
  const int64_t headsInAll = shape.batch * shape.heads;
  if (type == ElementType::F32)
    return launchFmaForward(p, headsInAll, stream);
  return type == ElementType::F16
             ? launchMmaForward<Half>(p, headsInAll, stream)
             : launchMmaForward<Bfloat16>(p, headsInAll, stream);
}

cudaError_t attentionGrad(ElementType type,
                          const AttentionBackwardArguments &arguments,
                          const uint64_t *key, void *scratch,
                          cudaStream_t stream) {
  const AttentionShape &shape = arguments.shape;
  if (cudaError_t error = check(type, shape, key); error != cudaSuccess)
    return error;
  Parameters p = parameters(shape, key);
  const AttentionTensor *from[] = {
      &arguments.q,     &arguments.k,     &arguments.v,     &arguments.o,
      &arguments.gradO, &arguments.gradQ, &arguments.gradK, &arguments.gradV};
  Tensor *to[] = {&p.q,     &p.k,     &p.v,     &p.o,
                  &p.gradO, &p.gradQ, &p.gradK, &p.gradV};
  for (int i = 0; i < 8; ++i)
    *to[i] = tensor(type, shape, *from[i]);
  p.lse = const_cast<float *>(arguments.lse); // read only here
  p.statistics = static_cast<Statistics *>(scratch);
  const int64_t headsInAll = shape.batch * shape.heads;
  if (type == ElementType::F16)
    return backward16<Half>(p, headsInAll, stream);
  if (type == ElementType::BF16)
    return backward16<Bfloat16>(p, headsInAll, stream);
  cudaError_t error = launchStatistics<float>(p, headsInAll, stream);
  return error == cudaSuccess ? launchFmaBackward(p, headsInAll, stream)
                              : error;
}

} // namespace orrery::kernels::cuda
