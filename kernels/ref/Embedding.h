// The truth for embedding lookup and its gradient, over contiguous tensors.
#ifndef ORRERY_KERNELS_REF_EMBEDDING_H
#define ORRERY_KERNELS_REF_EMBEDDING_H

#include <cstdint>
#include <vector>

namespace orrery::kernels::ref {

/// out[t, :] = table[ids[t] - firstRow, :], zero where out of the table.
inline std::vector<double> embedding(const std::vector<double> &table,
                                     int64_t width,
                                     const std::vector<int32_t> &ids,
                                     int64_t firstRow) {
  const int64_t rows = static_cast<int64_t>(table.size()) / width;
  std::vector<double> out(ids.size() * width, 0);
  for (size_t t = 0; t < ids.size(); ++t) {
    int64_t row = ids[t] - firstRow;
    for (int64_t c = 0; c < width && row >= 0 && row < rows; ++c)
      out[t * width + c] = table[row * width + c];
  }
  return out;
}

/// grad[ids[t] - firstRow, :] += gradOut[t, :].
inline void embeddingGrad(std::vector<double> &grad, int64_t width,
                          const std::vector<int32_t> &ids, int64_t firstRow,
                          const std::vector<double> &gradOut) {
  const int64_t rows = static_cast<int64_t>(grad.size()) / width;
  for (size_t t = 0; t < ids.size(); ++t) {
    int64_t row = ids[t] - firstRow;
    for (int64_t c = 0; c < width && row >= 0 && row < rows; ++c)
      grad[row * width + c] += gradOut[t * width + c];
  }
}

} // namespace orrery::kernels::ref

#endif // ORRERY_KERNELS_REF_EMBEDDING_H
