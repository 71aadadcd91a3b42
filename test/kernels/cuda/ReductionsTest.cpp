// Column sums and flat reductions on a GPU against the truth.
#include "kernels/cuda/Reductions.h"
#include "kernels/ref/ColumnSum.h"
#include "kernels/ref/FlatReduce.h"
#include "test/kernels/cuda/DeviceArray.h"

using namespace orrery::kernels;

namespace {

// A matrix whose element (r, c) is `values[r * columns + c]`, laid out with the
// strides in memory of `elements`.
std::vector<float> laidOut(const std::vector<float> &values, int64_t columns,
                           int64_t rowStride, int64_t columnStride,
                           int64_t elements) {
  std::vector<float> out(elements, NAN);
  for (size_t i = 0; i < values.size(); ++i)
    out[i / columns * rowStride + i % columns * columnStride] = values[i];
  return out;
}

// Sums, accumulates and sums again: the truth, its double, and the same bits.
void checkColumnSum(ElementType type, int64_t rows, int64_t columns,
                    int64_t rowStride, int64_t columnStride, size_t before) {
  SCOPED_TRACE(std::string(elementName(type)) + " [" + std::to_string(rows) +
               ", " + std::to_string(columns) + "] strides " +
               std::to_string(rowStride) + ", " + std::to_string(columnStride) +
               " off by " + std::to_string(before));
  std::vector<float> values = rounded(type, uniform(rows * columns, 3));
  std::vector<double> truth = ref::columnSum(widen(values), columns);
  const int64_t elements =
      (rows - 1) * rowStride + (columns - 1) * columnStride + 1;
  FloatArray in(type,
                laidOut(values, columns, rowStride, columnStride, elements),
                before);
  const int64_t outStride = 2;
  FloatArray out(ElementType::F32,
                 std::vector<float>(columns * outStride, NAN));
  DeviceArray<unsigned char> scratch(
      cuda::columnSumScratchBytes(rows, columns));
  cuda::ColumnSumArguments a;
  a.sums[0] = {in.data(), static_cast<float *>(out.data())};
  a.rows = rows, a.columns = columns;
  a.rowStride = rowStride, a.columnStride = columnStride;
  a.outStride = outStride;
  auto run = [&](bool accumulate) {
    a.accumulate = accumulate;
    EXPECT_CUDA(cuda::columnSum(type, a, scratch.data(), 0));
    std::vector<float> all = out.read(), sums;
    for (int64_t i = 0; i < columns; ++i) {
      sums.push_back(all[i * outStride]);
      EXPECT_TRUE(std::isnan(all[i * outStride + 1]));
    }
    return sums;
  };
  const std::vector<float> once = run(false);
  expectClose(once, truth, 1e-6, "sum");
  EXPECT_TRUE(once == run(false)) << "another run gave other bits";
  for (double &x : truth)
    x *= 2;
  expectClose(run(true), truth, 1e-6, "accumulated");
}

TEST(CudaColumnSum, SumsRowsOfAnyShape) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    for (int64_t rows : {1, 2, 67, 1000, 4099})
      for (int64_t columns : {1, 3, 8, 63, 64, 131, 768})
        for (size_t before : {0, 1})
          checkColumnSum(type, rows, columns, columns, 1, before);
}

TEST(CudaColumnSum, FollowsStrides) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes) {
    checkColumnSum(type, 100, 40, 48, 1, 0);   // padded rows
    checkColumnSum(type, 100, 40, 43, 1, 0);   // not in 16 bytes
    checkColumnSum(type, 1000, 5, 1, 1000, 0); // transposed
    checkColumnSum(type, 77, 13, 40, 3, 1);
  }
}

TEST(CudaColumnSum, SumsLowMatricesAtOnce) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    for (int64_t rows : {264, 396, 1024, 2049})
      for (int64_t columns : {16, 1600, 6400})
        checkColumnSum(type, rows, columns, columns, 1, 0);
}

TEST(CudaColumnSum, SumsTallMatrices) {
  ORRERY_NEED_CUDA();
  checkColumnSum(ElementType::F32, 32768, 1, 1, 1, 0);
  checkColumnSum(ElementType::BF16, 32768, 96, 96, 1, 0);
  checkColumnSum(ElementType::BF16, 16384, 4800, 4800, 1, 0);
  // More chunks than scratch has: several runs a thread.
  checkColumnSum(ElementType::BF16, 3000001, 1, 1, 1, 0);
  checkColumnSum(ElementType::F32, 300007, 8, 8, 1, 0);
}

// Sums of several matrices in one call: each has the bits that it has alone.
void checkTogether(ElementType type, int count, int64_t rows, int64_t columns,
                   const std::vector<size_t> &before) {
  SCOPED_TRACE(std::string(elementName(type)) + " " + std::to_string(count) +
               " of [" + std::to_string(rows) + ", " + std::to_string(columns) +
               "]");
  std::vector<FloatArray> in, out, alone;
  cuda::ColumnSumArguments together;
  together.count = count;
  together.rows = rows, together.columns = columns;
  together.rowStride = columns;
  DeviceArray<unsigned char> scratch(
      cuda::columnSumScratchBytes(rows, columns, count));
  for (int i = 0; i < count; ++i) {
    in.emplace_back(type, rounded(type, uniform(rows * columns, 5 + i)),
                    before[i]);
    for (std::vector<FloatArray> *to : {&out, &alone})
      to->emplace_back(ElementType::F32, std::vector<float>(columns, NAN));
    together.sums[i] = {in[i].data(), static_cast<float *>(out[i].data())};
    cuda::ColumnSumArguments one = together;
    one.count = 1;
    one.sums[0] = {in[i].data(), static_cast<float *>(alone[i].data())};
    EXPECT_CUDA(cuda::columnSum(type, one, scratch.data(), 0));
  }
  for (bool accumulate : {false, true}) {
    together.accumulate = accumulate;
    EXPECT_CUDA(cuda::columnSum(type, together, scratch.data(), 0));
    for (int i = 0; i < count; ++i) {
      SCOPED_TRACE(i);
      const std::vector<float> sums = out[i].read(), single = alone[i].read();
      std::vector<double> truth = ref::columnSum(
          widen(rounded(type, uniform(rows * columns, 5 + i))), columns);
      if (accumulate)
        for (double &x : truth)
          x *= 2;
      else
        EXPECT_TRUE(sums == single) << "other bits than alone";
      expectClose(sums, truth, 1e-6, "sum");
    }
  }
}

TEST(CudaColumnSum, SumsSeveralMatricesAtOnce) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    for (int count : {1, 2, 3, 4})
      for (int64_t rows : {1, 264, 2100}) // of the last, several chunks
        for (int64_t columns : {3, 64, 520}) {
          checkTogether(type, count, rows, columns, {0, 0, 0, 0});
          checkTogether(type, count, rows, columns, {1, 0, 3, 0});
        }
}

TEST(CudaColumnSum, RefusesTooManyMatrices) {
  cuda::ColumnSumArguments a;
  a.count = cuda::kMaxColumnSums + 1;
  a.rows = a.columns = 1;
  EXPECT_EQ(cuda::columnSum(ElementType::F32, a, nullptr, nullptr),
            cudaErrorInvalidValue);
}

double reduce(FlatReduction what, ElementType type, const FloatArray &in,
              int64_t count) {
  DeviceArray<double> out(1);
  DeviceArray<unsigned char> scratch(cuda::kFlatReduceScratchBytes);
  EXPECT_CUDA(cuda::flatReduce(what, type, in.data(), count, out.data(),
                               scratch.data(), 0));
  return out.read()[0];
}

TEST(CudaFlatReduce, AgreesWithTheTruth) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    for (int64_t count : {1, 2, 7, 63, 64, 65, 4096, 100003, 9000001})
      for (size_t before : {0, 1, 3}) {
        if (count > 1000000 && before == 1)
          continue;
        std::vector<float> values = rounded(type, uniform(count, 4));
        values[count / 2] = -0.0f;
        values[count / 3] = 0;
        FloatArray in(type, values, before);
        const double sum = reduce(FlatReduction::SquareSum, type, in, count);
        const double truth = ref::squareSum(widen(values));
        EXPECT_NEAR(sum, truth, 1e-11 * truth) << count;
        EXPECT_EQ(sum, reduce(FlatReduction::SquareSum, type, in, count));
        EXPECT_EQ(reduce(FlatReduction::CountZeros, type, in, count),
                  ref::countZeros(widen(values)));
        EXPECT_EQ(reduce(FlatReduction::CountNotFinite, type, in, count), 0);
        values[0] = NAN;
        values[count / 4] = INFINITY;
        values[count - 1] = -INFINITY;
        in.write(values);
        EXPECT_EQ(reduce(FlatReduction::CountNotFinite, type, in, count),
                  ref::countNotFinite(widen(values)));
      }
}

TEST(CudaFlatReduce, SquaresDoNotOverflow) {
  ORRERY_NEED_CUDA();
  FloatArray in(ElementType::F32, {3e38f, 1e-30f});
  EXPECT_EQ(reduce(FlatReduction::SquareSum, ElementType::F32, in, 2),
            static_cast<double>(3e38f) * 3e38f);
  FloatArray small(ElementType::F32, {1e-30f});
  EXPECT_EQ(reduce(FlatReduction::SquareSum, ElementType::F32, small, 1),
            static_cast<double>(1e-30f) * 1e-30f);
}

TEST(CudaFlatReduce, OfNothingIsZero) {
  ORRERY_NEED_CUDA();
  FloatArray in(ElementType::F32, {1});
  EXPECT_EQ(reduce(FlatReduction::SquareSum, ElementType::F32, in, 0), 0);
}

} // namespace
