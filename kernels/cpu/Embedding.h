// Lookup of rows in a (shard of a) table, and its gradient.
#ifndef ORRERY_KERNELS_CPU_EMBEDDING_H
#define ORRERY_KERNELS_CPU_EMBEDDING_H

#include "absl/status/status.h"
#include "kernels/cpu/ElementType.h"

#include <cstdint>

namespace orrery::kernels {

/// Tokens lie on a grid of `outer` by `inner` positions, e.g. [s, b]; token
/// (i, j) has its id at ids[i * idsOuter + j * idsInner] and its row of `width`
/// elements at vectors + i * vectorsOuter + j * vectorsInner.
struct EmbeddingTokens {
  int64_t outer = 0, inner = 0, width = 0;
  const int32_t *ids = nullptr;
  int64_t idsOuter = 0, idsInner = 0;
  int64_t vectorsOuter = 0, vectorsInner = 0;
};

/// The rows [firstRow, firstRow + rows) of the whole table, `stride` apart.
struct EmbeddingTable {
  void *data = nullptr;
  int64_t rows = 0, stride = 0, firstRow = 0;
};

/// out[token, :] = table[id - firstRow, :], zero where the id lies outside.
absl::Status embedding(ElementType type, const EmbeddingTable &table,
                       const EmbeddingTokens &tokens, void *out, int threads);

/// grad[id - firstRow, :] += gradOut[token, :]; grad is F32, `type` is that of
/// gradOut. Threads own columns and add tokens in order, so the bits do not
/// depend on their number.
absl::Status embeddingGrad(ElementType type, const EmbeddingTable &grad,
                           const EmbeddingTokens &tokens, const void *gradOut,
                           int threads);

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_EMBEDDING_H
