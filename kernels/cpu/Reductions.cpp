// Column sums and flat reductions.
#include "kernels/cpu/Reductions.h"

#include "kernels/cpu/Clones.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace orrery::kernels {
namespace {

constexpr int64_t kColumnBlock = 64;
constexpr int64_t kRowBlock = 64;

// Adds rows of `width` <= kColumnBlock columns to sums.
ORRERY_CLONES void sumRows(const float *in, int64_t rows, int64_t rowStride,
                           int64_t columnStride, int64_t width, double *sums) {
  float partial[kColumnBlock];
  for (int64_t first = 0; first < rows; first += kRowBlock) {
    const int64_t end = std::min(first + kRowBlock, rows);
    std::memset(partial, 0, sizeof(partial));
    for (int64_t r = first; r < end; ++r) {
      const float *row = in + r * rowStride;
      if (columnStride == 1 && width == kColumnBlock)
        for (int64_t c = 0; c < kColumnBlock; ++c)
          partial[c] += row[c];
      else
        for (int64_t c = 0; c < width; ++c)
          partial[c] += row[c * columnStride];
    }
    for (int64_t c = 0; c < width; ++c)
      sums[c] += partial[c];
  }
}

// Eight accumulators, so that the additions overlap.
ORRERY_CLONES double squareSum(const float *in, int64_t count) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int64_t j = 0; j < 8; ++j) {
      double x = in[i + j];
      sums[j] += x * x;
    }
  for (; i < count; ++i)
    sums[0] += static_cast<double>(in[i]) * in[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
         ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

ORRERY_CLONES double countZeros(const float *in, int64_t count) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < count; ++i)
    zeros += in[i] == 0;
  return static_cast<double>(zeros);
}

// Not finite: all exponent bits set.
ORRERY_CLONES double countNotFinite(const float *in, int64_t count) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, in + i, sizeof(bits));
    found += (bits & 0x7f800000u) == 0x7f800000u;
  }
  return static_cast<double>(found);
}

} // namespace

absl::Status columnSum(ElementType type, const void *in, int64_t rows,
                       int64_t columns, int64_t rowStride, int64_t columnStride,
                       float *out, int64_t outStride, bool accumulate,
                       int threads) {
  if (type != ElementType::F32)
    return noSuchForm("column_sum", type, "f32");
  const float *from = static_cast<const float *>(in);
  const int64_t blocks = (columns + kColumnBlock - 1) / kColumnBlock;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = block * kColumnBlock;
    const int64_t width = std::min(kColumnBlock, columns - begin);
    double sums[kColumnBlock] = {};
    sumRows(from + begin * columnStride, rows, rowStride, columnStride, width,
            sums);
    for (int64_t c = 0; c < width; ++c) {
      float *to = out + (begin + c) * outStride;
      *to = static_cast<float>(accumulate ? *to + sums[c] : sums[c]);
    }
  }
  return absl::OkStatus();
}

absl::Status flatReduce(FlatReduction reduction, ElementType type,
                        const void *in, int64_t count, double *out,
                        int threads) {
  if (type != ElementType::F32)
    return noSuchForm("flat_reduce", type, "f32");
  const float *from = static_cast<const float *>(in);
  constexpr int64_t kParts = 256;
  const int64_t each = ((count + kParts - 1) / kParts + 63) / 64 * 64;
  double parts[kParts] = {};
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t part = 0; part < kParts; ++part) {
    const int64_t begin = std::min(part * each, count);
    const int64_t length = std::min(each, count - begin);
    switch (reduction) {
    case FlatReduction::SquareSum:
      parts[part] = squareSum(from + begin, length);
      break;
    case FlatReduction::CountZeros:
      parts[part] = countZeros(from + begin, length);
      break;
    case FlatReduction::CountNotFinite:
      parts[part] = countNotFinite(from + begin, length);
      break;
    }
  }
  double sum = 0;
  for (double part : parts)
    sum += part;
  *out = sum;
  return absl::OkStatus();
}

} // namespace orrery::kernels
