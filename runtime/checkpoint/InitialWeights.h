// Initial weights: every element a function of (seed, parameter name, global
// index), so that no layout changes them.
//
// Normal variates: key = randomKey(seed, name, step 0); the element with
// row-major linear index i in the global tensor takes counter i / 2 and, of
// the four words of Philox4x32-10, (0, 1) for even i and (2, 3) for odd i;
// u = (word + 0.5) / 2^32 in double, and by Box and Muller (1958)
//   z = sqrt(-2 ln u0) cos(2 pi u1),   value = deviation * z.
#ifndef ORRERY_RUNTIME_CHECKPOINT_INITIALWEIGHTS_H
#define ORRERY_RUNTIME_CHECKPOINT_INITIALWEIGHTS_H

#include "runtime/plan/ParameterShard.h"
#include "runtime/plan/RankPlan.h"

#include <cstddef>
#include <cstdint>

namespace orrery::runtime {

/// Standard normal variate number `index` of the stream with this key.
double normalVariate(uint64_t key, uint64_t index);

/// The initial value of the element with global row-major index `index`.
float initialValue(const plan::Initializer &init, uint64_t key, uint64_t index);

/// Sets weights, gradients and optimizer state of every bucket of the rank to
/// their values before the first step: weights as their initializers say, in
/// `master` states not rounded to the weights' type (a first step may be
/// smaller than the rounding), everything else and the padding zero. `arena`
/// has member->arena_bytes() bytes. Requires a plan that passed checkPlan, and
/// so cannot fail.
void initializeWeights(const RankPlan &rank, std::byte *arena);

// Its parts, which loading needs one by one.

/// Sets one shard to its initial values, in `buffer`: of its bucket's weights
/// or of a state.
void initializeShard(const RankPlan &rank, const ParameterShard &shard,
                     uint32_t buffer, std::byte *arena);

/// Sets every weight, gradient and optimizer buffer of the rank to zero.
void zeroBuckets(const RankPlan &rank, std::byte *arena);

/// Sets the `master` states of the rank to the values of its weights and other
/// optimizer state to zero.
void resetOptimizerState(const RankPlan &rank, std::byte *arena);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_INITIALWEIGHTS_H
