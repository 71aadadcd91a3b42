// Matrix products by cuBLASLt on a GPU against the truth.
#include "runtime/device/cuda/Gemm.h"
#include "kernels/ref/Gemm.h"
#include "runtime/device/cuda/GemmAgreement.h"
#include "runtime/device/cuda/GemmSearch.h"
#include "test/kernels/cuda/DeviceArray.h"

#include "absl/strings/str_cat.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace orrery::kernels;
using namespace orrery::runtime::cuda;

namespace {

constexpr double kRoot = 0.7978845608028654, kCubic = 0.044715;

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(kRoot * (x + kCubic * x * x * x)));
}
double geluSlope(double x) {
  const double t = std::tanh(kRoot * (x + kCubic * x * x * x));
  return 0.5 * (1 + t) +
         0.5 * x * (1 - t * t) * kRoot * (1 + 3 * kCubic * x * x);
}

// Relative to the largest result: the rounding of C, and sums in F32.
double toleranceOf(ElementType typeC) {
  return typeC == ElementType::F32   ? 4e-6
         : typeC == ElementType::F16 ? 1e-3
                                     : 8e-3;
}

class CudaGemm : public testing::Test {
protected:
  void SetUp() override {
    ORRERY_NEED_CUDA();
    auto blas = CublasLt::get();
    if (!blas.ok())
      GTEST_SKIP() << blas.status();
    ASSERT_NO_FATAL_FAILURE(open(**blas, GemmOptions()));
  }
  void open(const CublasLt &blas, const GemmOptions &options) {
    auto created = GemmLibrary::create(blas, options);
    ASSERT_TRUE(created.ok()) << created.status();
    library = std::move(*created);
    algorithms = GemmAlgorithms();
  }

  // C and aux as they should be, from what they were.
  static void expectation(const GemmProblem &p, const std::vector<float> &a,
                          const std::vector<float> &b,
                          const std::vector<float> &bias,
                          std::vector<double> &c, std::vector<double> &aux) {
    ref::Gemm truth;
    truth.transposeA = p.transposeA, truth.transposeB = p.transposeB;
    truth.m = p.m, truth.n = p.n, truth.k = p.k;
    truth.lda = p.lda, truth.ldb = p.ldb, truth.ldc = p.ldc;
    truth.batch = p.batch;
    truth.strideA = p.strideA, truth.strideB = p.strideB;
    truth.strideC = p.strideC;
    truth.alpha = p.alpha, truth.beta = p.beta;
    truth.run(widen(a), widen(b), c);
    for (int64_t x = 0; x < p.batch; ++x)
      for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) {
          const int64_t at = x * p.strideC + i * p.ldc + j;
          if (p.hasBias())
            c[at] += bias[j];
          if (p.epilogue == GemmEpilogue::BiasGelu) {
            aux[at] = c[at];
            c[at] = gelu(c[at]);
          } else if (p.epilogue == GemmEpilogue::GeluGrad) {
            c[at] *= geluSlope(aux[at]);
          }
        }
  }

  // Prepares, runs twice, compares with the truth and with itself. With
  // `overwrite` C holds nothing that the runs may read.
  void check(const GemmProblem &p, bool overwrite = false) {
    SCOPED_TRACE(p.key());
    auto gemm = library->prepare(p, algorithms);
    ASSERT_TRUE(gemm.ok()) << gemm.status();
    const std::vector<float> a = rounded(p.type, uniform(p.extentA(), 1));
    const std::vector<float> b = rounded(p.type, uniform(p.extentB(), 2));
    std::vector<float> c = rounded(p.typeC, uniform(p.extentC(), 3));
    const std::vector<float> bias = rounded(p.typeC, uniform(p.n, 4));
    const std::vector<float> aux = rounded(p.typeC, uniform(p.extentC(), 5));
    std::vector<double> truth = widen(c), auxTruth = widen(aux);
    GemmProblem asked = p;
    if (overwrite) {
      asked.beta = 0;
      std::fill(c.begin(), c.end(), std::numeric_limits<float>::quiet_NaN());
    }
    expectation(asked, a, b, bias, truth, auxTruth);

    auto off = [](ElementType type, int64_t alignment) -> size_t {
      return alignment % 16 / elementBytes(type);
    };
    FloatArray atA(p.type, a, off(p.type, p.alignA));
    FloatArray atB(p.type, b, off(p.type, p.alignB));
    FloatArray atC(p.typeC, c, off(p.typeC, p.alignC));
    FloatArray atBias(p.typeC, bias, off(p.typeC, p.alignBias));
    FloatArray atAux(p.typeC, aux, off(p.typeC, p.alignAux));
    DeviceArray<unsigned char> workspace((*gemm)->workspaceBytes());
    const GemmPointers at = {atA.data(),    atB.data(),   atC.data(),
                             atBias.data(), atAux.data(), overwrite};
    auto run = [&] {
      atC.write(c);
      atAux.write(aux);
      absl::Status status = (*gemm)->run(at, workspace.data(), nullptr);
      EXPECT_TRUE(status.ok()) << status;
      return atC.read();
    };
    const std::vector<float> once = run();
    expectClose(once, truth, toleranceOf(p.typeC), "c");
    expectClose(atAux.read(), auxTruth, toleranceOf(p.typeC), "aux");
    EXPECT_TRUE(once == run()) << "another run gave other bits";
  }

  std::unique_ptr<GemmLibrary> library;
  GemmAlgorithms algorithms;
};

struct Types {
  ElementType type, typeC;
};
constexpr Types kTypes[] = {{ElementType::F32, ElementType::F32},
                            {ElementType::F16, ElementType::F16},
                            {ElementType::F16, ElementType::F32},
                            {ElementType::BF16, ElementType::BF16},
                            {ElementType::BF16, ElementType::F32}};

struct Sizes {
  int64_t m, n, k;
};

// Rows `gap` elements longer than they need to be.
GemmProblem problemOf(Types types, int transposes, Sizes sizes, int64_t gap) {
  GemmProblem p;
  p.type = types.type, p.typeC = types.typeC;
  p.transposeA = transposes & 1, p.transposeB = transposes & 2;
  p.m = sizes.m, p.n = sizes.n, p.k = sizes.k;
  p.lda = (p.transposeA ? p.m : p.k) + gap;
  p.ldb = (p.transposeB ? p.k : p.n) + gap;
  p.ldc = p.n + gap;
  return p;
}

TEST_F(CudaGemm, ComputesAllTransposesAndTypes) {
  for (Types types : kTypes)
    for (int transposes = 0; transposes < 4; ++transposes)
      for (Sizes sizes : {Sizes{64, 64, 64},
                          {128, 256, 96},
                          {1, 1, 1},
                          {13, 17, 31},
                          {1, 129, 64},
                          {129, 1, 64},
                          {64, 72, 1},
                          {200, 130, 70}})
        for (int64_t gap : {0, 8, 3})
          check(problemOf(types, transposes, sizes, gap));
}

TEST_F(CudaGemm, AddsToWhatIsThere) {
  for (Types types : kTypes)
    for (Sizes sizes : {Sizes{96, 64, 512}, {31, 33, 200}}) {
      GemmProblem p = problemOf(types, 1, sizes, 0); // a weight's gradient
      p.alpha = 0.5, p.beta = 1;
      check(p);
      check(p, /*overwrite=*/true);
      p.beta = 0.25;
      check(p);
    }
}

TEST_F(CudaGemm, MultipliesBatches) {
  for (Types types : kTypes)
    for (int transposes = 0; transposes < 4; ++transposes)
      for (int64_t off : {0, 1}) {
        GemmProblem p = problemOf(types, transposes, {48, 40, 56}, 0);
        p.batch = 5;
        p.strideA = 48 * 56 + off, p.strideB = 40 * 56 + off;
        p.strideC = 48 * 40 + 8 * off;
        check(p);
        p.strideB = 0; // one matrix for all
        p.beta = 1;
        check(p);
      }
  // Heads beside each other: rows of a product are rows of the whole.
  GemmProblem p = problemOf(kTypes[3], 2, {32, 24, 64}, 0);
  p.batch = 4, p.lda = 256, p.strideA = 64, p.ldb = 256, p.strideB = 64;
  p.strideC = 32 * 24;
  check(p);
}

TEST_F(CudaGemm, AppliesEpilogues) {
  for (Types types : kTypes)
    for (GemmEpilogue epilogue :
         {GemmEpilogue::Bias, GemmEpilogue::BiasGelu, GemmEpilogue::GeluGrad})
      for (int transposes : {0, 2})
        for (Sizes sizes : {Sizes{64, 128, 96}, {256, 768, 192}, {37, 53, 29}})
          for (int64_t gap : {0, 8}) {
            GemmProblem p = problemOf(types, transposes, sizes, gap);
            p.epilogue = epilogue;
            check(p);
          }
}

// Pieces of a product: rows of several parts of A, one B and
// one bias, results between those of other pieces or behind each other.
TEST_F(CudaGemm, AppliesEpiloguesToBatches) {
  for (Types types : kTypes)
    for (GemmEpilogue epilogue :
         {GemmEpilogue::None, GemmEpilogue::Bias, GemmEpilogue::BiasGelu,
          GemmEpilogue::GeluGrad})
      for (int transposes : {0, 2})
        for (Sizes sizes : {Sizes{128, 256, 64}, {37, 56, 24}})
          for (bool apart : {false, true}) {
            GemmProblem p = problemOf(types, transposes, sizes, 0);
            p.epilogue = epilogue;
            p.batch = 3;
            p.strideA = 2 * p.m * p.lda;
            p.strideC = (apart ? 2 : 1) * p.m * p.ldc;
            check(p);
          }
}

TEST_F(CudaGemm, TakesAddressesOfAnyAlignment) {
  for (Types types : kTypes)
    for (int64_t alignment : {2, 4, 8}) {
      GemmProblem p = problemOf(types, 2, {64, 128, 96}, 0);
      if (alignment < elementBytes(p.type))
        continue;
      p.alignA = alignment;
      check(p);
      p.alignB = alignment;
      if (alignment >= elementBytes(p.typeC))
        p.alignC = p.alignBias = p.alignAux = alignment;
      check(p);
      p.epilogue = GemmEpilogue::BiasGelu;
      check(p);
    }
}

TEST_F(CudaGemm, RefusesAddressesThatAreLessAlignedThanItWasTold) {
  GemmProblem p = problemOf(kTypes[3], 0, {64, 64, 64}, 0);
  auto gemm = library->prepare(p, algorithms);
  ASSERT_TRUE(gemm.ok()) << gemm.status();
  FloatArray matrix(p.type, uniform(64 * 64, 1), 1);
  absl::Status status =
      (*gemm)->run({matrix.data(), matrix.data(), matrix.data()}, nullptr, 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST_F(CudaGemm, EveryCandidateIsRight) {
  for (Types types : {kTypes[0], kTypes[3], kTypes[4]})
    for (Sizes sizes : {Sizes{64, 128, 4096}, {58, 40, 1000}}) {
      GemmProblem p = problemOf(types, 1, sizes, 0);
      p.beta = 1;
      auto choices = library->candidates(p);
      ASSERT_TRUE(choices.ok()) << choices.status();
      for (const GemmChoice &choice : *choices) {
        GemmAlgorithms one(library->platform());
        one.set(p.key(), choice);
        auto fresh = GemmLibrary::create(**CublasLt::get(), GemmOptions());
        ASSERT_TRUE(fresh.ok()) << fresh.status();
        std::swap(algorithms, one);
        std::swap(library, *fresh);
        check(p);
        std::swap(library, *fresh);
        std::swap(algorithms, one);
      }
    }
}

TEST_F(CudaGemm, ChoosesOnceAndKeepsTheChoice) {
  std::vector<GemmProblem> problems;
  for (Types types : kTypes)
    for (int transposes : {0, 1, 2}) {
      problems.push_back(problemOf(types, transposes, {512, 768, 256}, 0));
      problems.push_back(problemOf(types, transposes, {65, 33, 17}, 0));
    }
  problems.push_back(problemOf(kTypes[3], 2, {512, 768, 256}, 0));
  problems.back().epilogue = GemmEpilogue::BiasGelu;
  problems.push_back(problems.back()); // twice: measured once
  absl::Status status = library->choose(problems, algorithms);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(algorithms.platform(), library->platform());
  EXPECT_EQ(algorithms.size(), problems.size() - 1);
  for (const GemmProblem &p : problems)
    check(p);

  const std::string text = algorithms.text();
  auto again = GemmAlgorithms::parse(text);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(library->choose(problems, *again).ok());
  EXPECT_EQ(again->text(), text); // nothing was measured again

  GemmAlgorithms other("another GPU");
  other.set(problems[0].key(), {{1, 2, 3}, false, 1});
  ASSERT_TRUE(library->choose({&problems[0], 1}, other).ok());
  EXPECT_EQ(other.platform(), library->platform());
  EXPECT_NE(other.find(problems[0].key())->algorithm[2], 3u);
}

TEST_F(CudaGemm, ReplacesAnAlgorithmThatTheLibraryDoesNotTake) {
  const GemmProblem p = problemOf(kTypes[3], 2, {64, 64, 64}, 0);
  ASSERT_TRUE(library->choose({&p, 1}, algorithms).ok());
  GemmChoice bad = *algorithms.find(p.key());
  bad.algorithm = {}; // no such algorithm
  algorithms.set(p.key(), bad);
  EXPECT_FALSE(library->prepare(p, algorithms).ok());
  ASSERT_TRUE(library->choose({&p, 1}, algorithms).ok());
  EXPECT_NE(algorithms.find(p.key())->algorithm, bad.algorithm);
  check(p);
}

// Ways that the library does not propose, but takes.
TEST_F(CudaGemm, SearchedWaysGiveWhatProposalsGive) {
  for (Types types : {kTypes[3], kTypes[4]})
    for (int transposes : {1, 2}) {
      GemmProblem p = problemOf(types, transposes, {1024, 768, 512}, 0);
      if (types.typeC == ElementType::F32)
        p.beta = 1;
      else if (transposes == 2)
        p.epilogue = GemmEpilogue::BiasGelu;
      SCOPED_TRACE(p.key());
      auto proposals = library->candidates(p);
      ASSERT_TRUE(proposals.ok()) << proposals.status();
      auto first = library->prepareChoice(p, proposals->front());
      ASSERT_TRUE(first.ok()) << first.status();
      const int64_t workspace = int64_t(64) << 20;
      auto operands = GemmOperands::create(p, workspace, nullptr);
      ASSERT_TRUE(operands.ok()) << operands.status();
      int taken = 0;
      GemmSearch search(library->functions(), p, library->multiprocessors());
      search.run(*proposals, 20, [&](const GemmChoice &choice) {
        auto way = library->prepareChoice(p, choice);
        if (!way.ok() || ++taken % 8 != 0) // a part, for time
          return std::optional<double>(way.ok() ? std::optional(1.0)
                                                : std::nullopt);
        auto same = agree(**first, **way, *operands, nullptr);
        EXPECT_TRUE(same.ok() && *same) << same.status();
        return std::optional(1.0);
      });
      EXPECT_GT(taken, 100);
    }
}

// Long enough to be searched.
TEST_F(CudaGemm, KeepsSearchedChoicesForRunsThatDoNotSearch) {
  const GemmProblem p = problemOf(kTypes[3], 2, {4096, 2304, 4096}, 0);
  GemmAlgorithms searched;
  ASSERT_TRUE(library->choose({&p, 1}, searched).ok());
  const std::string text = searched.text();
  GemmOptions options;
  options.searchSeconds = 0;
  auto other = GemmLibrary::create(**CublasLt::get(), options);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE((*other)->accepts(searched));
  ASSERT_TRUE((*other)->choose({&p, 1}, searched).ok());
  EXPECT_EQ(searched.text(), text);
  GemmAlgorithms proposed;
  ASSERT_TRUE((*other)->choose({&p, 1}, proposed).ok());
  EXPECT_FALSE(library->accepts(proposed));
}

TEST_F(CudaGemm, TellsResultsThatDisagree) {
  const GemmProblem p = problemOf(kTypes[3], 2, {64, 96, 128}, 0);
  GemmProblem doubled = p;
  doubled.alpha = 2;
  auto one = library->prepare(p, algorithms);
  auto other = library->prepare(doubled, algorithms);
  ASSERT_TRUE(one.ok() && other.ok());
  auto operands = GemmOperands::create(p, (*one)->workspaceBytes(), nullptr);
  ASSERT_TRUE(operands.ok()) << operands.status();
  EXPECT_TRUE(*agree(**one, **one, *operands, nullptr));
  EXPECT_FALSE(*agree(**one, **other, *operands, nullptr));
}

TEST_F(CudaGemm, CanBeCaptured) {
  for (bool fused : {false, true}) {
    // Rows of aux that are no multiple of 8 need an epilogue of their own.
    GemmProblem p = problemOf(kTypes[3], 2, {64, fused ? 96 : 97, 64}, 0);
    p.epilogue = GemmEpilogue::BiasGelu;
    auto gemm = library->prepare(p, algorithms);
    ASSERT_TRUE(gemm.ok()) << gemm.status();
    FloatArray a(p.type, uniform(p.extentA(), 1));
    FloatArray b(p.type, uniform(p.extentB(), 2));
    const std::vector<float> unset(p.extentC(), NAN);
    FloatArray c(p.typeC, unset), bias(p.typeC, uniform(p.n, 4));
    FloatArray aux(p.typeC, unset);
    DeviceArray<unsigned char> workspace((*gemm)->workspaceBytes());
    const GemmPointers at = {a.data(), b.data(), c.data(), bias.data(),
                             aux.data()};
    cudaStream_t stream;
    ASSERT_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    ASSERT_TRUE((*gemm)->run(at, workspace.data(), stream).ok());
    ASSERT_CUDA(cudaStreamSynchronize(stream));
    const std::vector<float> direct = c.read();
    c.write(unset);
    ASSERT_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    absl::Status status = (*gemm)->run(at, workspace.data(), stream);
    cudaGraph_t graph = nullptr;
    ASSERT_CUDA(cudaStreamEndCapture(stream, &graph));
    ASSERT_TRUE(status.ok()) << status;
    cudaGraphExec_t exec = nullptr;
    ASSERT_CUDA(cudaGraphInstantiate(&exec, graph, 0));
    ASSERT_CUDA(cudaGraphLaunch(exec, stream));
    ASSERT_CUDA(cudaStreamSynchronize(stream));
    EXPECT_TRUE(c.read() == direct);
    ASSERT_CUDA(cudaGraphExecDestroy(exec));
    ASSERT_CUDA(cudaGraphDestroy(graph));
    ASSERT_CUDA(cudaStreamDestroy(stream));
  }
}

TEST_F(CudaGemm, RoundsOperandsOnlyWhenAllowedTo) {
  // 1 + 2^-12 is 1 in TF32.
  const int64_t size = 256;
  GemmProblem p = problemOf(kTypes[0], 0, {size, size, size}, 0);
  FloatArray a(p.type, std::vector<float>(size * size, 1 + 0x1p-12f));
  FloatArray b(p.type, std::vector<float>(size * size, 1));
  FloatArray c(p.type, std::vector<float>(size * size, NAN));
  auto gemm = library->prepare(p, algorithms);
  ASSERT_TRUE(gemm.ok()) << gemm.status();
  DeviceArray<unsigned char> workspace((*gemm)->workspaceBytes());
  ASSERT_TRUE(
      (*gemm)->run({a.data(), b.data(), c.data()}, workspace.data(), 0).ok());
  EXPECT_EQ(c.read()[0], size * (1 + 0x1p-12f));
}

} // namespace
