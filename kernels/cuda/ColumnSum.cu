// Column sums in two stages. The matrix is cut into tiles of columns and chunks
// of rows; a block of X x Y threads sums one chunk of one tile:
//
//          tile (X threads, N columns each)
//   chunk  | y0 y1 … : thread y takes rows y, Y + y, 2Y + y, … ; up to 64 of
//          |           them are summed in F32, those sums and then the threads'
//          |           sums (by halving) in F64
//
// The second stage adds a column's chunks in the same way. What is cut where
// depends on the sizes alone.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Reductions.h"

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kAhead = 8; // rows in flight
constexpr int kMaxChunks = 256;
constexpr int kMinRowsPerChunk = 64; // Y is at least 8, and 8 rows a thread

struct Partition {
  int lanes;    // X
  int rowLanes; // Y
  int run;      // rows that a thread sums in F32
  int64_t runs; // of a thread
  int64_t chunks, tiles;
};

// As long runs as leave 512 blocks; chunks no more than kMaxChunks.
Partition cut(const ColumnSumArguments &a, int columnsPerThread) {
  Partition p;
  const int64_t units = a.columns / columnsPerThread;
  p.lanes = 1;
  const bool rowsAreContiguous = a.columnStride != 1 && a.rowStride == 1;
  while (!rowsAreContiguous && p.lanes < 32 && p.lanes < units)
    p.lanes *= 2;
  p.rowLanes = kThreads / p.lanes;
  p.tiles = (units + p.lanes - 1) / p.lanes;
  for (p.run = 64; p.run > 8; p.run /= 2)
    if (p.tiles * (a.rows / (p.rowLanes * p.run)) >= 512)
      break;
  const int64_t each = p.rowLanes * p.run;
  const int64_t wanted = (a.rows + each - 1) / each;
  p.runs = wanted <= kMaxChunks ? 1 : (wanted + kMaxChunks - 1) / kMaxChunks;
  p.chunks = wanted == 0 ? 1 : (wanted + p.runs - 1) / p.runs;
  return p;
}

__device__ void writeColumn(const ColumnSumArguments &a, int64_t column,
                            double sum) {
  float *to = a.out + column * a.outStride;
  *to = static_cast<float>(a.accumulate ? *to + sum : sum);
}

// Adds the values of threads (x, 0) … (x, blockDim.y - 1) by halving, for each
// x; the sum is in thread (x, 0). All threads call it; blockDim.y is a power of
// two. `shared` holds a value a thread.
__device__ double sumOverY(double value, double *shared) {
  const int at = threadIdx.y * blockDim.x + threadIdx.x;
  shared[at] = value;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half)
      shared[at] += shared[at + half * blockDim.x];
    __syncthreads();
  }
  value = shared[at];
  __syncthreads();
  return value;
}

// `N` columns a thread. Sums of chunks go to partial[chunk, column], or to the
// output where there is one chunk.
template <typename T, int N>
__global__ void sumChunks(const ColumnSumArguments a, int run, int64_t runs,
                          float *partial) {
  __shared__ double shared[kThreads];
  const int64_t column =
      (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  const bool inside = column < a.columns;
  const int64_t step = blockDim.y * a.rowStride;
  const int64_t each = static_cast<int64_t>(blockDim.y) * run;
  double totals[N] = {};
  for (int64_t r = 0; r < runs && inside; ++r) {
    const int64_t row = (blockIdx.y * runs + r) * each + threadIdx.y;
    if (row >= a.rows)
      break;
    const T *__restrict__ from = static_cast<const T *>(a.in) +
                                 row * a.rowStride + column * a.columnStride;
    const int count = static_cast<int>(
        min(static_cast<int64_t>(run), (a.rows - row - 1) / blockDim.y + 1));
    float sums[N] = {};
    auto add = [&](const Pack<T, N> &pack) {
#pragma unroll
      for (int c = 0; c < N; ++c)
        sums[c] += toFloat(pack.values[c]);
    };
    int i = 0;
    for (; i + kAhead <= count; i += kAhead) {
      Pack<T, N> packs[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        packs[k] = Pack<T, N>::load(from + (i + k) * step);
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        add(packs[k]);
    }
    for (; i < count; ++i)
      add(Pack<T, N>::load(from + i * step));
#pragma unroll
    for (int c = 0; c < N; ++c)
      totals[c] += sums[c];
  }
#pragma unroll
  for (int c = 0; c < N; ++c) {
    const double total = sumOverY(totals[c], shared);
    if (threadIdx.y > 0 || !inside)
      continue;
    if (gridDim.y == 1)
      writeColumn(a, column + c, total);
    else
      partial[blockIdx.y * a.columns + column + c] = static_cast<float>(total);
  }
}

__global__ void sumPartials(const ColumnSumArguments a, const float *partial,
                            int chunks) {
  __shared__ double shared[kThreads];
  const int64_t column =
      static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  double sum = 0;
  if (column < a.columns)
#pragma unroll 8
    for (int chunk = threadIdx.y; chunk < chunks; chunk += blockDim.y)
      sum += partial[chunk * a.columns + column];
  sum = sumOverY(sum, shared);
  if (threadIdx.y == 0 && column < a.columns)
    writeColumn(a, column, sum);
}

template <typename T, int N>
cudaError_t launch(const ColumnSumArguments &a, float *partial,
                   cudaStream_t stream) {
  const Partition p = cut(a, N);
  const dim3 block(p.lanes, p.rowLanes);
  sumChunks<T, N><<<dim3(p.tiles, p.chunks), block, 0, stream>>>(
      a, p.run, p.runs, partial);
  if (p.chunks > 1)
    sumPartials<<<(a.columns + 31) / 32, dim3(32, kThreads / 32), 0, stream>>>(
        a, partial, static_cast<int>(p.chunks));
  return cudaGetLastError();
}

} // namespace

int64_t columnSumScratchBytes(int64_t rows, int64_t columns) {
  const int64_t chunks = (rows + kMinRowsPerChunk - 1) / kMinRowsPerChunk;
  return (chunks < kMaxChunks ? chunks : kMaxChunks) * columns * sizeof(float);
}

cudaError_t columnSum(ElementType type, const ColumnSumArguments &a,
                      void *scratch, cudaStream_t stream) {
  if (a.columns > INT32_MAX)
    return cudaErrorInvalidValue;
  if (a.columns == 0)
    return cudaSuccess;
  return withFloatType(type, [&](auto element) {
    using T = decltype(element);
    const int64_t size = sizeof(T), rowBytes = a.rows > 1 ? a.rowStride : 0;
    const int alignment = CommonAlignment()
                              .add(a.in)
                              .add(rowBytes * size)
                              .add(a.columns * size)
                              .bytes();
    float *partial = static_cast<float *>(scratch);
    return a.columnStride == 1 && alignment == 16
               ? launch<T, kPackSize<T>>(a, partial, stream)
               : launch<T, 1>(a, partial, stream);
  });
}

} // namespace orrery::kernels::cuda
