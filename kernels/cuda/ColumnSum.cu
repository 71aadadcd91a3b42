// Column sums. The matrix is cut into tiles of columns and chunks of rows; a
// block of X x Y threads sums one chunk of one tile:
//
//          tile (X threads, N columns each)
//   chunk  | y0 y1 … : thread y takes rows y, Y + y, 2Y + y, … ; up to 64 of
//          |           them are summed in F32, those sums and then the threads'
//          |           sums (by halving) in F64
//
// Low matrices are one chunk, and narrow tiles make work for many
// multiprocessors; of others there are as many blocks as run at once, and a
// second launch adds a column's chunks in the same way. What is cut where
// depends on the sizes and the alignment of one matrix alone: others of a call
// are layers of the same grid, each with scratch of its own.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Reductions.h"

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksAtOnce = 3;                   // of a multiprocessor
constexpr int64_t kResident = 132 * kBlocksAtOnce; // of an H100 or H200
constexpr int kAhead = 8;                          // rows in flight
constexpr int kRun = 64;                           // rows summed in F32
constexpr int kMaxChunks = 256;
constexpr int kMinRowsPerChunk = 64; // Y is at least 8, and 8 rows a thread
constexpr int kLowBatches = 4;       // of kAhead rows a thread

struct Partition {
  int lanes;    // X
  int rowLanes; // Y
  int64_t rowsPerChunk;
  int64_t chunks, tiles;
};

// X a power of two, no more than 32 or there are units of columns.
int chooseLanes(int64_t units, int most) {
  int lanes = 1;
  while (lanes < most && lanes < units)
    lanes *= 2;
  return lanes;
}

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// `unitBytes` is what a thread loads at once.
Partition cut(const ColumnSumArguments &a, int columnsPerThread,
              int unitBytes) {
  Partition p;
  const int64_t units = a.columns / columnsPerThread;
  const bool rowsAreContiguous = a.columnStride != 1 && a.rowStride == 1;
  p.lanes = rowsAreContiguous ? 1 : chooseLanes(units, 32);
  // 64 neighbouring bytes are as good as more.
  const int fewest = p.lanes * unitBytes > 64 ? 64 / unitBytes : p.lanes;
  int narrow = p.lanes;
  while (narrow > fewest && divideUp(units, narrow) < 132)
    narrow /= 2;
  const bool isLow = a.rows <= kThreads / narrow * kAhead * kLowBatches;
  if (isLow)
    p.lanes = narrow;
  p.rowLanes = kThreads / p.lanes;
  p.tiles = divideUp(units, p.lanes);
  // 8 rows a thread at least.
  const int64_t fewestRows = static_cast<int64_t>(p.rowLanes) * kAhead;
  int64_t wanted = isLow ? 1 : kResident / p.tiles;
  wanted = wanted < a.rows / fewestRows ? wanted : a.rows / fewestRows;
  wanted = wanted < kMaxChunks ? wanted : kMaxChunks;
  wanted = wanted > 1 ? wanted : 1;
  p.rowsPerChunk = divideUp(divideUp(a.rows, wanted), p.rowLanes) * p.rowLanes;
  p.chunks = p.rowsPerChunk > 0 ? divideUp(a.rows, p.rowsPerChunk) : 1;
  return p;
}

// Of the block's matrix.
__device__ void writeColumn(const ColumnSumArguments &a, int64_t column,
                            double sum) {
  float *to = a.sums[blockIdx.z].out + column * a.outStride;
  *to = static_cast<float>(a.accumulate ? *to + sum : sum);
}

// Adds the values of threads (x, 0) … (x, blockDim.y - 1) by halving, for each
// x and each of `N` values; the sums are in thread (x, 0). All threads call it,
// once; blockDim.y is a power of two.
template <int N> __device__ void sumOverY(double (&values)[N]) {
  __shared__ double shared[N][kThreads];
  const int at = threadIdx.y * blockDim.x + threadIdx.x;
#pragma unroll
  for (int c = 0; c < N; ++c)
    shared[c][at] = values[c];
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half) {
#pragma unroll
      for (int c = 0; c < N; ++c)
        shared[c][at] += shared[c][at + half * blockDim.x];
    }
    __syncthreads();
  }
#pragma unroll
  for (int c = 0; c < N; ++c)
    values[c] = shared[c][at];
}

// Adds `count` rows, `step` elements apart, each of `N` columns.
template <typename T, int N>
__device__ void addRows(const T *__restrict__ from, int count, int64_t step,
                        float (&sums)[N]) {
  for (int i = 0; i < count; i += kAhead) {
    Pack<T, N> packs[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      packs[k] = {};
      if (i + k < count)
        packs[k] = Pack<T, N>::load(from + (i + k) * step);
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k)
#pragma unroll
      for (int c = 0; c < N; ++c)
        sums[c] += toFloat(packs[k].values[c]);
  }
}

// `N` columns a thread. Sums of chunks go to partial[matrix, chunk, column], or
// to the output where there is one chunk.
template <typename T, int N>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    sumChunks(const __grid_constant__ ColumnSumArguments a,
              int64_t rowsPerChunk, float *partial) {
  const int64_t column =
      (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  const bool inside = column < a.columns;
  const int64_t begin = blockIdx.y * rowsPerChunk + threadIdx.y;
  const int64_t end = min(a.rows, (blockIdx.y + 1) * rowsPerChunk);
  const int64_t step = blockDim.y * a.rowStride;
  const T *from = static_cast<const T *>(a.sums[blockIdx.z].in) +
                  begin * a.rowStride + column * a.columnStride;
  int64_t left = inside && begin < end ? (end - begin - 1) / blockDim.y + 1 : 0;
  double totals[N] = {};
  for (; left > 0; left -= kRun, from += kRun * step) {
    float sums[N] = {};
    addRows<T, N>(from, static_cast<int>(min(left, int64_t{kRun})), step, sums);
#pragma unroll
    for (int c = 0; c < N; ++c)
      totals[c] += sums[c];
  }
  sumOverY(totals);
  if (threadIdx.y > 0 || !inside)
    return;
  partial +=
      (static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y) * a.columns;
#pragma unroll
  for (int c = 0; c < N; ++c)
    if (gridDim.y == 1)
      writeColumn(a, column + c, totals[c]);
    else
      partial[column + c] = static_cast<float>(totals[c]);
}

__global__ void sumPartials(const __grid_constant__ ColumnSumArguments a,
                            const float *partial, int chunks) {
  const int64_t column =
      static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  partial += static_cast<int64_t>(blockIdx.z) * chunks * a.columns;
  double sum[1] = {};
  if (column < a.columns)
#pragma unroll 8
    for (int chunk = threadIdx.y; chunk < chunks; chunk += blockDim.y)
      sum[0] += partial[chunk * a.columns + column];
  sumOverY(sum);
  if (threadIdx.y == 0 && column < a.columns)
    writeColumn(a, column, sum[0]);
}

template <typename T, int N>
cudaError_t launch(const ColumnSumArguments &a, float *partial,
                   cudaStream_t stream) {
  const Partition p = cut(a, N, N * sizeof(T));
  const dim3 block(p.lanes, p.rowLanes);
  sumChunks<T, N><<<dim3(p.tiles, p.chunks, a.count), block, 0, stream>>>(
      a, p.rowsPerChunk, partial);
  if (p.chunks > 1)
    sumPartials<<<dim3((a.columns + 31) / 32, 1, a.count),
                  dim3(32, kThreads / 32), 0, stream>>>(
        a, partial, static_cast<int>(p.chunks));
  return cudaGetLastError();
}

template <typename T> bool isPacked(const ColumnSumArguments &a, int which) {
  const int64_t size = sizeof(T), rowBytes = a.rows > 1 ? a.rowStride : 0;
  return a.columnStride == 1 && CommonAlignment()
                                        .add(a.sums[which].in)
                                        .add(rowBytes * size)
                                        .add(a.columns * size)
                                        .bytes() == 16;
}

} // namespace

int64_t columnSumScratchBytes(int64_t rows, int64_t columns, int count) {
  const int64_t chunks = (rows + kMinRowsPerChunk - 1) / kMinRowsPerChunk;
  return (chunks < kMaxChunks ? chunks : kMaxChunks) * columns * count *
         static_cast<int64_t>(sizeof(float));
}

cudaError_t columnSum(ElementType type, const ColumnSumArguments &a,
                      void *scratch, cudaStream_t stream) {
  if (a.columns > INT32_MAX || a.count > kMaxColumnSums)
    return cudaErrorInvalidValue;
  if (a.columns == 0)
    return cudaSuccess;
  return withFloatType(type, [&](auto element) {
    using T = decltype(element);
    // How a matrix is cut, and so the order of its sums, depends on what a
    // thread loads at once.
    ColumnSumArguments packed = a, others = a;
    packed.count = others.count = 0;
    for (int i = 0; i < a.count; ++i) {
      ColumnSumArguments &to = isPacked<T>(a, i) ? packed : others;
      to.sums[to.count++] = a.sums[i];
    }
    float *partial = static_cast<float *>(scratch);
    cudaError_t error = cudaSuccess;
    if (packed.count > 0)
      error = launch<T, kPackSize<T>>(packed, partial, stream);
    if (others.count > 0 && error == cudaSuccess)
      error = launch<T, 1>(others, partial, stream);
    return error;
  });
}

} // namespace orrery::kernels::cuda
