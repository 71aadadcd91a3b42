// Strided copies and fills: a thread a unit of 2 to 16 bytes, whose place in
// both views comes from its number by one division a dimension.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/FastDivisor.h"
#include "kernels/cuda/StridedCopy.h"

#include <algorithm>

namespace orrery::kernels::cuda {
namespace {

constexpr int kRank = CopyPlan::kMaxRank;
constexpr int kThreads = 256;
constexpr int kUnitsPerThread = 4;

// The order in which units are visited: dimension 0 is the innermost. Strides
// in units.
struct Walk {
  int rank = 0;
  int64_t units = 1;
  int64_t shape[kRank] = {};
  int64_t in[kRank] = {}, out[kRank] = {};
  FastDivisor divisors[kRank]; // where units are below 2^31
};

// The plan's dimensions, those far apart in the output outermost, neighbours
// merged again where the new order allows.
Walk walkOf(const CopyPlan &plan) {
  int order[kRank];
  for (int i = 0; i < plan.rank; ++i)
    order[i] = i;
  std::stable_sort(order, order + plan.rank,
                   [&](int a, int b) { return plan.out[a] < plan.out[b]; });
  Walk walk;
  for (int i = 0; i < plan.rank; ++i) {
    const int d = order[i], inner = walk.rank - 1;
    walk.units *= plan.shape[d];
    if (i > 0 && plan.in[d] == walk.shape[inner] * walk.in[inner] &&
        plan.out[d] == walk.shape[inner] * walk.out[inner]) {
      walk.shape[inner] *= plan.shape[d];
      continue;
    }
    walk.shape[walk.rank] = plan.shape[d];
    walk.in[walk.rank] = plan.in[d];
    walk.out[walk.rank] = plan.out[d];
    ++walk.rank;
  }
  return walk;
}

bool isContiguous(const Walk &walk) {
  return walk.rank == 1 && walk.in[0] == 1 && walk.out[0] == 1;
}

// Rows that are contiguous in both views become rows of wider units; returns
// the bytes of a unit.
int widen(Walk &walk, int64_t elementBytes, const void *in, const void *out) {
  if (walk.in[0] != 1 || walk.out[0] != 1)
    return static_cast<int>(elementBytes);
  CommonAlignment common;
  common.add(in).add(out).add(walk.shape[0] * elementBytes);
  for (int d = 1; d < walk.rank; ++d)
    common.add(walk.in[d] * elementBytes).add(walk.out[d] * elementBytes);
  const int bytes = common.bytes();
  const int64_t ratio = bytes / elementBytes;
  if (ratio <= 1)
    return static_cast<int>(elementBytes);
  walk.shape[0] /= ratio;
  walk.units /= ratio;
  for (int d = 1; d < walk.rank; ++d)
    walk.in[d] /= ratio, walk.out[d] /= ratio;
  return bytes;
}

template <bool Wide>
__device__ void place(const Walk &walk, int64_t unit, int64_t &in,
                      int64_t &out) {
  in = out = 0;
#pragma unroll
  for (int d = 0; d < kRank; ++d) {
    int64_t index = unit;
    if (d + 1 < walk.rank) {
      if (Wide)
        unit = unit / walk.shape[d];
      else
        unit = walk.divisors[d].divide(static_cast<uint32_t>(unit));
      index -= unit * walk.shape[d];
    }
    if (d < walk.rank) {
      in += index * walk.in[d];
      out += index * walk.out[d];
    }
  }
}

template <typename Unit, bool Wide>
__global__ void copyUnits(const Walk walk, const Unit *__restrict__ in,
                          Unit *__restrict__ out) {
  const int64_t first =
      static_cast<int64_t>(blockIdx.x) * (kThreads * kUnitsPerThread) +
      threadIdx.x;
  Unit units[kUnitsPerThread];
  int64_t to[kUnitsPerThread];
#pragma unroll
  for (int k = 0; k < kUnitsPerThread; ++k) {
    const int64_t unit = first + k * kThreads;
    if (unit < walk.units) {
      int64_t from;
      place<Wide>(walk, unit, from, to[k]);
      units[k] = in[from];
    }
  }
#pragma unroll
  for (int k = 0; k < kUnitsPerThread; ++k)
    if (first + k * kThreads < walk.units)
      out[to[k]] = units[k];
}

template <typename Unit, bool Wide>
__global__ void fillUnits(const Walk walk, Unit value, Unit *out) {
  const int64_t first =
      static_cast<int64_t>(blockIdx.x) * (kThreads * kUnitsPerThread) +
      threadIdx.x;
#pragma unroll
  for (int k = 0; k < kUnitsPerThread; ++k) {
    const int64_t unit = first + k * kThreads;
    if (unit < walk.units) {
      int64_t from, to;
      place<Wide>(walk, unit, from, to);
      out[to] = value;
    }
  }
}

// action(Unit(), wide) with the unit's type; sets the divisors of small walks.
template <typename Action>
cudaError_t withUnit(Walk &walk, int bytes, Action &&action) {
  const bool wide = walk.units >= INT32_MAX;
  for (int d = 0; d + 1 < walk.rank && !wide; ++d)
    walk.divisors[d] = FastDivisor(static_cast<uint32_t>(walk.shape[d]));
  switch (bytes) {
  case 2:
    action(uint16_t(), wide);
    break;
  case 4:
    action(uint32_t(), wide);
    break;
  case 8:
    action(uint2(), wide);
    break;
  case 16:
    action(uint4(), wide);
    break;
  default:
    return cudaErrorNotSupported;
  }
  return cudaGetLastError();
}

uint32_t blocksOf(const Walk &walk) {
  constexpr int64_t kPerBlock = kThreads * kUnitsPerThread;
  return static_cast<uint32_t>((walk.units + kPerBlock - 1) / kPerBlock);
}

// The value's bytes in `type`, repeated to 16 bytes; false for no such type.
bool patternOf(ElementType type, double value, unsigned char (&pattern)[16]) {
  auto repeat = [&](auto element) {
    for (size_t i = 0; i < sizeof(pattern); i += sizeof(element))
      memcpy(pattern + i, &element, sizeof(element));
    return true;
  };
  switch (type) {
  case ElementType::F32:
    return repeat(static_cast<float>(value));
  case ElementType::F16:
    return repeat(__double2half(value));
  case ElementType::BF16:
    return repeat(__double2bfloat16(value));
  case ElementType::F64:
    return repeat(value);
  case ElementType::I32:
    return repeat(static_cast<int32_t>(value));
  case ElementType::I64:
    return repeat(static_cast<int64_t>(value));
  default:
    return false;
  }
}

} // namespace

cudaError_t stridedCopy(const CopyPlan &plan, const void *in, void *out,
                        cudaStream_t stream) {
  Walk walk = walkOf(plan);
  if (walk.units == 0)
    return cudaSuccess;
  if (isContiguous(walk))
    return cudaMemcpyAsync(out, in, walk.units * plan.elementBytes,
                           cudaMemcpyDeviceToDevice, stream);
  const int bytes = widen(walk, plan.elementBytes, in, out);
  return withUnit(walk, bytes, [&](auto unit, bool wide) {
    using Unit = decltype(unit);
    const Unit *from = static_cast<const Unit *>(in);
    Unit *to = static_cast<Unit *>(out);
    if (wide)
      copyUnits<Unit, true>
          <<<blocksOf(walk), kThreads, 0, stream>>>(walk, from, to);
    else
      copyUnits<Unit, false>
          <<<blocksOf(walk), kThreads, 0, stream>>>(walk, from, to);
  });
}

cudaError_t stridedFill(const CopyPlan &plan, ElementType type, double value,
                        void *out, cudaStream_t stream) {
  unsigned char pattern[16];
  if (!patternOf(type, value, pattern))
    return cudaErrorNotSupported;
  CopyPlan same = plan;
  same.in = plan.out;
  Walk walk = walkOf(same);
  if (walk.units == 0)
    return cudaSuccess;
  const int64_t size = elementBytes(type);
  const bool oneByte = std::all_of(
      pattern, pattern + size, [&](auto byte) { return byte == pattern[0]; });
  if (isContiguous(walk) && oneByte)
    return cudaMemsetAsync(out, pattern[0], walk.units * size, stream);
  const int bytes = widen(walk, size, out, out);
  return withUnit(walk, bytes, [&](auto unit, bool wide) {
    using Unit = decltype(unit);
    memcpy(&unit, pattern, sizeof(unit));
    Unit *to = static_cast<Unit *>(out);
    if (wide)
      fillUnits<Unit, true>
          <<<blocksOf(walk), kThreads, 0, stream>>>(walk, unit, to);
    else
      fillUnits<Unit, false>
          <<<blocksOf(walk), kThreads, 0, stream>>>(walk, unit, to);
  });
}

} // namespace orrery::kernels::cuda
