// The truth for reductions over all elements of a flat value.
#ifndef ORRERY_KERNELS_REF_FLATREDUCE_H
#define ORRERY_KERNELS_REF_FLATREDUCE_H

#include <cmath>
#include <vector>

namespace orrery::kernels::ref {

inline double squareSum(const std::vector<double> &in) {
  double sum = 0;
  for (double x : in)
    sum += x * x;
  return sum;
}

inline double countZeros(const std::vector<double> &in) {
  double zeros = 0;
  for (double x : in)
    zeros += x == 0;
  return zeros;
}

inline double countNotFinite(const std::vector<double> &in) {
  double found = 0;
  for (double x : in)
    found += !std::isfinite(x);
  return found;
}

} // namespace orrery::kernels::ref

#endif // ORRERY_KERNELS_REF_FLATREDUCE_H
