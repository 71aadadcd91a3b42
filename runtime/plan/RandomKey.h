// Keys of random streams: one per (seed, name, step), the same on every rank.
#ifndef ORRERY_RUNTIME_PLAN_RANDOMKEY_H
#define ORRERY_RUNTIME_PLAN_RANDOMKEY_H

#include "runtime/plan/Plan.pb.h"

#include "absl/strings/string_view.h"
#include <cstdint>
#include <string>

namespace orrery::runtime {

/// `name` with every "{layer}" replaced by the decimal global layer index:
/// ("encoder.layers.{layer}.mlp", 3) -> "encoder.layers.3.mlp". A name
/// without "{layer}" is returned as it is.
std::string fillLayer(absl::string_view name, int64_t globalLayer);

/// Key of the Philox generator: XXH3_64 over the 24 bytes of the little-endian
/// {seed, XXH3_64(name), step}. Initial weights use step 0, dropout the step
/// counted from 1.
uint64_t randomKey(uint64_t seed, absl::string_view name, uint64_t step);

/// Key of a stream of a rank: its layer is relative to `firstLayer`
/// (Member.first_layer).
uint64_t randomKey(uint64_t seed, const plan::RandomStream &stream,
                   int64_t firstLayer, uint64_t step);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_RANDOMKEY_H
