// Values that tests of collectives send, and what becomes of them.
#ifndef ORRERY_TEST_RUNTIME_COMM_NCCL_ELEMENTS_H
#define ORRERY_TEST_RUNTIME_COMM_NCCL_ELEMENTS_H

#include "test/runtime/comm/nccl/DeviceRanks.h"

#include <algorithm>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <random>
#include <vector>

namespace orrery::runtime {

inline double toDouble(double x) { return x; }
inline double toDouble(__half x) { return __half2float(x); }
inline double toDouble(__nv_bfloat16 x) { return __bfloat162float(x); }
template <typename T> T fromInt(int x) { return static_cast<T>(x); }
template <> inline __half fromInt(int x) { return __float2half(x); }
template <> inline __nv_bfloat16 fromInt(int x) { return __float2bfloat16(x); }

// Element i of member m: small, so that sums are exact in 16 bits.
inline int element(int member, int64_t i) {
  return static_cast<int>((i * 7 + member * 5) % 13) - 6;
}

template <typename T> std::vector<T> elements(int member, int64_t count) {
  std::vector<T> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = fromInt<T>(element(member, i));
  return values;
}

inline int reduced(int members, int64_t i, Reduction reduction) {
  int result = element(0, i);
  for (int m = 1; m < members; ++m)
    result = reduction == Reduction::Sum ? result + element(m, i)
                                         : std::max(result, element(m, i));
  return result;
}

template <typename T, typename Expected>
void expectElements(const DeviceArray<T> &array, Expected expected,
                    const char *what) {
  std::vector<T> actual = array.get();
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(toDouble(actual[i]), double(expected(i))) << what << " " << i;
}

inline std::vector<float> noise(int member, int64_t count) {
  std::mt19937 random(member + 1);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random);
  return values;
}

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_COMM_NCCL_ELEMENTS_H
