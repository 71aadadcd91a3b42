// Philox against its published answers; weights that no layout changes.
#include "runtime/checkpoint/InitialWeights.h"
#include "kernels/ref/Philox.h"
#include "runtime/checkpoint/TensorBox.h"
#include "runtime/plan/RandomKey.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace orrery::runtime {
namespace {

using kernels::Philox4x32;
using test::Tensors;
using test::ToyRun;

using Words = std::array<uint32_t, 4>;

// The known answers of Random123's kat_vectors for philox4x32, 10 rounds.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(Philox4x32::generate(0, 0, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32::generate(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32::generate(0x85a308d3243f6a88, 0x0370734413198a2e,
                                 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(NormalVariate, IsBoxMullerOfTheDocumentedWords) {
  uint64_t key = 0x0123456789abcdef;
  for (uint64_t index : {0, 1, 2, 3, 1000, 1001}) {
    Words words = Philox4x32::generate(index / 2, 0, key);
    double u0 = (words[index % 2 * 2] + 0.5) / 4294967296.0;
    double u1 = (words[index % 2 * 2 + 1] + 0.5) / 4294967296.0;
    EXPECT_DOUBLE_EQ(normalVariate(key, index),
                     std::sqrt(-2 * std::log(u0)) *
                         std::cos(2 * 3.14159265358979323846 * u1));
  }
}

TEST(NormalVariate, HasTheMomentsOfTheNormalDistribution) {
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, last = 0;
  for (int i = 0; i < kCount; ++i) {
    double value = normalVariate(42, i);
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourth += value * value * value * value;
    neighbours += value * last;
    last = value;
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(fourth / kCount, 3, 5 * std::sqrt(96.0 / kCount));
  EXPECT_NEAR(neighbours / kCount, 0, 5 / std::sqrt(kCount));
}

TEST(InitialWeights, DoNotDependOnTheLayout) {
  ToyRun one({.paddedTo = 32});
  one.start();
  bool agree;
  Tensors expected = one.gather(agree);
  ASSERT_TRUE(agree);
  for (test::ToyLayout layout : {test::ToyLayout{.tp = 4, .paddedTo = 8},
                                 {.pp = 2, .tp = 2, .paddedTo = 16},
                                 {.pp = 4, .dp = 2, .paddedTo = 32},
                                 {.dp = 2, .tp = 2, .paddedTo = 16}}) {
    ToyRun run(layout);
    run.start();
    EXPECT_EQ(run.gather(agree), expected);
    EXPECT_TRUE(agree) << "replicas or tied copies differ";
  }
}

TEST(InitialWeights, AreFunctionsOfNameAndGlobalIndex) {
  ToyRun run({.pp = 2, .tp = 2});
  run.start();
  bool agree;
  Tensors tensors = run.gather(agree);
  uint64_t key = randomKey(1234, "layers.3.row", 0);
  const std::vector<float> &row = tensors.at("layers.3.row");
  ASSERT_EQ(row.size(), 8u * 24u);
  for (size_t i = 0; i < row.size(); ++i)
    EXPECT_EQ(row[i], static_cast<float>(0.02 * normalVariate(key, i)));
  EXPECT_EQ(tensors.at("layers.3.norm"), std::vector<float>(8, 1.0f));
  EXPECT_NE(tensors.at("layers.2.row"), row);
}

TEST(InitialWeights, RoundTheMasters) {
  ToyRun run({.tp = 2, .is16Bit = true});
  run.start();
  bool agree;
  Tensors tensors = run.gather(agree);
  uint64_t key = randomKey(1234, "layers.0.row", 0);
  const auto drawn = static_cast<float>(0.02 * normalVariate(key, 5));
  EXPECT_EQ(tensors.at("optimizer.master.layers.0.row")[5], drawn);
  const float rounded = floatFromBfloat16(bfloat16FromFloat(drawn));
  EXPECT_NE(rounded, drawn);
  EXPECT_EQ(tensors.at("layers.0.row")[5], rounded);
}

TEST(InitialWeights, ZeroGradientsStatesAndPadding) {
  ToyRun run(test::ToyLayout{});
  const RankPlan &rank = run.rank(0);
  initializeWeights(rank, run.arena(0));
  for (const plan::Bucket &bucket : rank.rankClass->buckets()) {
    auto values = [&](uint32_t number) {
      const plan::Buffer &buffer =
          rank.rankClass->buffers(static_cast<int>(number));
      std::vector<float> result(bucket.elements());
      std::memcpy(result.data(), run.arena(0) + buffer.offset(),
                  result.size() * 4);
      return result;
    };
    std::vector<float> zeros(bucket.elements(), 0.0f);
    EXPECT_EQ(values(bucket.gradient()), zeros);
    for (const plan::Bucket::State &state : bucket.states())
      EXPECT_EQ(values(state.buffer()), zeros);
  }
  // 4 norms and the final one of 8 elements fill 40 of the 48 of "plain".
  const plan::Bucket &plain = rank.rankClass->buckets(1);
  ASSERT_EQ(plain.elements(), 48u);
  std::vector<float> norms(48);
  std::memcpy(
      norms.data(),
      run.arena(0) +
          rank.rankClass->buffers(static_cast<int>(plain.weight())).offset(),
      norms.size() * 4);
  EXPECT_EQ(norms[39], 1);
  EXPECT_EQ(norms[40], 0);
}

} // namespace
} // namespace orrery::runtime
