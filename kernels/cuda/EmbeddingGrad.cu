// Embedding gradient without atomics. Tokens are sorted by row; the sorted list
// is cut into parts of fixed length, whatever the rows:
//
//   rows   | 3 3 5 7 | 7 7 7 7 | 7 9 9 | : the table's rows of sorted tokens
//   part   |    0    |    1    |   2   |
//
// A block takes one part and some columns, and sums the vectors of each row in
// order. A row's sum goes straight to the gradient in the part where the row
// begins (3, 5, 7 in part 0; 9 in part 2): no other part touches it then. What
// continues a row of an earlier part (7 in parts 1 and 2) goes to scratch, and
// a second kernel adds a row's continuations in the order of the parts. A row
// that every token names costs what any other does.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Embedding.h"
#include "kernels/cuda/SortByRow.h"

#include <bit>

namespace orrery::kernels::cuda {
namespace {

constexpr uint32_t kLongestPart = 64;

// Longer parts for wide rows: fewer continuations to keep, columns enough to
// fill the device.
uint32_t partLength(int64_t width) {
  return width >= 4096 ? kLongestPart : kLongestPart / 2;
}

// Where everything lies in the scratch memory.
struct Scratch {
  int64_t parts, continuedStride;
  RowsOfTokens unsorted, sorted;
  float *continued; // [parts, continuedStride]
  void *sorting;
  size_t sortingBytes = 0;
  int64_t bytes;
  int bits;

  cudaError_t layOut(std::byte *base, int64_t tokens, int64_t width,
                     int64_t rows) {
    parts = (tokens + partLength(width) - 1) / partLength(width);
    continuedStride = (width + 3) / 4 * 4;
    bits = std::bit_width(static_cast<uint64_t>(rows)); // `rows` itself occurs
    int64_t offset = 0;
    auto take = [&](int64_t size) -> void * {
      int64_t at = offset;
      offset += (size + 255) / 256 * 256;
      return base ? base + at : nullptr;
    };
    for (RowsOfTokens *pairs : {&unsorted, &sorted}) {
      pairs->rows = static_cast<uint32_t *>(take(tokens * 4));
      pairs->tokens = static_cast<uint32_t *>(take(tokens * 4));
    }
    continued = static_cast<float *>(take(parts * continuedStride * 4));
    if (cudaError_t error = sortByRow(nullptr, sortingBytes, unsorted, sorted,
                                      static_cast<int>(tokens), bits, nullptr);
        error != cudaSuccess)
      return error;
    sorting = take(static_cast<int64_t>(sortingBytes));
    bytes = offset;
    return cudaSuccess;
  }
};

struct Gradient {
  const uint32_t *sortedRows, *sortedTokens;
  float *grad;
  int64_t gradStride;
  const void *gradOut;
  int64_t outer, inner; // strides of gradOut
  float *continued;
  int64_t continuedStride;
  uint32_t tokens, innerSize, rows, width, part;
};

// Rows outside of the table become row `rows`, which sorts last.
__global__ void nameRows(const EmbeddingTokens tokens, int64_t firstRow,
                         uint32_t rows, uint32_t count, RowsOfTokens out) {
  const uint32_t token = blockIdx.x * blockDim.x + threadIdx.x;
  if (token >= count)
    return;
  const uint32_t inner = static_cast<uint32_t>(tokens.inner);
  const uint32_t i = token / inner, j = token - i * inner;
  const int64_t row =
      tokens.ids[i * tokens.idsOuter + j * tokens.idsInner] - firstRow;
  out.rows[token] = row >= 0 && row < rows ? static_cast<uint32_t>(row) : rows;
  out.tokens[token] = token;
}

// Block (part, columns): `N` columns a thread.
template <typename T, int N> __global__ void addParts(const Gradient a) {
  constexpr int kAhead = 4; // vectors in flight
  __shared__ uint32_t rows[kLongestPart];
  __shared__ int64_t offsets[kLongestPart];
  const uint32_t first = blockIdx.x * a.part;
  const int count = min(a.part, a.tokens - first);
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const uint32_t token = a.sortedTokens[first + i];
    const uint32_t outer = token / a.innerSize;
    rows[i] = a.sortedRows[first + i];
    offsets[i] = outer * a.outer + (token - outer * a.innerSize) * a.inner;
  }
  __syncthreads();
  const uint32_t column = (blockIdx.y * blockDim.x + threadIdx.x) * N;
  if (column >= a.width)
    return;
  const T *__restrict__ from = static_cast<const T *>(a.gradOut) + column;
  float *grad = a.grad + column;
  // The row that an earlier part began; `rows` is never added.
  const uint32_t continues =
      first > 0 && a.sortedRows[first - 1] == rows[0] ? rows[0] : a.rows;

  Floats<N> sum = {};
  for (int begin = 0; begin < count; begin += kAhead) {
    Pack<T, N> vectors[kAhead];
    Floats<N> before[kAhead]; // of the gradient, where a row ends
    bool valid[kAhead], ends[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const int i = begin + k;
      valid[k] = i < count && rows[i] < a.rows;
      ends[k] = valid[k] && (i + 1 == count || rows[i + 1] != rows[i]);
      if (valid[k])
        vectors[k] = Pack<T, N>::load(from + offsets[i]);
      if (ends[k] && rows[i] != continues)
        before[k] = Floats<N>::load(grad + rows[i] * a.gradStride);
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (!valid[k])
        continue;
#pragma unroll
      for (int c = 0; c < N; ++c)
        sum.values[c] += toFloat(vectors[k].values[c]);
      if (!ends[k])
        continue;
      const uint32_t row = rows[begin + k];
      if (row == continues) {
        sum.store(a.continued + blockIdx.x * a.continuedStride + column);
      } else {
#pragma unroll
        for (int c = 0; c < N; ++c)
          sum.values[c] += before[k].values[c];
        sum.store(grad + row * a.gradStride);
      }
      sum = {};
    }
  }
}

constexpr int kLanes = 32, kPartLanes = 8; // of a block of addContinued

// Block (part, some of the columns' tiles): where a row begins in the part and
// goes on in the next ones, adds the sums of those. Threads of one column take
// every kPartLanes-th part; their sums are added in the order of the threads.
template <int N> __global__ void addContinued(const Gradient a) {
  __shared__ Floats<N> sums[kPartLanes][kLanes];
  const uint32_t first = blockIdx.x * a.part, next = first + a.part;
  const uint32_t row = a.sortedRows[next - 1];
  if (row >= a.rows || a.sortedRows[next] != row ||
      (first > 0 && a.sortedRows[first - 1] == row))
    return;
  uint32_t last = next, end = a.tokens; // sorted tokens: `row` at last, not end
  while (last + 1 < end) {
    const uint32_t middle = last + (end - last) / 2;
    if (a.sortedRows[middle] == row)
      last = middle;
    else
      end = middle;
  }
  const uint32_t lastPart = last / a.part;
  const uint32_t tiles = (a.width + kLanes * N - 1) / (kLanes * N);
  for (uint32_t tile = blockIdx.y; tile < tiles; tile += gridDim.y) {
    const uint32_t column = (tile * kLanes + threadIdx.x) * N;
    Floats<N> sum = {};
    if (column < a.width) {
#pragma unroll 4
      for (uint32_t part = blockIdx.x + 1 + threadIdx.y; part <= lastPart;
           part += kPartLanes) {
        const Floats<N> more =
            Floats<N>::load(a.continued + part * a.continuedStride + column);
#pragma unroll
        for (int c = 0; c < N; ++c)
          sum.values[c] += more.values[c];
      }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < a.width) {
      for (int lane = 1; lane < kPartLanes; ++lane)
#pragma unroll
        for (int c = 0; c < N; ++c)
          sum.values[c] += sums[lane][threadIdx.x].values[c];
      float *to = a.grad + row * a.gradStride + column;
      Floats<N> total = Floats<N>::load(to);
#pragma unroll
      for (int c = 0; c < N; ++c)
        total.values[c] += sum.values[c];
      total.store(to);
    }
    __syncthreads();
  }
}

template <typename T, int N>
cudaError_t launchParts(const Gradient &a, uint32_t parts,
                        cudaStream_t stream) {
  const uint32_t lanes = (a.width + N - 1) / N;
  const uint32_t threads = min(128u, (lanes + 31) / 32 * 32);
  addParts<T, N>
      <<<dim3(parts, (lanes + threads - 1) / threads), threads, 0, stream>>>(a);
  return cudaGetLastError();
}

template <int N>
cudaError_t launchContinued(const Gradient &a, uint32_t parts,
                            cudaStream_t stream) {
  const uint32_t tiles = (a.width + kLanes * N - 1) / (kLanes * N);
  addContinued<N><<<dim3(parts - 1, min(16u, tiles)), dim3(kLanes, kPartLanes),
                    0, stream>>>(a);
  return cudaGetLastError();
}

bool inLimits(int64_t tokens, int64_t width, int64_t rows) {
  return tokens < INT32_MAX && rows < INT32_MAX && width <= (1 << 20);
}

} // namespace

cudaError_t embeddingGradScratchBytes(int64_t tokens, int64_t width,
                                      int64_t rows, int64_t &bytes) {
  if (!inLimits(tokens, width, rows))
    return cudaErrorInvalidValue;
  Scratch scratch;
  cudaError_t error = scratch.layOut(nullptr, tokens, width, rows);
  bytes = scratch.bytes;
  return error;
}

cudaError_t embeddingGrad(ElementType type, const EmbeddingTable &grad,
                          const EmbeddingTokens &tokens, const void *gradOut,
                          void *scratch, cudaStream_t stream) {
  const int64_t count = tokens.outer * tokens.inner;
  if (!inLimits(count, tokens.width, grad.rows))
    return cudaErrorInvalidValue;
  if (count == 0 || tokens.width == 0 || grad.rows == 0)
    return cudaSuccess;
  Scratch at;
  if (cudaError_t error = at.layOut(static_cast<std::byte *>(scratch), count,
                                    tokens.width, grad.rows);
      error != cudaSuccess)
    return error;

  const uint32_t rows = static_cast<uint32_t>(grad.rows);
  nameRows<<<(count + 255) / 256, 256, 0, stream>>>(
      tokens, grad.firstRow, rows, static_cast<uint32_t>(count), at.unsorted);
  if (cudaError_t error = cudaGetLastError(); error != cudaSuccess)
    return error;
  if (cudaError_t error =
          sortByRow(at.sorting, at.sortingBytes, at.unsorted, at.sorted,
                    static_cast<int>(count), at.bits, stream);
      error != cudaSuccess)
    return error;

  Gradient a;
  a.sortedRows = at.sorted.rows, a.sortedTokens = at.sorted.tokens;
  a.grad = static_cast<float *>(grad.data);
  a.gradStride = grad.stride;
  a.gradOut = gradOut;
  a.outer = tokens.outer > 1 ? tokens.vectorsOuter : 0;
  a.inner = tokens.inner > 1 ? tokens.vectorsInner : 0;
  a.continued = at.continued, a.continuedStride = at.continuedStride;
  a.tokens = static_cast<uint32_t>(count);
  a.innerSize = static_cast<uint32_t>(tokens.inner);
  a.rows = rows, a.width = static_cast<uint32_t>(tokens.width);
  a.part = partLength(tokens.width);
  const uint32_t parts = static_cast<uint32_t>(at.parts);
  const int64_t gradStep = rows > 1 ? grad.stride * 4 : 0;
  const bool wideGrad =
      CommonAlignment().add(a.grad).add(gradStep).add(a.width * 4l).bytes() ==
      16;
  cudaError_t error = withFloatType(type, [&](auto element) {
    using T = decltype(element);
    const int64_t size = sizeof(T);
    const bool wide = wideGrad && CommonAlignment()
                                          .add(gradOut)
                                          .add(a.outer * size)
                                          .add(a.inner * size)
                                          .add(a.width * size)
                                          .bytes() == 16;
    return wide ? launchParts<T, kPackSize<T>>(a, parts, stream)
                : launchParts<T, 1>(a, parts, stream);
  });
  if (error != cudaSuccess || parts == 1)
    return error;
  return wideGrad ? launchContinued<4>(a, parts, stream)
                  : launchContinued<1>(a, parts, stream);
}

} // namespace orrery::kernels::cuda
