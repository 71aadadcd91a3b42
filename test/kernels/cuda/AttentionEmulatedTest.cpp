// The attention kernels for GPUs, run on the host: AttentionEmulator.h.
#include "test/kernels/cuda/AttentionEmulator.h"

#include "kernels/cuda/attention/Attention.cu"
#include "kernels/cuda/attention/Fma.cu"
#include "kernels/cuda/attention/MmaForward.cu"
#include "kernels/cuda/attention/MmaGradKv.cu"
#include "kernels/cuda/attention/MmaGradQ.cu"
#include "test/kernels/cuda/AttentionSuite.h"

namespace orrery::kernels {

namespace {

// Memory that ends at a page which may not be touched, or, where an end aligned
// to 16 bytes leaves room, at less than 16 bytes before one.
class HostPages : public AttentionBackend {
public:
  std::string missing() override { return ""; }
  std::shared_ptr<void> copyIn(const void *from, size_t bytes) override {
    const size_t room = (bytes + 15) / 16 * 16;
    const size_t size = (room + 4095) / 4096 * 4096;
    auto *pages =
        static_cast<char *>(mmap(nullptr, size + 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(pages + size, 4096, PROT_NONE), 0);
    std::memset(pages, 0xff, size);
    char *data = pages + size - room;
    std::memcpy(data, from, bytes);
    return std::shared_ptr<void>(data,
                                 [=](void *) { munmap(pages, size + 4096); });
  }
  bool copyOut(void *to, const void *from, size_t bytes) override {
    std::memcpy(to, from, bytes);
    return true;
  }
};

cuda::flash::Emulation &emulation() {
  return cuda::flash::Emulator::instance().options;
}

} // namespace

AttentionBackend &attentionBackend() {
  static HostPages pages;
  return pages;
}

TEST_P(CudaAttention, AgreesWithTheTruthInAnyOrderOfWarpsAndCopies) {
  const auto &[type, c] = GetParam();
  SCOPED_TRACE(c);
  const ref::Attention truth = attentionTruth(c);
  emulation() = {};
  AttentionProblem first(type, c, truth);
  first.run();
  expectTruth(first);
  emulation() = {.descendingWarps = true, .lateCopies = true};
  AttentionProblem second(type, c, truth);
  second.run();
  EXPECT_TRUE(sameResults(first, second));
}

INSTANTIATE_TEST_SUITE_P(
    Emulated, CudaAttention,
    ::testing::Combine(
        kAttentionTypes,
        ::testing::Values(
            AttentionCase{1, 1, 1, 8, true, 0, false, Layout::Packed},
            AttentionCase{7, 2, 2, 40, true, 0.1, false, Layout::Odd},
            AttentionCase{64, 1, 2, 64, true, 0, false, Layout::Packed},
            AttentionCase{130, 1, 1, 64, false, 0.1, false, Layout::Packed},
            AttentionCase{257, 1, 1, 64, true, 0.1, false, Layout::Plain},
            AttentionCase{200, 2, 1, 80, true, 0.1, true, Layout::Packed},
            AttentionCase{130, 1, 1, 96, false, 0, true, Layout::Transposed},
            AttentionCase{132, 1, 1, 128, true, 0.1, false, Layout::Packed},
            AttentionCase{70, 1, 1, 160, true, 0.1, false, Layout::Packed},
            AttentionCase{66, 1, 1, 250, false, 0, true, Layout::Odd})),
    caseName);

TEST(CudaAttentionDropout, KeepsWhatTheRuleKeeps) {
  emulation() = {};
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16})
    for (int64_t s : {64, 70, 97}) {
      SCOPED_TRACE(std::string(elementName(type)) + " s=" + std::to_string(s));
      expectExactMask(type, s, s == 70);
    }
}

TEST(CudaAttentionNan, IsCarried) {
  emulation() = {};
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16})
    expectNanIsCarried(type);
}

TEST(CudaAttentionEmulator, RoundsToNearestEven) {
  using namespace cuda::flash;
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const Half half = {static_cast<uint16_t>(bits)};
    ASSERT_EQ(roundBits<Half>(widen(half)), bits);
  }
  EXPECT_EQ(roundBits<Half>(1 + 0.00048828125f), 0x3c00);  // tie, to even
  EXPECT_EQ(roundBits<Half>(1 + 0.00146484375f), 0x3c02);  // tie, to even
  EXPECT_EQ(roundBits<Half>(1 + 0.00049f), 0x3c01);        // above the tie
  EXPECT_EQ(roundBits<Bfloat16>(1 + 0.00390625f), 0x3f80); // tie, to even
  EXPECT_EQ(roundBits<Bfloat16>(1 + 0.0117188f), 0x3f82);
}

} // namespace orrery::kernels
