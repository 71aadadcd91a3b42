// Embedding lookup over tokens, gradient over columns.
#include "kernels/cpu/Embedding.h"

#include <algorithm>
#include <cstring>

namespace orrery::kernels {

absl::Status embedding(ElementType type, const EmbeddingTable &table,
                       const EmbeddingTokens &tokens, void *out, int threads) {
  if (type != ElementType::F32)
    return noSuchForm("embedding", type, "f32");
  const float *rows = static_cast<const float *>(table.data);
  float *to = static_cast<float *>(out);
  const size_t bytes = static_cast<size_t>(tokens.width) * sizeof(float);
  const int64_t count = tokens.outer * tokens.inner;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t token = 0; token < count; ++token) {
    int64_t i = token / tokens.inner, j = token % tokens.inner;
    int64_t row =
        tokens.ids[i * tokens.idsOuter + j * tokens.idsInner] - table.firstRow;
    float *at = to + i * tokens.vectorsOuter + j * tokens.vectorsInner;
    if (row >= 0 && row < table.rows)
      std::memcpy(at, rows + row * table.stride, bytes);
    else
      std::memset(at, 0, bytes);
  }
  return absl::OkStatus();
}

absl::Status embeddingGrad(ElementType type, const EmbeddingTable &grad,
                           const EmbeddingTokens &tokens, const void *gradOut,
                           int threads) {
  if (type != ElementType::F32)
    return noSuchForm("embedding_grad", type, "f32");
  float *rows = static_cast<float *>(grad.data);
  const float *from = static_cast<const float *>(gradOut);
  constexpr int64_t kBlock = 64; // columns: whole cache lines per thread
  const int64_t blocks = (tokens.width + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = block * kBlock;
    const int64_t end = std::min(begin + kBlock, tokens.width);
    for (int64_t i = 0; i < tokens.outer; ++i)
      for (int64_t j = 0; j < tokens.inner; ++j) {
        int64_t row = tokens.ids[i * tokens.idsOuter + j * tokens.idsInner] -
                      grad.firstRow;
        if (row < 0 || row >= grad.rows)
          continue;
        float *to = rows + row * grad.stride;
        const float *vector =
            from + i * tokens.vectorsOuter + j * tokens.vectorsInner;
        for (int64_t c = begin; c < end; ++c)
          to[c] += vector[c];
      }
  }
  return absl::OkStatus();
}

} // namespace orrery::kernels
