// The random streams of the originals' data order: NumPy's legacy RandomState
// and torch's CPU randperm, bit for bit. Both run on MT19937 seeded with
// init_genrand, which is std::mt19937's seeding too.
#ifndef ORRERY_RUNTIME_DATA_MT19937_H
#define ORRERY_RUNTIME_DATA_MT19937_H

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace orrery::runtime {

/// numpy.random.RandomState(seed) with an integer seed.
class NumpyRandom {
public:
  explicit NumpyRandom(uint32_t seed) : engine(seed) {}

  /// Uniform in [0, max] by masked rejection (NumPy's random_interval). Draws
  /// nothing when max is 0.
  uint32_t interval(uint32_t max);

  /// RandomState.shuffle of a one-dimensional array: for i = n-1 … 1 swaps
  /// elements i and interval(i). values.size() <= 2^32.
  template <typename T> void shuffle(std::span<T> values) {
    for (size_t i = values.size(); i-- > 1;)
      std::swap(values[i], values[interval(static_cast<uint32_t>(i))]);
  }

private:
  std::mt19937 engine;
};

/// torch.randperm(count, generator=Generator().manual_seed(seed)) on the CPU:
/// for i = 0 … n-2 swaps elements i and i + u32 % (n - i). count < 2^31.
std::vector<int32_t> torchRandperm(int32_t count, uint32_t seed);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_MT19937_H
