// Lookup and its gradient on a GPU against the truth.
#include "kernels/cuda/Embedding.h"
#include "kernels/ref/Embedding.h"
#include "test/kernels/cuda/DeviceArray.h"

#include <algorithm>
#include <cmath>

using namespace orrery::kernels;

namespace {

std::vector<int32_t> someIds(int64_t count, int64_t rows) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(Philox4x32::generate(i, 0, 5)[0] % rows);
  return ids;
}

struct Case {
  ElementType type;
  int64_t width, tokens, rows, first;
  int64_t gap;   // unused elements behind each row, of table and vectors
  size_t before; // elements that operands are off their alignment
};

std::vector<Case> someCases() {
  std::vector<Case> cases;
  for (ElementType type : kFloatTypes)
    for (int64_t width : {1, 7, 64, 65, 768, 1032, 4104})
      for (int64_t gap : {0, 3, 8})
        for (size_t before : {0, 1, 4})
          if (width < 1000 || (gap != 3 && before != 4))
            cases.push_back({type, width, 29, 13, 4, gap, before});
  return cases;
}

// Rows of `width` values, `gap` NaNs behind each.
std::vector<float> spread(const std::vector<float> &values, int64_t width,
                          int64_t gap) {
  std::vector<float> out;
  for (size_t i = 0; i < values.size(); i += width) {
    out.insert(out.end(), values.begin() + i, values.begin() + i + width);
    out.insert(out.end(), gap, NAN);
  }
  return out;
}

std::vector<float> gathered(const std::vector<float> &values, int64_t width,
                            int64_t gap) {
  std::vector<float> out;
  for (size_t i = 0; i < values.size(); i += width + gap)
    out.insert(out.end(), values.begin() + i, values.begin() + i + width);
  return out;
}

TEST(CudaEmbedding, LooksUpAShardAndZeroesTheRest) {
  ORRERY_NEED_CUDA();
  for (const Case &c : someCases()) {
    std::vector<float> values = rounded(c.type, uniform(c.rows * c.width, 1));
    std::vector<int32_t> ids = someIds(c.tokens, 23);
    FloatArray table(c.type, spread(values, c.width, c.gap), c.before);
    std::vector<float> unset(c.tokens * (c.width + c.gap), NAN);
    FloatArray out(c.type, unset, c.before);
    DeviceArray<int32_t> at(ids);
    const int64_t stride = c.width + c.gap;
    ASSERT_CUDA(cuda::embedding(
        c.type, {table.data(), c.rows, stride, c.first},
        {1, c.tokens, c.width, at.data(), 0, 1, 0, stride}, out.data(), 0));
    const std::vector<float> found = out.read();
    expectClose(gathered(found, c.width, c.gap),
                ref::embedding(widen(values), c.width, ids, c.first), 0, "out");
    for (size_t i = 0; i < found.size(); ++i) {
      const bool gap = static_cast<int64_t>(i) % stride >= c.width;
      ASSERT_EQ(std::isnan(found[i]), gap) << "element " << i;
    }
  }
}

TEST(CudaEmbedding, FollowsTheStridesOfAGrid) {
  ORRERY_NEED_CUDA();
  // Ids [b, s], vectors [s, b, width].
  const int64_t s = 5, b = 3, width = 8, rows = 11;
  std::vector<float> values = uniform(rows * width, 1);
  std::vector<int32_t> ids = someIds(s * b, rows), transposed(s * b);
  for (int64_t i = 0; i < s; ++i)
    for (int64_t j = 0; j < b; ++j)
      transposed[i * b + j] = ids[j * s + i];
  FloatArray table(ElementType::F32, values);
  FloatArray out(ElementType::F32, std::vector<float>(s * b * width, NAN));
  DeviceArray<int32_t> at(ids);
  ASSERT_CUDA(cuda::embedding(ElementType::F32, {table.data(), rows, width, 0},
                              {s, b, width, at.data(), 1, s, b * width, width},
                              out.data(), 0));
  expectClose(out.read(), ref::embedding(widen(values), width, transposed, 0),
              0, "out");
}

TEST(CudaEmbedding, HasNoFormForIntegers) {
  EXPECT_EQ(cuda::embedding(ElementType::I32, {}, {}, nullptr, 0),
            cudaErrorNotSupported);
}

// Adds gradients of `ids`, twice from the same start; the bits must agree.
void checkGradient(const Case &c, const std::vector<int32_t> &ids) {
  const int64_t tokens = static_cast<int64_t>(ids.size());
  const int64_t stride = c.width + c.gap;
  std::vector<float> before = uniform(c.rows * c.width, 1);
  std::vector<float> gradOut = rounded(c.type, uniform(tokens * c.width, 2));
  std::vector<double> truth = widen(before);
  ref::embeddingGrad(truth, c.width, ids, c.first, widen(gradOut));

  FloatArray grad(ElementType::F32, spread(before, c.width, c.gap), c.before);
  FloatArray vectors(c.type, spread(gradOut, c.width, c.gap), c.before);
  DeviceArray<int32_t> at(ids);
  int64_t bytes = 0;
  ASSERT_CUDA(cuda::embeddingGradScratchBytes(tokens, c.width, c.rows, bytes));
  DeviceArray<unsigned char> scratch(bytes);
  auto run = [&] {
    grad.write(spread(before, c.width, c.gap));
    EXPECT_CUDA(
        cuda::embeddingGrad(c.type, {grad.data(), c.rows, stride, c.first},
                            {1, tokens, c.width, at.data(), 0, 1, 0, stride},
                            vectors.data(), scratch.data(), 0));
    return gathered(grad.read(), c.width, c.gap);
  };
  const std::vector<float> once = run();
  // Sums of n terms in F32; expectClose is relative to the largest sum.
  expectClose(once, truth, 2e-6, "grad");
  EXPECT_TRUE(once == run()) << "another run gave other bits";
}

TEST(CudaEmbeddingGrad, AddsRepeatedTokens) {
  ORRERY_NEED_CUDA();
  for (const Case &c : someCases())
    checkGradient(c, someIds(301, 23));
}

TEST(CudaEmbeddingGrad, SpreadsFrequentTokensOverParts) {
  ORRERY_NEED_CUDA();
  for (int64_t count : {1, 31, 32, 33, 64, 65, 2000}) {
    Case c = {ElementType::BF16, 72, count, 50, 0, 0, 0};
    std::vector<int32_t> same(count, 7); // one row has all tokens
    checkGradient(c, same);
    std::vector<int32_t> mostly = someIds(count, 50);
    for (int64_t i = 0; i < count; i += 3)
      mostly[i] = i % 2 ? 49 : 0;
    checkGradient(c, mostly);
    c.width = 4097; // other part length, scalar path
    checkGradient(c, mostly);
  }
}

TEST(CudaEmbeddingGrad, AddsPositions) {
  ORRERY_NEED_CUDA();
  const int64_t s = 129, b = 4;
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < s * b; ++i)
    ids.push_back(static_cast<int32_t>(i / b));
  for (ElementType type : kFloatTypes)
    checkGradient({type, 768, s * b, s, 0, 0, 0}, ids);
}

TEST(CudaEmbeddingGrad, LeavesOtherShardsAlone) {
  ORRERY_NEED_CUDA();
  for (int64_t rows : {1, 127, 128})
    checkGradient({ElementType::F32, 16, 0, rows, 1000, 0, 0},
                  someIds(500, 1000)); // none is in the shard
}

} // namespace
