// Strided copies and fills: rows of the innermost dimension over threads.
#include "kernels/cpu/StridedCopy.h"

#include "absl/strings/str_cat.h"

#include <cstring>

namespace orrery::kernels {
namespace {

// Element offsets of row `row` when the last dimension is taken whole.
void rowOffsets(const CopyPlan &plan, int64_t row, int64_t &in, int64_t &out) {
  in = out = 0;
  for (int i = plan.rank - 2; i >= 0; --i) {
    int64_t index = row % plan.shape[i];
    row /= plan.shape[i];
    in += index * plan.in[i];
    out += index * plan.out[i];
  }
}

int64_t rowCount(const CopyPlan &plan) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < plan.rank; ++i)
    rows *= plan.shape[i];
  return rows;
}

template <typename T>
void copyRows(const CopyPlan &plan, const T *in, T *out, int threads) {
  const int last = plan.rank - 1;
  const int64_t length = plan.shape[last];
  const int64_t inStride = plan.in[last], outStride = plan.out[last];
  const int64_t rows = rowCount(plan);
  const bool parallel = rows * length > 16384;
#pragma omp parallel for schedule(static) num_threads(threads) if (parallel)
  for (int64_t row = 0; row < rows; ++row) {
    int64_t from, to;
    rowOffsets(plan, row, from, to);
    if (inStride == 1 && outStride == 1) {
      std::memcpy(out + to, in + from, length * sizeof(T));
      continue;
    }
    for (int64_t i = 0; i < length; ++i)
      out[to + i * outStride] = in[from + i * inStride];
  }
}

template <typename T>
void fillRows(const CopyPlan &plan, T value, T *out, int threads) {
  const int last = plan.rank - 1;
  const int64_t length = plan.shape[last], stride = plan.out[last];
  const int64_t rows = rowCount(plan);
  if (rows == 1 && stride == 1) { // flat: split the row itself
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < length; ++i)
      out[i] = value;
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < rows; ++row) {
    int64_t from, to;
    rowOffsets(plan, row, from, to);
    for (int64_t i = 0; i < length; ++i)
      out[to + i * stride] = value;
  }
}

} // namespace

absl::Status planCopy(ElementType type, std::span<const int64_t> shape,
                      std::span<const int64_t> inStrides,
                      std::span<const int64_t> outStrides, CopyPlan &plan) {
  plan = CopyPlan();
  plan.elementBytes = elementBytes(type);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1)
      continue;
    if (plan.rank > 0) {
      int p = plan.rank - 1;
      if (plan.in[p] == shape[i] * inStrides[i] &&
          plan.out[p] == shape[i] * outStrides[i]) {
        plan.shape[p] *= shape[i];
        plan.in[p] = inStrides[i];
        plan.out[p] = outStrides[i];
        continue;
      }
    }
    if (plan.rank == CopyPlan::kMaxRank)
      return absl::UnimplementedError(absl::StrCat(
          "a copy may have at most ", CopyPlan::kMaxRank,
          " dimensions that do not merge, this one has more of its ",
          shape.size()));
    plan.shape[plan.rank] = shape[i];
    plan.in[plan.rank] = inStrides[i];
    plan.out[plan.rank] = outStrides[i];
    ++plan.rank;
  }
  if (plan.rank == 0) {
    plan.rank = 1;
    plan.shape[0] = plan.in[0] = plan.out[0] = 1;
  }
  return absl::OkStatus();
}

void stridedCopy(const CopyPlan &plan, const void *in, void *out, int threads) {
  if (plan.elementBytes == 2)
    copyRows(plan, static_cast<const uint16_t *>(in),
             static_cast<uint16_t *>(out), threads);
  else if (plan.elementBytes == 8)
    copyRows(plan, static_cast<const uint64_t *>(in),
             static_cast<uint64_t *>(out), threads);
  else
    copyRows(plan, static_cast<const uint32_t *>(in),
             static_cast<uint32_t *>(out), threads);
}

absl::Status stridedFill(const CopyPlan &plan, ElementType type, double value,
                         void *out, int threads) {
  switch (type) {
  case ElementType::F32:
    fillRows(plan, static_cast<float>(value), static_cast<float *>(out),
             threads);
    return absl::OkStatus();
  case ElementType::F64:
    fillRows(plan, value, static_cast<double *>(out), threads);
    return absl::OkStatus();
  case ElementType::I32:
    fillRows(plan, static_cast<int32_t>(value), static_cast<int32_t *>(out),
             threads);
    return absl::OkStatus();
  case ElementType::I64:
    fillRows(plan, static_cast<int64_t>(value), static_cast<int64_t *>(out),
             threads);
    return absl::OkStatus();
  default:
    return noSuchForm("fill", type, "f32, f64, i32, i64");
  }
}

} // namespace orrery::kernels
