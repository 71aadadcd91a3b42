// XXH3 over names and little-endian words.
#include "runtime/plan/RandomKey.h"

#include "absl/strings/str_replace.h"

#include <xxhash.h>

namespace orrery::runtime {

std::string fillLayer(absl::string_view name, int64_t globalLayer) {
  return absl::StrReplaceAll(name, {{"{layer}", std::to_string(globalLayer)}});
}

uint64_t randomKey(uint64_t seed, absl::string_view name, uint64_t step) {
  uint64_t words[3] = {seed, XXH3_64bits(name.data(), name.size()), step};
  unsigned char bytes[24];
  for (int i = 0; i < 24; ++i)
    bytes[i] = static_cast<unsigned char>(words[i / 8] >> (8 * (i % 8)));
  return XXH3_64bits(bytes, sizeof(bytes));
}

uint64_t randomKey(uint64_t seed, const plan::RandomStream &stream,
                   int64_t firstLayer, uint64_t step) {
  return randomKey(seed, fillLayer(stream.name(), firstLayer + stream.layer()),
                   step);
}

} // namespace orrery::runtime
