// Arrays in device memory, and samples of any element type, for tests of CUDA
// kernels.
#ifndef ORRERY_TEST_KERNELS_CUDA_DEVICEARRAY_H
#define ORRERY_TEST_KERNELS_CUDA_DEVICEARRAY_H

#include "kernels/ElementType.h"
#include "test/kernels/Samples.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace orrery::kernels {

/// Why there is nothing to test on; empty where there is a device.
inline std::string noCudaDevice() {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess)
    return std::string("no CUDA device: ") + cudaGetErrorString(error);
  return count > 0 ? "" : "no CUDA device: none is visible";
}

#define ORRERY_NEED_CUDA()                                                     \
  if (std::string none = orrery::kernels::noCudaDevice(); !none.empty())       \
  GTEST_SKIP() << none

#define EXPECT_CUDA(call) EXPECT_EQ(call, cudaSuccess)
#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)

/// Memory that is kept when it is freed: where a driver call is slow, as on
/// virtual machines, hundreds of small tests else spend their time in them.
inline cudaError_t allocatePooled(void **memory, size_t bytes) {
  static const cudaError_t kept = [] {
    int device = 0;
    cudaMemPool_t pool = nullptr;
    uint64_t all = UINT64_MAX;
    cudaError_t error = cudaGetDevice(&device);
    if (error == cudaSuccess)
      error = cudaDeviceGetDefaultMemPool(&pool, device);
    if (error == cudaSuccess)
      error =
          cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all);
    return error;
  }();
  return kept == cudaSuccess ? cudaMallocAsync(memory, bytes, nullptr) : kept;
}

/// `count` elements of T behind `before` unused ones, so that `data` may be
/// aligned as badly as the element allows; guarded on both sides.
template <typename T> class DeviceArray {
public:
  explicit DeviceArray(size_t count, size_t before = 0)
      : count(count), before(before) {
    EXPECT_CUDA(allocatePooled(reinterpret_cast<void **>(&base), bytes()));
    EXPECT_CUDA(cudaMemset(base, kGuard, bytes()));
  }
  explicit DeviceArray(const std::vector<T> &values, size_t before = 0)
      : DeviceArray(values.size(), before) {
    write(values);
  }
  DeviceArray(DeviceArray &&other) noexcept
      : base(std::exchange(other.base, nullptr)), count(other.count),
        before(other.before) {}
  ~DeviceArray() {
    if (base) {
      checkGuards();
      EXPECT_CUDA(cudaFreeAsync(base, nullptr));
    }
  }

  T *data() const { return base + kGuarded + before; }
  void write(const std::vector<T> &values) {
    EXPECT_EQ(values.size(), count);
    EXPECT_CUDA(cudaMemcpy(data(), values.data(), count * sizeof(T),
                           cudaMemcpyHostToDevice));
  }
  /// Waits for the device.
  std::vector<T> read() const {
    std::vector<T> values(count);
    EXPECT_CUDA(cudaDeviceSynchronize());
    EXPECT_CUDA(cudaMemcpy(values.data(), data(), count * sizeof(T),
                           cudaMemcpyDeviceToHost));
    return values;
  }

private:
  static constexpr size_t kGuarded = 256; // elements on either side
  static constexpr int kGuard = 0xa5;

  size_t bytes() const { return (count + before + 2 * kGuarded) * sizeof(T); }
  void checkGuards() const {
    std::vector<unsigned char> all(bytes());
    EXPECT_CUDA(cudaDeviceSynchronize());
    EXPECT_CUDA(
        cudaMemcpy(all.data(), base, all.size(), cudaMemcpyDeviceToHost));
    const size_t begin = (kGuarded + before) * sizeof(T);
    const size_t end = begin + count * sizeof(T);
    for (size_t i = 0; i < all.size(); ++i)
      if ((i < begin || i >= end) && all[i] != kGuard) {
        ADD_FAILURE() << "byte " << i << " outside of [" << begin << ", " << end
                      << ") was written";
        return;
      }
  }

  T *base = nullptr;
  size_t count, before;
};

/// A value rounded to `type`, and the other way about.
inline float rounded(ElementType type, float x) {
  switch (type) {
  case ElementType::F16:
    return __half2float(__float2half(x));
  case ElementType::BF16:
    return __bfloat162float(__float2bfloat16(x));
  default:
    return x;
  }
}
inline std::vector<float> rounded(ElementType type, std::vector<float> values) {
  for (float &x : values)
    x = rounded(type, x);
  return values;
}

/// A device array of F32, F16 or BF16 elements, seen as floats; its start is
/// `before` elements away from 256-byte alignment.
class FloatArray {
public:
  FloatArray(ElementType type, const std::vector<float> &values,
             size_t before = 0)
      : type(type), bytes(pack(type, values), before * elementBytes(type)) {}

  void *data() const { return bytes.data(); }
  std::vector<float> read() const {
    const std::vector<unsigned char> raw = bytes.read();
    const size_t size = elementBytes(type);
    std::vector<float> values(raw.size() / size);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = unpack(raw.data() + i * size);
    return values;
  }
  void write(const std::vector<float> &values) {
    bytes.write(pack(type, values));
  }

private:
  static std::vector<unsigned char> pack(ElementType type,
                                         const std::vector<float> &values) {
    const size_t size = elementBytes(type);
    std::vector<unsigned char> raw(values.size() * size);
    for (size_t i = 0; i < values.size(); ++i) {
      unsigned char *to = raw.data() + i * size;
      if (type == ElementType::F32) {
        std::memcpy(to, &values[i], 4);
      } else if (type == ElementType::F16) {
        __half x = __float2half(values[i]);
        std::memcpy(to, &x, 2);
      } else {
        __nv_bfloat16 x = __float2bfloat16(values[i]);
        std::memcpy(to, &x, 2);
      }
    }
    return raw;
  }
  float unpack(const unsigned char *from) const {
    if (type == ElementType::F32) {
      float x;
      std::memcpy(&x, from, 4);
      return x;
    }
    if (type == ElementType::F16) {
      __half x;
      std::memcpy(&x, from, 2);
      return __half2float(x);
    }
    __nv_bfloat16 x;
    std::memcpy(&x, from, 2);
    return __bfloat162float(x);
  }

  ElementType type;
  DeviceArray<unsigned char> bytes;
};

constexpr ElementType kFloatTypes[] = {ElementType::F32, ElementType::F16,
                                       ElementType::BF16};

} // namespace orrery::kernels

#endif // ORRERY_TEST_KERNELS_CUDA_DEVICEARRAY_H
