// Philox, embedding, reductions, copies and products against the truth.
#include "kernels/cpu/Embedding.h"
#include "kernels/cpu/Gemm.h"
#include "kernels/cpu/Reductions.h"
#include "kernels/cpu/StridedCopy.h"
#include "kernels/ref/ColumnSum.h"
#include "kernels/ref/Dropout.h"
#include "kernels/ref/Embedding.h"
#include "kernels/ref/FlatReduce.h"
#include "kernels/ref/Gemm.h"
#include "test/kernels/Samples.h"

using namespace orrery::kernels;

namespace {

// The vectors that Random123 publishes for philox4x32-10.
TEST(Philox, GivesThePublishedWords) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32::generate(0, 0, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32::generate(~0ull, ~0ull, ~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32::generate(0x85a308d3243f6a88ull, 0x0370734413198a2eull,
                                 0x299f31d0a4093822ull),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Dropout, KeepsTheRightShare) {
  int64_t kept = 0;
  for (uint64_t i = 0; i < 100000; ++i)
    kept += dropoutKeeps(i, 42, dropoutThreshold(0.1));
  EXPECT_NEAR(kept / 1e5, 0.9, 0.005);
}

std::vector<int32_t> someIds(int64_t count, int64_t rows) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(Philox4x32::generate(i, 0, 5)[0] % rows);
  return ids;
}

TEST(Embedding, LooksUpAShardAndZeroesTheRest) {
  for (int64_t width : {1, 7, 64, 65}) {
    const int64_t rows = 13, first = 4, tokens = 29;
    std::vector<float> table = uniform(rows * width, 1);
    std::vector<int32_t> ids = someIds(tokens, 23);
    std::vector<float> out(tokens * width, NAN);
    ASSERT_TRUE(embedding(ElementType::F32, {table.data(), rows, width, first},
                          {1, tokens, width, ids.data(), 0, 1, 0, width},
                          out.data(), 2)
                    .ok());
    expectClose(out, ref::embedding(widen(table), width, ids, first), 0, "out");
  }
}

TEST(EmbeddingGrad, AddsRepeatedTokensInOrder) {
  for (int64_t width : {1, 7, 64, 200}) {
    const int64_t rows = 13, first = 4, tokens = 301;
    std::vector<float> grad = uniform(rows * width, 1);
    std::vector<float> gradOut = uniform(tokens * width, 2);
    std::vector<int32_t> ids = someIds(tokens, 23);
    std::vector<double> truth = widen(grad);
    ref::embeddingGrad(truth, width, ids, first, widen(gradOut));
    std::vector<float> again = grad;
    EmbeddingTokens at = {1, tokens, width, ids.data(), 0, 1, 0, width};
    ASSERT_TRUE(embeddingGrad(ElementType::F32,
                              {grad.data(), rows, width, first}, at,
                              gradOut.data(), 2)
                    .ok());
    expectClose(grad, truth, 1e-6, "grad");
    ASSERT_TRUE(embeddingGrad(ElementType::F32,
                              {again.data(), rows, width, first}, at,
                              gradOut.data(), 1)
                    .ok());
    EXPECT_EQ(grad, again);
  }
}

TEST(ColumnSum, SumsRowsInAFixedOrder) {
  for (int64_t rows : {1, 67, 1000})
    for (int64_t columns : {1, 63, 64, 131}) {
      std::vector<float> in = uniform(rows * columns, 3);
      std::vector<double> truth = ref::columnSum(widen(in), columns);
      std::vector<float> out(columns, NAN);
      ASSERT_TRUE(columnSum(ElementType::F32, in.data(), rows, columns, columns,
                            1, out.data(), 1, false, 2)
                      .ok());
      expectClose(out, truth, 1e-6, "out");
      ASSERT_TRUE(columnSum(ElementType::F32, in.data(), rows, columns, columns,
                            1, out.data(), 1, true, 1)
                      .ok());
      for (double &x : truth)
        x *= 2;
      expectClose(out, truth, 1e-6, "accumulated");
    }
}

TEST(FlatReduce, GivesTheSameBitsForAnyThreads) {
  for (int64_t count : {1, 63, 64, 100003}) {
    std::vector<float> in = uniform(count, 4);
    in[count / 2] = 0;
    double one = 0, two = 0, zeros = 0, bad = -1;
    auto run = [&](FlatReduction what, double *out, int threads) {
      ASSERT_TRUE(
          flatReduce(what, ElementType::F32, in.data(), count, out, threads)
              .ok());
    };
    run(FlatReduction::SquareSum, &one, 1);
    run(FlatReduction::SquareSum, &two, 3);
    EXPECT_EQ(one, two);
    EXPECT_NEAR(one, ref::squareSum(widen(in)), 1e-9 * count);
    run(FlatReduction::CountZeros, &zeros, 2);
    EXPECT_EQ(zeros, ref::countZeros(widen(in)));
    run(FlatReduction::CountNotFinite, &bad, 2);
    EXPECT_EQ(bad, 0);
    in[0] = NAN;
    in[count - 1] = INFINITY;
    run(FlatReduction::CountNotFinite, &bad, 2);
    EXPECT_EQ(bad, count == 1 ? 1 : 2);
  }
}

TEST(StridedCopy, TransposesAndMerges) {
  const int64_t a = 3, b = 5, c = 7;
  std::vector<float> in = uniform(a * b * c, 6), out(a * b * c, NAN);
  CopyPlan plan;
  int64_t shape[] = {a, b, c}, from[] = {b * c, c, 1}, to[] = {1, a, a * b};
  ASSERT_TRUE(planCopy(ElementType::F32, shape, from, to, plan).ok());
  stridedCopy(plan, in.data(), out.data(), 2);
  for (int64_t i = 0; i < a; ++i)
    for (int64_t j = 0; j < b; ++j)
      for (int64_t k = 0; k < c; ++k)
        ASSERT_EQ(out[i + j * a + k * a * b], in[(i * b + j) * c + k]);
  ASSERT_TRUE(planCopy(ElementType::F32, shape, from, from, plan).ok());
  EXPECT_EQ(plan.rank, 1);
  EXPECT_EQ(plan.shape[0], a * b * c);
}

TEST(StridedFill, LeavesTheGapsAlone) {
  std::vector<float> out(20, 1);
  CopyPlan plan;
  int64_t shape[] = {5, 2}, strides[] = {4, 1};
  ASSERT_TRUE(planCopy(ElementType::F32, shape, strides, strides, plan).ok());
  ASSERT_TRUE(stridedFill(plan, ElementType::F32, 2.5, out.data(), 2).ok());
  for (int64_t i = 0; i < 20; ++i)
    EXPECT_EQ(out[i], i % 4 < 2 ? 2.5f : 1.0f);
}

TEST(Gemm, AgreesWithTheTruth) {
  for (int64_t m : {1, 13, 64})
    for (int64_t batch : {1, 3})
      for (int flags = 0; flags < 4; ++flags) {
        const int64_t n = 17, k = 31;
        ref::Gemm truth;
        truth.transposeA = flags & 1;
        truth.transposeB = flags & 2;
        truth.m = m, truth.n = n, truth.k = k;
        truth.lda = (truth.transposeA ? m : k) + 3;
        truth.ldb = (truth.transposeB ? k : n) + 2;
        truth.ldc = n + 1;
        truth.batch = batch;
        truth.strideA = 80 * 70, truth.strideB = 50 * 50, truth.strideC = 1200;
        truth.alpha = 0.5, truth.beta = 0.25;
        std::vector<float> a = uniform(batch * truth.strideA, 1);
        std::vector<float> b = uniform(batch * truth.strideB, 2);
        std::vector<float> c = uniform(batch * truth.strideC, 3);
        std::vector<double> expected = widen(c);
        truth.run(widen(a), widen(b), expected);
        GemmArguments g = {a.data(),
                           b.data(),
                           c.data(),
                           truth.transposeA,
                           truth.transposeB,
                           m,
                           n,
                           k,
                           truth.lda,
                           truth.ldb,
                           truth.ldc,
                           batch,
                           truth.strideA,
                           truth.strideB,
                           truth.strideC,
                           truth.alpha,
                           truth.beta};
        ASSERT_TRUE(gemm(ElementType::F32, g, 2).ok());
        expectClose(c, expected, 1e-5, "c");
      }
}

TEST(Gemm, RefusesSizesBeyondBlas) {
  GemmArguments g;
  g.m = int64_t(1) << 31;
  EXPECT_EQ(gemm(ElementType::F32, g, 1).code(), absl::StatusCode::kOutOfRange);
}

} // namespace
