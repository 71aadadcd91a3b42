// NumPy's bounded integers and torch's permutation over MT19937.
#include "runtime/data/Mt19937.h"

#include <bit>
#include <numeric>

namespace orrery::runtime {

uint32_t NumpyRandom::interval(uint32_t max) {
  if (max == 0)
    return 0;
  // Smallest 2^k - 1 that is at least max.
  const uint32_t mask = ~uint32_t{0} >> std::countl_zero(max);
  uint32_t value;
  do {
    value = static_cast<uint32_t>(engine()) & mask;
  } while (value > max);
  return value;
}

std::vector<int32_t> torchRandperm(int32_t count, uint32_t seed) {
  std::vector<int32_t> permutation(count);
  std::iota(permutation.begin(), permutation.end(), 0);
  std::mt19937 engine(seed);
  for (int32_t i = 0; i + 1 < count; ++i) {
    const uint32_t left = static_cast<uint32_t>(count - i);
    const uint32_t pick = static_cast<uint32_t>(engine()) % left;
    std::swap(permutation[i], permutation[i + pick]);
  }
  return permutation;
}

} // namespace orrery::runtime
