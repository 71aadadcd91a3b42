// Scaled dot-product attention and its gradient, flash-style: the s×s matrix
// never exists, only 64×64 tiles of it.
//
// Agreement of both kernels
// - q, k, v, o and their gradients are [s, b, n, d]: any strides for s, b, n,
//   stride one along d. lse is [b, n, s], contiguous F32.
// - P = softmax(scale * q k^T) over the keys a query may see; with dropout,
//   kept probabilities are scaled by 1 / (1 - p) after the softmax, by the
//   rule of kernels/ref/Dropout.h with element index
//   ((sample * totalHeads + head) * s + query) * s + key.
// - lse = ln sum over visible keys of exp(scale * q k^T).
// - Sums are taken in a fixed order: the same bits for any number of threads.
//
// Source: T. Dao et al., "FlashAttention", NeurIPS 2022, algorithms 1 and 4;
// here tiles are kept transposed (keys × queries), so that softmax statistics
// run along rows and one Philox call serves four rows.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_H
#define ORRERY_KERNELS_CPU_ATTENTION_H

#include "absl/status/status.h"
#include "kernels/AttentionArguments.h"
#include "kernels/cpu/ElementType.h"

#include <cstdint>

namespace orrery::kernels {

/// Instruction sets that the kernels are compiled for.
enum class Isa { Baseline, Avx2, Avx512 };

/// The widest that this processor has.
Isa bestIsa();

/// Bytes of scratch that either kernel needs for `threads` threads; the caller
/// allocates it once, aligned to 64 bytes.
int64_t attentionScratchBytes(const AttentionShape &shape, int threads);

/// Unimplemented for types other than F32. `isa` must be one that the processor
/// has; sums are taken in an order that depends on it.
absl::Status attention(ElementType type,
                       const AttentionForwardArguments &arguments,
                       void *scratch, int threads, Isa isa = bestIsa());
absl::Status attentionGrad(ElementType type,
                           const AttentionBackwardArguments &arguments,
                           void *scratch, int threads, Isa isa = bestIsa());

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_CPU_ATTENTION_H
