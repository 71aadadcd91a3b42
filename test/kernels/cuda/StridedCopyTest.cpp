// Strided copies and fills on a GPU; the divisor also without one.
#include "kernels/cuda/StridedCopy.h"
#include "kernels/cpu/StridedCopy.h"
#include "kernels/cuda/FastDivisor.h"
#include "test/kernels/cuda/DeviceArray.h"

#include <numeric>

using namespace orrery::kernels;

namespace {

TEST(FastDivisor, DividesLikeDivision) {
  std::vector<uint32_t> divisors, numbers = {0, 1, 0x7fffffff};
  for (uint32_t d = 1; d < 300; ++d)
    divisors.push_back(d);
  for (int bit = 8; bit < 31; ++bit)
    for (int32_t off : {-1, 0, 1})
      divisors.push_back((1u << bit) + off);
  divisors.push_back(0x7fffffff);
  for (uint32_t i = 0; i < 2000; ++i)
    numbers.push_back(Philox4x32::generate(i, 0, 9)[0] >> (1 + i % 31));
  for (uint32_t d : divisors) {
    cuda::FastDivisor divisor(d);
    for (uint32_t n : numbers)
      ASSERT_EQ(divisor.divide(n), n / d) << n << " / " << d;
    for (uint32_t q = 1; q < 50 && uint64_t(q) * d <= 0x7fffffff; ++q) {
      ASSERT_EQ(divisor.divide(q * d), q) << q * d << " / " << d;
      ASSERT_EQ(divisor.divide(q * d - 1), q - 1) << q * d - 1 << " / " << d;
    }
  }
}

using Dimensions = std::vector<int64_t>;

int64_t span(const Dimensions &shape, const Dimensions &strides) {
  int64_t last = 0;
  for (size_t d = 0; d < shape.size(); ++d)
    last += (shape[d] - 1) * strides[d];
  return last + 1;
}

// Calls action(in, out) with the offsets of every element.
template <typename Action>
void visit(const Dimensions &shape, const Dimensions &in, const Dimensions &out,
           Action &&action) {
  const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t(1),
                                        std::multiplies<>());
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, from = 0, to = 0;
    for (size_t d = shape.size(); d-- > 0;) {
      from += rest % shape[d] * in[d];
      to += rest % shape[d] * out[d];
      rest /= shape[d];
    }
    action(from, to);
  }
}

template <typename T>
void checkCopy(ElementType type, const Dimensions &shape, const Dimensions &in,
               const Dimensions &out, size_t inBefore, size_t outBefore) {
  std::vector<T> values(span(shape, in));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(i + 1);
  std::vector<T> truth(span(shape, out), T(0));
  visit(shape, in, out,
        [&](int64_t from, int64_t to) { truth[to] = values[from]; });
  CopyPlan plan;
  ASSERT_TRUE(planCopy(type, shape, in, out, plan).ok());
  DeviceArray<T> from(values, inBefore);
  DeviceArray<T> to(std::vector<T>(truth.size(), T(0)), outBefore);
  ASSERT_CUDA(cuda::stridedCopy(plan, from.data(), to.data(), 0));
  ASSERT_TRUE(to.read() == truth)
      << elementName(type) << " rank " << plan.rank << ", off by " << inBefore
      << " and " << outBefore;
}

template <typename T> void checkCopies(ElementType type) {
  for (size_t inBefore : {0, 1, 8})
    for (size_t outBefore : {0, 3, 8}) {
      auto check = [&](const Dimensions &shape, const Dimensions &in,
                       const Dimensions &out) {
        checkCopy<T>(type, shape, in, out, inBefore, outBefore);
      };
      check({1}, {1}, {1});
      check({1000}, {1}, {1});
      check({7, 64}, {64, 1}, {72, 1});            // padded rows
      check({7, 63}, {63, 1}, {72, 1});            // odd rows
      check({5, 3, 16}, {48, 16, 1}, {16, 80, 1}); // [s, b, f] to [b, s, f]
      check({33, 17}, {17, 1}, {1, 33});           // a transpose
      check({33, 17}, {1, 33}, {17, 1});
      check({40, 9}, {2, 80}, {9, 1}); // no contiguous dimension
      check({6, 10}, {0, 1}, {10, 1}); // a repeated row
      check({2, 3, 2, 3, 2, 3}, {1, 2, 6, 12, 36, 72}, // no two merge
            {162, 54, 27, 9, 4, 1});
      check({100, 50, 16}, {1600, 16, 1}, {16, 1600, 1});
    }
}

TEST(CudaStridedCopy, CopiesElementsOfTwoBytes) {
  ORRERY_NEED_CUDA();
  checkCopies<uint16_t>(ElementType::BF16);
}
TEST(CudaStridedCopy, CopiesElementsOfFourBytes) {
  ORRERY_NEED_CUDA();
  checkCopies<int32_t>(ElementType::I32);
}
TEST(CudaStridedCopy, CopiesElementsOfEightBytes) {
  ORRERY_NEED_CUDA();
  checkCopies<int64_t>(ElementType::I64);
}

template <typename T>
void checkFill(ElementType type, double value, T expected) {
  for (const Dimensions &strides :
       {Dimensions{24, 1}, Dimensions{32, 1}, Dimensions{25, 1},
        Dimensions{1, 5}, Dimensions{2, 10}})
    for (size_t before : {0, 1}) {
      const Dimensions shape = {5, 24};
      std::vector<T> truth(span(shape, strides), T(0));
      visit(shape, strides, strides,
            [&](int64_t, int64_t to) { truth[to] = expected; });
      CopyPlan plan;
      ASSERT_TRUE(planCopy(type, shape, strides, strides, plan).ok());
      DeviceArray<T> out(std::vector<T>(truth.size(), T(0)), before);
      ASSERT_CUDA(cuda::stridedFill(plan, type, value, out.data(), 0));
      ASSERT_TRUE(out.read() == truth) << elementName(type) << " " << value;
    }
}

TEST(CudaStridedFill, ConvertsTheValueAndLeavesTheGapsAlone) {
  ORRERY_NEED_CUDA();
  checkFill<float>(ElementType::F32, 2.5, 2.5f);
  checkFill<float>(ElementType::F32, 0, 0);
  checkFill<double>(ElementType::F64, -1.25, -1.25);
  checkFill<int32_t>(ElementType::I32, -3, -3);
  checkFill<int64_t>(ElementType::I64, 1e15, 1000000000000000);
  checkFill<uint16_t>(ElementType::F16, 1, 0x3c00);
  checkFill<uint16_t>(ElementType::BF16, -2, 0xc000);
}

} // namespace
