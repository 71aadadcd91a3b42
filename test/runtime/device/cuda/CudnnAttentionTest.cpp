// cuDNN's attention against the truth, and what it is asked for.
#include "runtime/device/cuda/CudnnAttention.h"
#include "runtime/device/cuda/Memory.h"
#include "test/kernels/cuda/AttentionSuite.h"

#include <functional>

namespace orrery::kernels {
namespace {

using runtime::cuda::CudnnAttention;
using runtime::cuda::CudnnOptions;
using runtime::cuda::CudnnPart;
using runtime::cuda::gradientPart;

// Device memory with 256 bytes of a pattern on either side.
class GuardedMemory : public AttentionBackend {
public:
  std::string missing() override {
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess)
      return std::string("no CUDA device: ") + cudaGetErrorString(error);
    absl::Status status = CudnnAttention::create({}).status();
    if (absl::IsNotFound(status) || absl::IsUnimplemented(status))
      return std::string(status.message());
    EXPECT_TRUE(status.ok()) << status;
    return "";
  }
  std::shared_ptr<void> copyIn(const void *from, size_t bytes) override {
    void *base = nullptr;
    EXPECT_EQ(cudaMalloc(&base, bytes + 2 * kGuard), cudaSuccess);
    char *memory = static_cast<char *>(base);
    EXPECT_EQ(cudaMemset(memory, kPattern, bytes + 2 * kGuard), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(memory + kGuard, from, bytes, cudaMemcpyHostToDevice),
              cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return std::shared_ptr<void>(memory + kGuard, [=](void *) {
      expectPattern(memory);
      expectPattern(memory + kGuard + bytes);
      EXPECT_EQ(cudaFree(memory), cudaSuccess);
    });
  }
  bool copyOut(void *to, const void *from, size_t bytes) override {
    cudaError_t error = cudaDeviceSynchronize();
    if (error == cudaSuccess)
      error = cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost);
    EXPECT_EQ(error, cudaSuccess) << cudaGetErrorString(error);
    return error == cudaSuccess;
  }

private:
  static constexpr size_t kGuard = 256;
  static constexpr int kPattern = 0xa5;

  static void expectPattern(const char *guard) {
    unsigned char bytes[kGuard];
    EXPECT_EQ(cudaMemcpy(bytes, guard, kGuard, cudaMemcpyDeviceToHost),
              cudaSuccess);
    for (unsigned char byte : bytes)
      ASSERT_EQ(byte, kPattern) << "written outside of an array";
  }
};

} // namespace

AttentionBackend &attentionBackend() {
  static GuardedMemory memory;
  return memory;
}

namespace {

#define ASSERT_OK(expression)                                                  \
  do {                                                                         \
    absl::Status status_ = (expression);                                       \
    ASSERT_TRUE(status_.ok()) << status_;                                      \
  } while (false)

AttentionForwardArguments forwardOf(const AttentionProblem &p) {
  return {p.shape,
          p.in.tensor(p.qkv, 0),
          p.in.tensor(p.qkv, 1),
          p.in.tensor(p.qkv, 2),
          p.out.tensor(p.o, 0),
          static_cast<float *>(p.lse.at(0))};
}

AttentionBackwardArguments backwardOf(const AttentionProblem &p) {
  const AttentionForwardArguments forward = forwardOf(p);
  return {p.shape,
          forward.q,
          forward.k,
          forward.v,
          forward.o,
          forward.lse,
          p.out.tensor(p.gradO, 0),
          p.in.tensor(p.gradQkv, 0),
          p.in.tensor(p.gradQkv, 1),
          p.in.tensor(p.gradQkv, 2)};
}

// Both passes by cuDNN, enqueued by `launch`, which is given what enqueues.
using Enqueue = std::function<absl::Status(cudaStream_t)>;
void runCudnn(AttentionProblem &p, const CudnnOptions &options,
              const std::function<void(const Enqueue &)> &launch) {
  auto cudnn = CudnnAttention::create(options);
  ASSERT_OK(cudnn.status());
  const AttentionForwardArguments forward = forwardOf(p);
  const AttentionBackwardArguments backward = backwardOf(p);
  ASSERT_TRUE(CudnnAttention::supports(
      p.type, p.shape,
      {forward.q, forward.k, forward.v, forward.o, backward.gradO}));
  auto forwardPlan = (*cudnn)->forward(p.type, forward);
  ASSERT_OK(forwardPlan.status());
  auto backwardPlan = (*cudnn)->backward(p.type, backward);
  ASSERT_OK(backwardPlan.status());
  // The same problem has the same plan.
  EXPECT_EQ(*(*cudnn)->forward(p.type, forward), *forwardPlan);
  EXPECT_EQ(*(*cudnn)->backward(p.type, backward), *backwardPlan);

  const std::vector<unsigned char> poison(
      std::max((*forwardPlan)->workspaceBytes(),
               (*backwardPlan)->workspaceBytes()),
      0xff);
  auto workspace = attentionBackend().copyIn(poison.data(), poison.size());
  launch([&](cudaStream_t stream) {
    absl::Status status =
        (*forwardPlan)->enqueue(forward, workspace.get(), stream);
    status.Update((*backwardPlan)->enqueue(backward, workspace.get(), stream));
    return status;
  });
  p.gotO = p.o.read();
  p.gotLse = p.lse.read();
  p.gotGradQkv = p.gradQkv.read();
}

void once(const Enqueue &enqueue) {
  auto stream = runtime::cuda::createStream(false);
  ASSERT_OK(stream.status());
  ASSERT_OK(enqueue(stream->get()));
  ASSERT_EQ(cudaStreamSynchronize(stream->get()), cudaSuccess);
}

class CudnnCase : public CudaAttention {};

TEST_P(CudnnCase, AgreesWithTheTruth) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  for (bool deterministic : {true, false}) {
    SCOPED_TRACE(deterministic ? "deterministic" : "any order");
    AttentionProblem p(type, c, truth);
    runCudnn(p, {.deterministic = deterministic}, once);
    if (!HasFatalFailure())
      expectTruth(p);
  }
}

TEST_P(CudnnCase, GivesTheSameBitsTwice) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  AttentionProblem first(type, c, truth), second(type, c, truth);
  runCudnn(first, {}, once);
  runCudnn(second, {}, once);
  EXPECT_TRUE(sameResults(first, second));
}

// A head, and some samples, to a call.
TEST_P(CudnnCase, IsTheSameInParts) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  for (int64_t bytes : {int64_t(1), c.s * 1024 * c.n * 2}) {
    AttentionProblem p(type, c, truth);
    runCudnn(p, {.matrixBytes = bytes}, once);
    if (!HasFatalFailure())
      expectTruth(p);
  }
}

TEST_P(CudnnCase, ReplaysInAGraph) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  AttentionProblem p(type, c, truth);
  runCudnn(p, {}, [&](const Enqueue &enqueue) {
    auto stream = runtime::cuda::createStream(false);
    ASSERT_OK(stream.status());
    ASSERT_EQ(
        cudaStreamBeginCapture(stream->get(), cudaStreamCaptureModeThreadLocal),
        cudaSuccess);
    ASSERT_OK(enqueue(stream->get()));
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamEndCapture(stream->get(), &graph), cudaSuccess);
    runtime::cuda::Graph owner(graph);
    cudaGraphExec_t executable = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    runtime::cuda::GraphExec executableOwner(executable);
    for (int replay = 0; replay < 3; ++replay) {
      // What an earlier replay left must not help this one.
      ASSERT_EQ(cudaMemset(p.o.at(0), 0xff, p.out.size * 2), cudaSuccess);
      ASSERT_EQ(cudaMemset(p.gradQkv.at(0), 0xff, p.in.size * 2), cudaSuccess);
      ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
      ASSERT_EQ(cudaGraphLaunch(executable, stream->get()), cudaSuccess);
      ASSERT_EQ(cudaStreamSynchronize(stream->get()), cudaSuccess);
    }
  });
  if (!HasFatalFailure())
    expectTruth(p);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CudnnCase,
    ::testing::Combine(
        ::testing::Values(ElementType::F16, ElementType::BF16),
        ::testing::Values(
            AttentionCase{64, 1, 1, 64, true, 0, false, Layout::Packed},
            AttentionCase{128, 2, 3, 64, false, 0, false, Layout::Packed},
            AttentionCase{100, 2, 3, 96, true, 0, false, Layout::Packed},
            AttentionCase{256, 4, 2, 128, true, 0, false, Layout::Plain},
            AttentionCase{257, 1, 2, 128, false, 0, false, Layout::Plain},
            AttentionCase{130, 2, 2, 80, true, 0, false, Layout::Transposed},
            AttentionCase{16, 2, 2, 32, true, 0, false, Layout::Packed})),
    caseName);

// The rest needs no GPU.

AttentionShape shapeOf(int64_t s, int64_t b, int64_t n, int64_t d) {
  AttentionShape shape;
  shape.sequence = s;
  shape.batch = b;
  shape.heads = n;
  shape.dim = d;
  return shape;
}

TEST(CudnnAttention, SupportsWhatItsKernelsDo) {
  const AttentionTensor tensor = {nullptr, 1024, 256, 64};
  const auto bf16 = ElementType::BF16;
  AttentionShape shape = shapeOf(128, 2, 4, 64);
  EXPECT_TRUE(CudnnAttention::supports(bf16, shape, {tensor}));
  EXPECT_TRUE(CudnnAttention::supports(ElementType::F16, shape, {tensor}));
  EXPECT_FALSE(CudnnAttention::supports(ElementType::F32, shape, {tensor}));
  for (int64_t d : {8, 96, 128})
    EXPECT_TRUE(CudnnAttention::supports(bf16, shapeOf(2, 1, 1, d), {tensor}));
  for (int64_t d : {0, 4, 68, 136})
    EXPECT_FALSE(CudnnAttention::supports(bf16, shapeOf(2, 1, 1, d), {tensor}));
  EXPECT_FALSE(CudnnAttention::supports(bf16, shapeOf(1, 1, 1, 64), {tensor}));
  EXPECT_FALSE(CudnnAttention::supports(bf16, shape,
                                        {tensor, {nullptr, 1020, 256, 64}}));
  AttentionShape dropout = shape, documents = shape;
  dropout.dropout = 0.1;
  documents.documentStrideS = 2;
  EXPECT_FALSE(CudnnAttention::supports(bf16, dropout, {tensor}));
  EXPECT_FALSE(CudnnAttention::supports(bf16, documents, {tensor}));
}

void expectPart(const AttentionShape &shape, int64_t bytes, int64_t samples,
                int64_t heads) {
  const CudnnPart part = gradientPart(shape, {.matrixBytes = bytes});
  EXPECT_EQ(part.samples, samples) << bytes;
  EXPECT_EQ(part.heads, heads) << bytes;
}

TEST(CudnnAttention, CutsAGradientIntoPartsThatFit) {
  const AttentionShape shape = shapeOf(1024, 8, 12, 64); // 2 MiB a head
  const int64_t mib = int64_t(1) << 20;
  expectPart(shape, 1000 * mib, 8, 12);
  expectPart(shape, 191 * mib, 4, 12);
  expectPart(shape, 64 * mib, 2, 12);
  expectPart(shape, 24 * mib, 1, 12);
  expectPart(shape, 23 * mib, 1, 6);
  expectPart(shape, 4 * mib, 1, 2);
  expectPart(shape, 1, 1, 1);
  // lse of [b, n, s] starts at 16 bytes only every fourth head or sample.
  expectPart(shapeOf(1023, 8, 12, 64), 1, 1, 12);
  expectPart(shapeOf(1023, 8, 3, 64), 1, 8, 3);
  EXPECT_EQ(
      gradientPart(shape, {.deterministic = false, .matrixBytes = 1}).samples,
      8);
}

} // namespace
} // namespace orrery::kernels
