// Epilogues of matrix products as kernels of their own, on a GPU.
#include "kernels/cuda/GemmEpilogue.h"
#include "kernels/cuda/RandomFill.h"
#include "test/kernels/cuda/DeviceArray.h"

using namespace orrery::kernels;

namespace {

constexpr double kRoot = 0.7978845608028654, kCubic = 0.044715;

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(kRoot * (x + kCubic * x * x * x)));
}

// The slope by a central difference.
double geluSlope(double x) {
  const double step = 1e-6;
  return (gelu(x + step) - gelu(x - step)) / (2 * step);
}

TEST(CudaGemmEpilogue, AgreesWithTheFormulas) {
  ORRERY_NEED_CUDA();
  const int64_t m = 5, n = 777, ldc = 780, batch = 2, stride = m * ldc + 3;
  for (ElementType type : kFloatTypes) {
    const double tolerance = type == ElementType::F32   ? 1e-6
                             : type == ElementType::F16 ? 1e-3
                                                        : 8e-3;
    const std::vector<float> x = rounded(type, uniform(batch * stride, 1));
    const std::vector<float> bias = rounded(type, uniform(n, 2));
    const std::vector<float> before = rounded(type, uniform(batch * stride, 3));
    for (GemmEpilogue kind :
         {GemmEpilogue::Bias, GemmEpilogue::BiasGelu, GemmEpilogue::GeluGrad}) {
      FloatArray c(type, x), biasAt(type, bias), aux(type, before);
      ASSERT_CUDA(cuda::gemmEpilogue(
          kind, type,
          {c.data(), biasAt.data(), aux.data(), m, n, ldc, batch, stride}, 0));
      std::vector<double> truth = widen(x), auxTruth = widen(before);
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            const int64_t at = b * stride + i * ldc + j;
            if (kind == GemmEpilogue::GeluGrad) {
              truth[at] *= geluSlope(auxTruth[at]);
              continue;
            }
            truth[at] += bias[j];
            if (kind == GemmEpilogue::BiasGelu) {
              auxTruth[at] = truth[at];
              truth[at] = gelu(truth[at]);
            }
          }
      expectClose(c.read(), truth, tolerance, "c");
      expectClose(aux.read(), auxTruth, tolerance, "aux");
    }
  }
}

TEST(CudaRandomFill, IsUniformAndRepeatable) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes) {
    const int64_t count = 100001;
    FloatArray one(type, std::vector<float>(count, NAN));
    FloatArray two(type, std::vector<float>(count, NAN));
    ASSERT_CUDA(cuda::fillRandom(type, one.data(), count, 7, 0));
    ASSERT_CUDA(cuda::fillRandom(type, two.data(), count, 7, 0));
    const std::vector<float> values = one.read();
    EXPECT_TRUE(values == two.read());
    double sum = 0, squares = 0;
    for (float x : values) {
      ASSERT_TRUE(x >= -1 && x <= 1) << x;
      sum += x, squares += x * x;
    }
    EXPECT_NEAR(sum / count, 0, 0.01);
    EXPECT_NEAR(squares / count, 1.0 / 3, 0.01);
  }
}

} // namespace
