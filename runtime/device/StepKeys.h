// The Philox keys of a rank's random streams, renewed every step.
#ifndef ORRERY_RUNTIME_DEVICE_STEPKEYS_H
#define ORRERY_RUNTIME_DEVICE_STEPKEYS_H

#include "runtime/plan/Plan.pb.h"
#include "runtime/plan/RandomKey.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

class StepKeys {
public:
  StepKeys(uint64_t seed, int64_t firstLayer)
      : seed(seed), firstLayer(firstLayer) {}

  /// Number of the stream; the same for streams of one name.
  int32_t add(const plan::RandomStream &stream) {
    std::string name = fillLayer(stream.name(), firstLayer + stream.layer());
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == name)
        return static_cast<int32_t>(i);
    names.push_back(std::move(name));
    keys.push_back(0);
    return static_cast<int32_t>(names.size() - 1);
  }
  /// `step` counts from 1.
  void beginStep(int64_t step) {
    for (size_t i = 0; i < names.size(); ++i)
      keys[i] = randomKey(seed, names[i], static_cast<uint64_t>(step));
  }
  uint64_t key(int32_t stream) const { return keys[stream]; }
  /// By number of the stream.
  const std::vector<uint64_t> &all() const { return keys; }

private:
  uint64_t seed;
  int64_t firstLayer;
  std::vector<std::string> names;
  std::vector<uint64_t> keys;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_STEPKEYS_H
