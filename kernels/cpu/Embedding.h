// Lookup of rows in a (shard of a) table, and its gradient.
#ifndef ORRERY_KERNELS_CPU_EMBEDDING_H
#define ORRERY_KERNELS_CPU_EMBEDDING_H

#include "absl/status/status.h"
#include "kernels/EmbeddingArguments.h"
#include "kernels/cpu/ElementType.h"

namespace orrery::kernels {

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
