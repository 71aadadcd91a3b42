// Scaled dot-product attention and its gradient on GPUs, flash-style: tiles of
// the s×s matrix live in registers and shared memory, never in device memory.
//
// Agreement of both kernels
// - q, k, v, o and their gradients are [s, b, n, d]: any strides for s, b, n,
//   stride one along d. lse is [b, n, s], contiguous F32. Rows that start at
//   multiples of 16 bytes and are a multiple of 16 bytes long are read and
//   written fastest.
// - P = softmax(scale * q k^T) over the keys a query may see; with dropout,
//   kept probabilities are scaled by 1 / (1 - p) after the softmax, by the
//   rule of kernels/ref/Dropout.h with element index
//   ((sample * totalHeads + head) * s + query) * s + key. The Philox key is
//   read from device memory when the kernel runs; shape.randomKey is ignored.
// - lse = ln sum over visible keys of exp(scale * q k^T). A query that sees no
//   key has o = 0, lse = -infinity and gradient 0.
// - F32 is computed in F32 throughout. F16 and BF16 multiply on tensor cores
//   and accumulate in F32; P and its gradient are rounded to the element type
//   before they are multiplied.
// - Every sum is taken in an order that the shape alone decides: the same call
//   gives the same bits.
//
// Source: T. Dao, "FlashAttention-2", ICLR 2024, algorithms 1 and 2; here the
// gradient is two kernels, one that owns queries and one that owns keys, so
// that nothing is summed across blocks.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_H
#define ORRERY_KERNELS_CUDA_ATTENTION_H

#include "kernels/AttentionArguments.h"
#include "kernels/ElementType.h"

#include <cuda_runtime_api.h>

namespace orrery::kernels::cuda {

/// Largest d that the kernels take.
constexpr int64_t kAttentionMaxDim = 256;

/// Bytes of device memory that a call needs as scratch, aligned to 16 bytes;
/// forward needs none.
///   backward of s=100 b=2 n=3: 2 * 3 * 128 queries * 8 bytes = 6144
int64_t attentionScratchBytes(ElementType type, const AttentionShape &shape,
                              bool backward);

/// Enqueue on `stream`; nothing is allocated and nothing waits, so a stream
/// may be under capture. All pointers of `arguments` are device memory; `key`
/// is one u64 there, read only when shape.dropout > 0 (else it may be null).
///
/// cudaErrorNotSupported: the type is none of F32, F16, BF16.
/// cudaErrorInvalidValue: a size below 1, d > kAttentionMaxDim, s above 2^30,
/// dropout outside [0, 1), scale not positive, or no key though dropout > 0.
cudaError_t attention(ElementType type,
                      const AttentionForwardArguments &arguments,
                      const uint64_t *key, void *scratch, cudaStream_t stream);
cudaError_t attentionGrad(ElementType type,
                          const AttentionBackwardArguments &arguments,
                          const uint64_t *key, void *scratch,
                          cudaStream_t stream);

} // namespace orrery::kernels::cuda

#endif // ORRERY_KERNELS_CUDA_ATTENTION_H
