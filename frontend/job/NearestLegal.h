// Finds the legal value nearest to an illegal one, for diagnostics.
#ifndef ORRERY_FRONTEND_JOB_NEARESTLEGAL_H
#define ORRERY_FRONTEND_JOB_NEARESTLEGAL_H

#include <algorithm>
#include <cstdint>
#include <string>

namespace orrery::job {

/// The number in [low, high] nearest to `value` that `legal` accepts, the
/// smaller of two equally near ones; empty text when there is none within
/// 2^20 steps. nearestLegal(7, 1, 12, divides 12) == "6".
template <typename Predicate>
std::string nearestLegal(int64_t value, int64_t low, int64_t high,
                         Predicate legal) {
  if (low > high)
    return "";
  int64_t start = std::clamp(value, low, high);
  constexpr int64_t kReach = int64_t(1) << 20;
  for (int64_t step = 0; step < kReach; ++step) {
    bool belowInside = start - low >= step, aboveInside = high - start >= step;
    if (belowInside && legal(start - step))
      return std::to_string(start - step);
    if (aboveInside && legal(start + step))
      return std::to_string(start + step);
    if (!belowInside && !aboveInside)
      break;
  }
  return "";
}

/// The positive multiple of `unit` nearest to `value`, the smaller of two.
inline std::string nearestMultiple(int64_t value, int64_t unit) {
  int64_t below = value / unit * unit;
  if (below < unit)
    return std::to_string(unit);
  return std::to_string(value - below <= unit / 2 ? below : below + unit);
}

} // namespace orrery::job

#endif // ORRERY_FRONTEND_JOB_NEARESTLEGAL_H
