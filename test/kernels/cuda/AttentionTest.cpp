// Attention on a GPU against the truth.
#include "test/kernels/cuda/AttentionSuite.h"
#include "test/kernels/cuda/DeviceArray.h"

namespace orrery::kernels {

namespace {

class DeviceMemory : public AttentionBackend {
public:
  std::string missing() override { return noCudaDevice(); }
  std::shared_ptr<void> copyIn(const void *from, size_t bytes) override {
    const auto *begin = static_cast<const unsigned char *>(from);
    auto array = std::make_shared<DeviceArray<unsigned char>>(
        std::vector<unsigned char>(begin, begin + bytes));
    return std::shared_ptr<void>(array, array->data());
  }
  bool copyOut(void *to, const void *from, size_t bytes) override {
    cudaError_t error = cudaDeviceSynchronize();
    if (error == cudaSuccess)
      error = cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost);
    EXPECT_EQ(error, cudaSuccess) << cudaGetErrorString(error);
    return error == cudaSuccess;
  }
};

} // namespace

AttentionBackend &attentionBackend() {
  static DeviceMemory memory;
  return memory;
}

TEST_P(CudaAttention, AgreesWithTheTruthAndItself) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  AttentionProblem first(type, c, truth), second(type, c, truth);
  first.run();
  second.run();
  if (HasFatalFailure())
    return;
  expectTruth(first);
  EXPECT_TRUE(sameResults(first, second));
}

// What the kernels tell apart: the width D that rows of d are padded to (64,
// 96, 128, 256), with dropout or without it, rows of whole 16 bytes or of any
// (odd layouts and sizes), documents or none, and tiles (32 to 128 positions)
// that are seen in full, in part or not at all.
std::vector<AttentionCase> deviceCases() {
  std::vector<AttentionCase> cases = {
      // A sequence of one position, of less than a warp's rows, of one tile.
      {1, 1, 1, 8, true, 0, false, Layout::Packed},
      {1, 2, 2, 160, false, 0.1, true, Layout::Plain},
      {7, 2, 3, 40, true, 0.1, false, Layout::Odd},
      {31, 2, 1, 1, true, 0.1, false, Layout::Packed},
      {33, 1, 2, 255, false, 0.5, false, Layout::Odd},
      {64, 1, 2, 64, false, 0, false, Layout::Packed},
      {128, 1, 1, 96, true, 0.1, false, Layout::Transposed},
      // Many tiles.
      {777, 1, 2, 64, true, 0.1, true, Layout::Packed},
      {1024, 1, 1, 128, true, 0, false, Layout::Packed}};
  struct {
    int64_t full, part; // d that fills a row of D, and one that does not
  } widths[] = {{64, 40}, {96, 80}, {128, 104}, {256, 160}};
  for (auto [full, part] : widths) {
    cases.push_back({257, 1, 2, full, true, 0, false, Layout::Packed});
    cases.push_back({130, 2, 1, full, false, 0.1, true, Layout::Transposed});
    cases.push_back({130, 1, 2, part, true, 0.1, true, Layout::Plain});
    cases.push_back({257, 2, 1, part, false, 0, false, Layout::Plain});
    cases.push_back({70, 1, 2, part - 3, true, 0, true, Layout::Odd});
    cases.push_back({193, 1, 1, part, true, 0.1, false, Layout::Odd});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Device, CudaAttention,
                         ::testing::Combine(kAttentionTypes,
                                            ::testing::ValuesIn(deviceCases())),
                         caseName);

TEST(CudaAttentionDropout, KeepsWhatTheRuleKeeps) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    for (int64_t s : {64, 70, 97, 128, 255, 256})
      for (bool causal : {false, true}) {
        SCOPED_TRACE(std::string(elementName(type)) +
                     " s=" + std::to_string(s));
        expectExactMask(type, s, causal);
      }
}

TEST(CudaAttentionNan, IsCarried) {
  ORRERY_NEED_CUDA();
  for (ElementType type : kFloatTypes)
    expectNanIsCarried(type);
}

// What only the key in device memory changes must change a captured launch.
TEST(CudaAttentionGraph, ReadsTheKeyWhenItRuns) {
  ORRERY_NEED_CUDA();
  const AttentionCase c = {64, 1, 1, 64, true, 0.5, false, Layout::Packed};
  ref::Attention truth = attentionTruth(c);
  AttentionProblem p(ElementType::BF16, c, truth);
  const AttentionForwardArguments forward = {p.shape,
                                             p.in.tensor(p.qkv, 0),
                                             p.in.tensor(p.qkv, 1),
                                             p.in.tensor(p.qkv, 2),
                                             p.out.tensor(p.o, 0),
                                             static_cast<float *>(p.lse.at(0))};
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  ASSERT_CUDA(cudaStreamCreate(&stream));
  ASSERT_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  ASSERT_CUDA(cuda::attention(ElementType::BF16, forward,
                              static_cast<const uint64_t *>(p.key.get()),
                              nullptr, stream));
  ASSERT_CUDA(cudaStreamEndCapture(stream, &graph));
  ASSERT_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  const std::vector<float> qkv = p.qkv.values();
  for (uint64_t key : {uint64_t(5), uint64_t(6)}) {
    truth.key = key;
    ASSERT_CUDA(
        cudaMemcpy(p.key.get(), &key, sizeof(key), cudaMemcpyHostToDevice));
    ASSERT_CUDA(cudaGraphLaunch(executable, stream));
    ASSERT_CUDA(cudaStreamSynchronize(stream));
    std::vector<double> o, lse;
    truth.forward(p.in.part(qkv, 0), p.in.part(qkv, 1), p.in.part(qkv, 2), o,
                  lse);
    expectNear(p.out.part(p.o.read(), 0), o, 1.5e-2, "o");
  }
  ASSERT_CUDA(cudaGraphExecDestroy(executable));
  ASSERT_CUDA(cudaGraphDestroy(graph));
  ASSERT_CUDA(cudaStreamDestroy(stream));
}

// Needs no device: nothing is launched.
TEST(CudaAttentionArguments, AreChecked) {
  AttentionForwardArguments arguments;
  arguments.shape.sequence = arguments.shape.batch = 4;
  arguments.shape.heads = arguments.shape.dim = 4;
  auto run = [&](ElementType type = ElementType::F32) {
    return cuda::attention(type, arguments, nullptr, nullptr, nullptr);
  };
  EXPECT_EQ(run(ElementType::F64), cudaErrorNotSupported);
  arguments.shape.dim = 257;
  EXPECT_EQ(run(), cudaErrorInvalidValue);
  arguments.shape.dim = 4;
  arguments.shape.dropout = 1;
  EXPECT_EQ(run(), cudaErrorInvalidValue);
  arguments.shape.dropout = 0.5; // and no key
  EXPECT_EQ(run(), cudaErrorInvalidValue);
  arguments.shape.dropout = 0;
  arguments.shape.scale = 0;
  EXPECT_EQ(run(), cudaErrorInvalidValue);
  arguments.shape.scale = 1;
  arguments.shape.sequence = 0;
  EXPECT_EQ(run(), cudaErrorInvalidValue);
}

TEST(CudaAttentionArguments, ScratchIsTheStatisticsOfPaddedQueries) {
  AttentionShape shape;
  shape.sequence = 100;
  shape.batch = 2;
  shape.heads = 3;
  EXPECT_EQ(cuda::attentionScratchBytes(ElementType::BF16, shape, false), 0);
  EXPECT_EQ(cuda::attentionScratchBytes(ElementType::BF16, shape, true), 6144);
}

} // namespace orrery::kernels
