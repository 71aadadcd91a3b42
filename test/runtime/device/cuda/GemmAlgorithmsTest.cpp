// Matrix products and choices of algorithms as text; needs no GPU.
#include "runtime/device/cuda/GemmAlgorithms.h"
#include "runtime/device/cuda/GemmProblem.h"

#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>

using namespace orrery::runtime::cuda;
using orrery::kernels::ElementType;
using orrery::kernels::GemmEpilogue;

namespace {

GemmProblem aProblem() {
  GemmProblem p;
  p.type = p.typeC = ElementType::BF16;
  p.transposeB = true;
  p.m = 8192, p.n = 3072, p.k = 768;
  p.lda = p.ldb = 768, p.ldc = 3072;
  p.epilogue = GemmEpilogue::BiasGelu;
  return p;
}

TEST(GemmProblem, IsAKey) {
  EXPECT_EQ(aProblem().key(),
            "bf16 bf16 NT m 8192 n 3072 k 768 ld 768 768 3072 batch 1 0 0 0 "
            "beta 0 bias_gelu align 16 16 16 16 16");
}

TEST(GemmProblem, ComesBackFromItsKey) {
  GemmProblem p = aProblem();
  EXPECT_EQ(*GemmProblem::fromKey(p.key()), p);
  p.epilogue = GemmEpilogue::None;
  p.type = ElementType::F16, p.typeC = ElementType::F32;
  p.transposeA = true, p.transposeB = false;
  p.lda = 8200, p.ldb = 3080, p.ldc = 3073;
  p.batch = 3, p.strideA = 9, p.strideB = 0, p.strideC = 8192 * 3073;
  p.beta = 1;
  p.alignA = 2, p.alignB = 4, p.alignC = 4;
  EXPECT_EQ(*GemmProblem::fromKey(p.key()), p);
}

TEST(GemmProblem, KeepsAlphaOutOfItsKeyAndOfBetaOnlyWhetherItIsZero) {
  GemmProblem p = aProblem(), q = p;
  p.epilogue = q.epilogue = GemmEpilogue::None;
  q.alpha = 0.5;
  EXPECT_EQ(p.key(), q.key());
  p.beta = 1, q.beta = 0.5;
  EXPECT_EQ(p.key(), q.key());
  q.beta = 0;
  EXPECT_NE(p.key(), q.key());
}

TEST(GemmProblem, RefusesTextThatIsNoKey) {
  const std::string key = aProblem().key();
  for (size_t i = 0; i < key.size(); ++i)
    EXPECT_FALSE(GemmProblem::fromKey(key.substr(0, i)).ok()) << i;
  for (const std::string &bad :
       {key + " ", key + " 16", " " + key, "f64" + key.substr(4)})
    EXPECT_FALSE(GemmProblem::fromKey(bad).ok()) << bad;
  for (char c : {'-', '+', ' ', 'x', '9', '\0'}) {
    for (size_t i = 0; i < key.size(); ++i) {
      std::string changed = key;
      changed[i] = c;
      // What is accepted must be a key itself.
      auto problem = GemmProblem::fromKey(changed);
      EXPECT_TRUE(!problem.ok() || problem->key() == changed) << changed;
    }
  }
}

TEST(GemmProblem, ChecksWhatItIsToldToBe) {
  auto isBad = [](auto change) {
    GemmProblem p = aProblem();
    change(p);
    absl::Status status = p.check();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << p.key();
  };
  EXPECT_TRUE(aProblem().check().ok());
  isBad([](GemmProblem &p) { p.k = 0; });
  isBad([](GemmProblem &p) { p.m = int64_t(1) << 31; });
  isBad([](GemmProblem &p) { p.lda = 767; });
  isBad([](GemmProblem &p) { p.transposeB = false; }); // ldb < n
  isBad([](GemmProblem &p) { p.ldc = 3071; });
  isBad([](GemmProblem &p) { p.typeC = ElementType::F16; });
  isBad([](GemmProblem &p) { p.type = p.typeC = ElementType::F64; });
  isBad([](GemmProblem &p) { p.beta = 1; });
  isBad([](GemmProblem &p) { p.alignA = 3; });
  isBad([](GemmProblem &p) { p.typeC = ElementType::F32, p.alignC = 2; });
  isBad([](GemmProblem &p) { p.batch = 2, p.strideC = 3072; });
}

TEST(GemmProblem, KnowsHowFarItsOperandsReach) {
  GemmProblem p = aProblem();
  EXPECT_EQ(p.extentA(), 8192 * 768);
  EXPECT_EQ(p.extentB(), 3072 * 768);
  p.transposeA = true, p.lda = 8200;
  EXPECT_EQ(p.extentA(), 767 * 8200 + 8192);
  p.batch = 3, p.strideA = 100;
  EXPECT_EQ(p.extentA(), 200 + 767 * 8200 + 8192);
}

TEST(Alignment, IsAPowerOfTwoUpToSixteen) {
  EXPECT_EQ(alignmentOf(0), 16);
  EXPECT_EQ(alignmentOf(256), 16);
  EXPECT_EQ(alignmentOf(24), 8);
  EXPECT_EQ(alignmentOf(36), 4);
  EXPECT_EQ(alignmentOf(1030), 2);
}

GemmAlgorithms someAlgorithms() {
  GemmAlgorithms algorithms("a library, a GPU");
  GemmProblem p = aProblem();
  algorithms.set(p.key(), {{1, 2, 0xfedcba9876543210}, false, 212.6});
  p.m = 4;
  algorithms.set(p.key(), {{~0ull}, true, 0});
  return algorithms;
}

TEST(GemmAlgorithms, ComeBackFromTheirText) {
  const GemmAlgorithms algorithms = someAlgorithms();
  auto parsed = GemmAlgorithms::parse(algorithms.text());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->platform(), "a library, a GPU");
  EXPECT_EQ(parsed->size(), 2u);
  EXPECT_EQ(parsed->text(), algorithms.text());
  const GemmChoice *choice = parsed->find(aProblem().key());
  ASSERT_NE(choice, nullptr);
  EXPECT_EQ(choice->algorithm[2], 0xfedcba9876543210);
  EXPECT_FALSE(choice->separateEpilogue);
  EXPECT_EQ(choice->microseconds, 212.6);
}

TEST(GemmAlgorithms, RefuseTextThatIsNotTheirs) {
  const std::string text = someAlgorithms().text();
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(GemmAlgorithms::parse(text.substr(0, i)).ok()) << i;
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_FALSE(GemmAlgorithms::parse(changed).ok()) << i;
  }
  EXPECT_FALSE(GemmAlgorithms::parse("checksum 0\n").ok());
}

TEST(GemmAlgorithms, SurviveAFile) {
  const std::string path = testing::TempDir() + "gemm-algorithms-test";
  std::remove(path.c_str());
  EXPECT_EQ(GemmAlgorithms::load(path).status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(someAlgorithms().save(path).ok());
  auto loaded = GemmAlgorithms::load(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->text(), someAlgorithms().text());
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(GemmAlgorithms::load(path).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::remove(path.c_str());
}

} // namespace
