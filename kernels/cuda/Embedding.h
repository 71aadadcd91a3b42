// Lookup of rows in a (shard of a) table, and its gradient, on GPUs.
//
// As everywhere in this folder: pointers are device memory; work is queued on
// the stream and may be captured; nothing is allocated; cudaErrorNotSupported
// where there is no form for an element type, cudaErrorInvalidValue where sizes
// are beyond what is stated.
#ifndef ORRERY_KERNELS_CUDA_EMBEDDING_H
#define ORRERY_KERNELS_CUDA_EMBEDDING_H

#include "kernels/ElementType.h"
#include "kernels/EmbeddingArguments.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// out[token, :] = table[id - firstRow, :], zero where the id lies outside.
/// Table and out are of `type`: F32, F16 or BF16. Fewer than 2^31 tokens.
cudaError_t embedding(ElementType type, const EmbeddingTable &table,
                      const EmbeddingTokens &tokens, void *out,
                      cudaStream_t stream);

/// Bytes that embeddingGrad needs for `tokens` (outer * inner) tokens and a
/// table of `rows` rows, on the current device.
cudaError_t embeddingGradScratchBytes(int64_t tokens, int64_t width,
                                      int64_t rows, int64_t &bytes);

/// grad[id - firstRow, :] += gradOut[token, :]; grad is F32, gradOut of `type`.
/// Tokens of one row are added in groups that the ids alone decide, in their
/// order within a group, so the bits are always the same. Fewer than 2^31
/// tokens and rows. `scratch` is a multiple of 256.
cudaError_t embeddingGrad(ElementType type, const EmbeddingTable &grad,
                          const EmbeddingTokens &tokens, const void *gradOut,
                          void *scratch, cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_EMBEDDING_H
