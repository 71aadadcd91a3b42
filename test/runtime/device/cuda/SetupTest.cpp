// Choices of setting up that need no GPU.
#include "runtime/comm/local/LocalWorld.h"
#include "runtime/device/cuda/Gpu.h"
#include "runtime/device/cuda/HostImage.h"
#include "runtime/device/cuda/KernelLibrary.h"
#include "runtime/device/cuda/MemoryLedger.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {
namespace {

TEST(GridBlocks, CoverTheRowsUpToSomeWavesOfTheGpu) {
  EXPECT_EQ(gridBlocks(1000, 4, 264), 250);
  EXPECT_EQ(gridBlocks(1001, 4, 264), 251);
  EXPECT_EQ(gridBlocks(1, 4, 264), 1);
  EXPECT_EQ(gridBlocks(0, 4, 264), 1);
  EXPECT_EQ(gridBlocks(int64_t(1) << 40, 4, 264), kWaves * 264);
  EXPECT_EQ(gridBlocks(INT64_MAX, INT64_MAX, 1), 1);
}

absl::Status check(const char *target, bool isPtx, int major, int minor) {
  plan::Target message;
  message.set_name(target);
  return checkTarget(message, isPtx, major, minor);
}

TEST(CheckTarget, MachineCodeNeedsItsMajorVersion) {
  EXPECT_TRUE(check("sm_80", false, 8, 0).ok());
  EXPECT_TRUE(check("sm_80", false, 8, 9).ok());
  EXPECT_FALSE(check("sm_86", false, 8, 0).ok());
  EXPECT_FALSE(check("sm_80", false, 9, 0).ok());
  EXPECT_TRUE(check("sm_90a", false, 9, 0).ok());
  EXPECT_FALSE(check("sm_90a", false, 10, 0).ok());
}

TEST(CheckTarget, PtxRunsOnNewerGpusUnlessItIsOfOneArchitecture) {
  EXPECT_TRUE(check("sm_80", true, 10, 0).ok());
  EXPECT_FALSE(check("sm_90", true, 8, 9).ok());
  EXPECT_FALSE(check("sm_90a", true, 10, 0).ok());
}

TEST(CheckTarget, SaysWhatIsNeededAndWhatIsThere) {
  EXPECT_EQ(check("sm_90", false, 8, 0).message(),
            "the plan has machine code for sm_90, which needs a GPU of compute "
            "capability 9.0 to 9.9; this one has 8.0; compile the job for this "
            "GPU");
  EXPECT_EQ(check("cpu", false, 9, 0).message(),
            "the plan is for 'cpu', not for GPUs");
}

TEST(ChooseDevice, TakesTheRanksPlaceOnItsHost) {
  EXPECT_EQ(*chooseDevice({2, 4}, 8), 2);
  EXPECT_EQ(*chooseDevice({3, 4}, 1), 0); // each rank sees one of its own
  EXPECT_EQ(chooseDevice({3, 4}, 2).status().message(),
            "this host has 4 ranks and 2 GPUs that they see; start at most one "
            "rank for each GPU");
  EXPECT_FALSE(chooseDevice({0, 4}, 0).ok());
}

TEST(WhyNoGpu, SaysWhatIsMissingAndWhatToDo) {
  const char *todo = "; run it on a machine with a GPU for each rank, or "
                     "compile the job with --target=cpu, in float32";
  const std::string none = "the plan is for GPUs, and none is found: ";
  EXPECT_EQ(whyNoGpu(cudaErrorInsufficientDriver, 0).message(),
            none + "this machine has no NVIDIA driver" + todo);
  EXPECT_EQ(whyNoGpu(cudaErrorInitializationError, 13000).message(),
            none + cudaGetErrorString(cudaErrorInitializationError) + todo);
}

TEST(WhyNoGpu, NamesTheVersionThatTheDriverLacks) {
  std::string text(whyNoGpu(cudaErrorInsufficientDriver, 12040).message());
  EXPECT_EQ(text.find("the NVIDIA driver of this machine is for CUDA 12.4 at "
                      "most, orrery-run needs one for CUDA "),
            0u)
      << text;
}

TEST(WhyNoGpu, ShowsTheVariableThatHidesGpus) {
  const char *before = getenv("CUDA_VISIBLE_DEVICES");
  const std::string kept = before ? before : "";
  setenv("CUDA_VISIBLE_DEVICES", "", /*overwrite=*/1);
  std::string text(whyNoGpu(cudaErrorNoDevice, 13000).message());
  if (before)
    setenv("CUDA_VISIBLE_DEVICES", kept.c_str(), 1);
  else
    unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_NE(text.find("shows no GPU, with CUDA_VISIBLE_DEVICES=''"),
            std::string::npos)
      << text;
}

TEST(CheckDistinct, NamesRanksThatShareAGpu) {
  const GpuId a = {1, 2, 3, 4}, b = {1, 2, 3, 5};
  EXPECT_TRUE(checkDistinct({}).ok());
  EXPECT_TRUE(checkDistinct(std::vector<GpuId>{a, b}).ok());
  absl::Status status = checkDistinct(std::vector<GpuId>{b, a, b, b});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "ranks 0 and 2 have the same GPU; start at most "
                              "one rank for each GPU");
}

TEST(CheckApart, LooksAtTheGpusOfAllRanks) {
  for (bool shared : {false, true}) {
    absl::Status status = runLocalRanks(3, [&](CommunicatorFactory &f) {
      Gpu gpu;
      gpu.id[3] = shared ? f.rank() / 2 : f.rank();
      EXPECT_EQ(checkApart(gpu, f.world()).ok(), !shared) << f.rank();
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(BytesText, PicksAFittingUnit) {
  EXPECT_EQ(bytesText(3 * 512), "1.5 KiB");
  EXPECT_EQ(bytesText(int64_t(12) << 20), "12.0 MiB");
  EXPECT_EQ(bytesText(int64_t(80) << 30), "80.00 GiB");
}

TEST(CheckFit, AsksNothingOfAnUnmeasuredGpuButMemory) {
  MemoryLedger ledger; // nothing free
  EXPECT_TRUE(checkFit(ledger, 0, 0, 0).ok());
  absl::Status status = checkFit(ledger, int64_t(3) << 30, int64_t(1) << 20, 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("arena 3.00 GiB, scratch 1.0 MiB"),
            std::string::npos)
      << status;
}

TEST(HostImage, GivesBackWholePagesOnly) {
  const int64_t bytes = int64_t(1) << 36; // more than a test machine has
  absl::StatusOr<HostImage> image = HostImage::create(bytes);
  ASSERT_TRUE(image.ok()) << image.status();
  std::byte *data = image->data();
  std::memset(data + 8000, 7, 16384);
  ASSERT_TRUE(image->release(8000, 20000).ok()); // pages 2 and 3
  EXPECT_EQ(data[8000], std::byte(7));
  EXPECT_EQ(data[8192], std::byte(0));
  EXPECT_EQ(data[16383], std::byte(0));
  EXPECT_EQ(data[16384], std::byte(7));
  ASSERT_TRUE(image->release(100, 200).ok()); // no whole page
  EXPECT_EQ(data[bytes - 1], std::byte(0));
}

} // namespace
} // namespace orrery::runtime::cuda
