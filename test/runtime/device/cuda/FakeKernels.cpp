// The kernels of the pretend GPU: those of kernels/cuda by kernels/cpu, and the
// generated ones of the test plans.
#include "kernels/cpu/Embedding.h"
#include "kernels/cpu/Reductions.h"
#include "kernels/cpu/StridedCopy.h"
#include "kernels/cuda/Attention.h"
#include "kernels/cuda/Embedding.h"
#include "kernels/cuda/GemmEpilogue.h"
#include "kernels/cuda/Peers.h"
#include "kernels/cuda/RandomFill.h"
#include "kernels/cuda/Reductions.h"
#include "kernels/cuda/StridedCopy.h"
#include "test/runtime/device/cuda/FakeCuda.h"

#include <cstring>
#include <vector>

namespace orrery::kernels::cuda {
namespace {

// Makes the most of scratch memory that another stream must not touch: fills it
// when the work begins.
void dirty(void *scratch, size_t bytes) { std::memset(scratch, 0xee, bytes); }

template <typename Call> cudaError_t later(cudaStream_t stream, Call call) {
  return fakecuda::enqueue(stream, [call]() mutable { (void)call(); });
}

template <typename T> T *at(uint64_t parameter) {
  return reinterpret_cast<T *>(parameter);
}

// See test/runtime/exec/TestKernels.cpp.
const bool kKernelsAdded = [] {
  fakecuda::addKernel("count_up", 3, [](const uint64_t *p) {
    for (uint64_t row = 0; row < p[2]; ++row)
      at<float>(p[0])[row] = static_cast<float>(p[1] + row);
  });
  fakecuda::addKernel("add_scaled", 4, [](const uint64_t *p) {
    for (uint64_t row = 0; row < p[3]; ++row)
      at<float>(p[1])[row] +=
          at<const float>(p[0])[row] * static_cast<float>(p[2]);
  });
  fakecuda::addKernel("show_key", 3, [](const uint64_t *p) {
    for (uint64_t row = 0; row < p[2]; ++row)
      at<float>(p[0])[row] =
          static_cast<float>(*at<const uint64_t>(p[1]) & 0xfffff);
  });
  fakecuda::addKernel("from_integers", 3, [](const uint64_t *p) {
    for (uint64_t row = 0; row < p[2]; ++row)
      at<float>(p[1])[row] = static_cast<float>(at<const int32_t>(p[0])[row]);
  });
  fakecuda::addKernel("descend", 4, [](const uint64_t *p) {
    for (uint64_t row = 0; row < p[3]; ++row)
      at<float>(p[0])[row] -=
          *at<const float>(p[2]) * at<const float>(p[1])[row];
  });
  return true;
}();

} // namespace

cudaError_t embedding(ElementType type, const EmbeddingTable &table,
                      const EmbeddingTokens &tokens, void *out,
                      cudaStream_t stream) {
  return later(stream,
               [=] { return kernels::embedding(type, table, tokens, out, 1); });
}
cudaError_t embeddingGradScratchBytes(int64_t tokens, int64_t, int64_t,
                                      int64_t &bytes) {
  bytes = 8 * tokens;
  return cudaSuccess;
}
cudaError_t embeddingGrad(ElementType type, const EmbeddingTable &grad,
                          const EmbeddingTokens &tokens, const void *gradOut,
                          void *scratch, cudaStream_t stream) {
  return later(stream, [=] {
    dirty(scratch, 8 * static_cast<size_t>(tokens.outer * tokens.inner));
    return kernels::embeddingGrad(type, grad, tokens, gradOut, 1);
  });
}
int64_t columnSumScratchBytes(int64_t, int64_t columns, int count) {
  return columns * count * 4;
}
cudaError_t columnSum(ElementType type, const ColumnSumArguments &a,
                      void *scratch, cudaStream_t stream) {
  return later(stream, [=] {
    dirty(scratch, static_cast<size_t>(a.columns * a.count) * 4);
    for (int i = 0; i < a.count; ++i)
      (void)kernels::columnSum(type, a.sums[i].in, a.rows, a.columns,
                               a.rowStride, a.columnStride, a.sums[i].out,
                               a.outStride, a.accumulate, 1);
  });
}
cudaError_t flatReduce(FlatReduction reduction, ElementType type,
                       const void *in, int64_t count, double *out,
                       void *scratch, cudaStream_t stream) {
  return later(stream, [=] {
    dirty(scratch, kFlatReduceScratchBytes);
    return kernels::flatReduce(reduction, type, in, count, out, 1);
  });
}
// There are no peers.
cudaError_t meetPeers(const PeerFlags &, cudaStream_t) {
  return cudaErrorNotSupported;
}
cudaError_t sendParts(const void *, int64_t, const PeerPlaces &, int64_t,
                      cudaStream_t) {
  return cudaErrorNotSupported;
}
cudaError_t sumParts(ElementType, const PeerPlaces &, void *, int64_t, bool,
                     cudaStream_t) {
  return cudaErrorNotSupported;
}
cudaError_t stridedCopy(const CopyPlan &plan, const void *in, void *out,
                        cudaStream_t stream) {
  return later(stream, [=] {
    kernels::stridedCopy(plan, in, out, 1);
    return true;
  });
}
cudaError_t stridedFill(const CopyPlan &plan, ElementType type, double value,
                        void *out, cudaStream_t stream) {
  return later(stream,
               [=] { return kernels::stridedFill(plan, type, value, out, 1); });
}

// No test plan has these.
cudaError_t gemmEpilogue(GemmEpilogue, ElementType,
                         const GemmEpilogueArguments &, cudaStream_t) {
  return cudaErrorNotSupported;
}
cudaError_t fillRandom(ElementType, void *, int64_t, uint64_t, cudaStream_t) {
  return cudaErrorNotSupported;
}
int64_t attentionScratchBytes(ElementType, const AttentionShape &, bool) {
  return 0;
}
cudaError_t attention(ElementType, const AttentionForwardArguments &,
                      const uint64_t *, void *, cudaStream_t) {
  return cudaErrorNotSupported;
}
cudaError_t attentionGrad(ElementType, const AttentionBackwardArguments &,
                          const uint64_t *, void *, cudaStream_t) {
  return cudaErrorNotSupported;
}

} // namespace orrery::kernels::cuda
