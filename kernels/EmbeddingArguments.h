// The arguments of the embedding kernels, of CPUs and of GPUs. Nothing but
// data: CUDA sources include this file.
#ifndef ORRERY_KERNELS_EMBEDDINGARGUMENTS_H
#define ORRERY_KERNELS_EMBEDDINGARGUMENTS_H

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

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_EMBEDDINGARGUMENTS_H
