// The truth for sums over the rows of a contiguous matrix.
#ifndef ORRERY_KERNELS_REF_COLUMNSUM_H
#define ORRERY_KERNELS_REF_COLUMNSUM_H

#include <cstdint>
#include <vector>

namespace orrery::kernels::ref {

/// out[c] = sum over r of in[r, c].
inline std::vector<double> columnSum(const std::vector<double> &in,
                                     int64_t columns) {
  std::vector<double> out(columns, 0);
  for (size_t i = 0; i < in.size(); ++i)
    out[i % columns] += in[i];
  return out;
}

} // namespace orrery::kernels::ref

#endif // ORRERY_KERNELS_REF_COLUMNSUM_H
