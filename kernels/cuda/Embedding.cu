// Embedding lookup: rows are copied in the widest units that their addresses
// allow, several tokens a block where rows are short.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Embedding.h"

namespace orrery::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kAhead = 4; // units in flight

// Distances and width in units.
struct LookUp {
  const int32_t *ids;
  const void *table;
  void *out;
  int64_t idsOuter, idsInner, outOuter, outInner;
  int64_t rows, firstRow, rowStride;
  uint32_t tokens, inner, width;
};

template <typename Unit> __global__ void lookUp(const LookUp a) {
  const uint32_t token = blockIdx.x * blockDim.y + threadIdx.y;
  if (token >= a.tokens)
    return;
  const uint32_t i = token / a.inner, j = token - i * a.inner;
  const int64_t row = a.ids[i * a.idsOuter + j * a.idsInner] - a.firstRow;
  Unit *__restrict__ to =
      static_cast<Unit *>(a.out) + i * a.outOuter + j * a.outInner;
  if (row < 0 || row >= a.rows) {
    for (uint32_t c = threadIdx.x; c < a.width; c += blockDim.x)
      to[c] = Unit();
    return;
  }
  const Unit *__restrict__ from =
      static_cast<const Unit *>(a.table) + row * a.rowStride;
  for (uint32_t c = threadIdx.x; c < a.width; c += kAhead * blockDim.x) {
    Unit units[kAhead];
#pragma unroll
    for (uint32_t k = 0; k < kAhead; ++k)
      if (c + k * blockDim.x < a.width)
        units[k] = from[c + k * blockDim.x];
#pragma unroll
    for (uint32_t k = 0; k < kAhead; ++k)
      if (c + k * blockDim.x < a.width)
        to[c + k * blockDim.x] = units[k];
  }
}

template <int Bytes>
cudaError_t launch(LookUp a, int64_t elementBytes, cudaStream_t stream) {
  const int64_t ratio = Bytes / elementBytes; // elements a unit
  a.outOuter /= ratio, a.outInner /= ratio;
  a.rowStride /= ratio;
  a.width = static_cast<uint32_t>(a.width / ratio);
  dim3 block(1, kThreads);
  while (block.x < a.width && block.y > 1)
    block.x *= 2, block.y /= 2;
  const uint32_t blocks = (a.tokens + block.y - 1) / block.y;
  lookUp<typename UnitOf<Bytes>::Type><<<blocks, block, 0, stream>>>(a);
  return cudaGetLastError();
}

} // namespace

cudaError_t embedding(ElementType type, const EmbeddingTable &table,
                      const EmbeddingTokens &tokens, void *out,
                      cudaStream_t stream) {
  if (type != ElementType::F32 && type != ElementType::F16 &&
      type != ElementType::BF16)
    return cudaErrorNotSupported;
  const int64_t count = tokens.outer * tokens.inner;
  if (count >= INT32_MAX || tokens.width > INT32_MAX)
    return cudaErrorInvalidValue;
  if (count == 0 || tokens.width == 0)
    return cudaSuccess;
  const int64_t size = elementBytes(type);
  LookUp a;
  a.ids = tokens.ids;
  a.idsOuter = tokens.idsOuter, a.idsInner = tokens.idsInner;
  a.table = table.data;
  a.rows = table.rows, a.firstRow = table.firstRow;
  a.rowStride = table.rows > 1 ? table.stride : 0;
  a.out = out;
  a.outOuter = tokens.outer > 1 ? tokens.vectorsOuter : 0;
  a.outInner = tokens.inner > 1 ? tokens.vectorsInner : 0;
  a.tokens = static_cast<uint32_t>(count);
  a.inner = static_cast<uint32_t>(tokens.inner);
  a.width = static_cast<uint32_t>(tokens.width);
  CommonAlignment common;
  common.add(a.table).add(a.out).add(a.rowStride * size);
  common.add(a.outOuter * size).add(a.outInner * size).add(a.width * size);
  switch (common.bytes()) {
  case 16:
    return launch<16>(a, size, stream);
  case 8:
    return launch<8>(a, size, stream);
  case 4:
    return launch<4>(a, size, stream);
  case 2:
    if (size == 2)
      return launch<2>(a, size, stream);
  }
  return cudaErrorMisalignedAddress;
}

} // namespace orrery::kernels::cuda
