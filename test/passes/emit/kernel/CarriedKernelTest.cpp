// Generated kernels on this machine's GPU against results that
// write-kernel-cases brought along; needs no compiler.
//
//   CarriedKernelTest FOLDER [GoogleTest's options]
#include "runtime/device/cuda/KernelLibrary.h"
#include "runtime/plan/ElementType.h"
#include "test/passes/emit/kernel/KernelCase.pb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <cuda_fp16.h>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace orrery::runtime::cuda {
namespace {

using test::KernelCase;
using Bytes = std::vector<char>;

constexpr int64_t kCanary = 256; // bytes on either side of a buffer
constexpr char kCanaryByte = 0x5c, kUnwritten = 0x7f;

float decode(plan::ElementType type, const char *from) {
  uint16_t half = 0;
  float number = 0;
  switch (type) {
  case plan::F32:
    std::memcpy(&number, from, 4);
    return number;
  case plan::BF16:
    std::memcpy(&half, from, 2);
    return std::bit_cast<float>(uint32_t(half) << 16);
  case plan::F16:
    std::memcpy(&half, from, 2);
    return __half2float(__half(__half_raw{half}));
  default:
    ADD_FAILURE() << "outputs have no type " << elementName(type);
    return NAN;
  }
}

Bytes initial(const KernelCase::Buffer &buffer) {
  if (buffer.expected().empty())
    return Bytes(buffer.input().begin(), buffer.input().end());
  return Bytes(buffer.expected_size() * elementBytes(buffer.type()),
               kUnwritten);
}

// A buffer on the GPU between canaries, `misalignment` bytes behind a multiple
// of 256.
class GuardedBuffer {
public:
  GuardedBuffer(Bytes bytes, int64_t misalignment)
      : bytes(std::move(bytes)), first(kCanary + misalignment) {
    Bytes image(first + this->bytes.size() + kCanary, kCanaryByte);
    std::copy(this->bytes.begin(), this->bytes.end(), image.begin() + first);
    absl::StatusOr<DeviceMemory> taken =
        allocateDevice(image.size(), "a buffer");
    EXPECT_TRUE(taken.ok()) << taken.status();
    if (!taken.ok())
      return;
    memory = *std::move(taken);
    EXPECT_EQ(cudaMemcpy(memory.get(), image.data(), image.size(),
                         cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  uint64_t address() const {
    return reinterpret_cast<uintptr_t>(memory.get()) + first;
  }
  const Bytes &read() {
    Bytes image(first + bytes.size() + kCanary);
    EXPECT_EQ(cudaMemcpy(image.data(), memory.get(), image.size(),
                         cudaMemcpyDeviceToHost),
              cudaSuccess);
    auto begin = image.begin() + first, end = begin + bytes.size();
    auto isIntact = [](char byte) { return byte == kCanaryByte; };
    EXPECT_TRUE(std::all_of(image.begin(), begin, isIntact) &&
                std::all_of(end, image.end(), isIntact))
        << "the kernel writes outside of its buffers";
    bytes.assign(begin, end);
    return bytes;
  }

private:
  Bytes bytes;
  int64_t first;
  DeviceMemory memory;
};

struct LaunchForm {
  int64_t misalignment = 0;
  int64_t blocks = 0; // 0: as a plan's
  bool inPlace = false;
};

// The outputs; each output shares memory with at most one input.
std::vector<Bytes> launch(const KernelCase &one, const LoadedKernel &kernel,
                          const LaunchForm &form) {
  std::vector<int> place(one.buffers_size());
  std::iota(place.begin(), place.end(), 0);
  std::vector<bool> taken(place.size(), false);
  for (const KernelCase::InPlace &pair : one.in_place()) {
    const int output = static_cast<int>(pair.output());
    if (!form.inPlace || taken[pair.input()] || place[output] != output)
      continue;
    place[output] = static_cast<int>(pair.input());
    taken[pair.input()] = true;
  }
  std::vector<GuardedBuffer> buffers;
  for (const KernelCase::Buffer &buffer : one.buffers())
    buffers.emplace_back(
        initial(buffer),
        form.misalignment
            ? std::max<int64_t>(form.misalignment, elementBytes(buffer.type()))
            : 0);
  Bytes keys(8 * one.scalars_size() + 8, 0);
  for (int i = 0; i < one.scalars_size(); ++i) {
    const uint64_t value = one.scalars(i).value();
    std::memcpy(&keys[8 * i], &value, 8);
  }
  GuardedBuffer keysThere(keys, 0);

  std::vector<uint64_t> values;
  for (int i : place)
    values.push_back(buffers[i].address());
  for (int i = 0; i < one.scalars_size(); ++i)
    values.push_back(one.scalars(i).is_key() ? keysThere.address() + 8 * i
                                             : one.scalars(i).value());
  values.push_back(one.rows());
  std::vector<void *> arguments;
  for (uint64_t &value : values)
    arguments.push_back(&value);
  const dim3 grid(form.blocks ? form.blocks
                              : gridBlocks(one.rows(), kernel.rowsPerBlock,
                                           kernel.resident));
  EXPECT_EQ(cudaLaunchKernel(reinterpret_cast<const void *>(kernel.kernel),
                             grid, dim3(kernel.threads), arguments.data(), 0,
                             nullptr),
            cudaSuccess);
  const cudaError_t ended = cudaDeviceSynchronize();
  EXPECT_EQ(ended, cudaSuccess) << cudaGetErrorString(ended);
  std::vector<Bytes> outputs;
  for (int i = 0; i < one.buffers_size(); ++i) {
    const Bytes &bytes = buffers[place[i]].read();
    if (!one.buffers(i).expected().empty())
      outputs.push_back(bytes);
  }
  return outputs;
}

void expectClose(const KernelCase &one, const std::vector<Bytes> &outputs) {
  size_t next = 0;
  for (const KernelCase::Buffer &buffer : one.buffers()) {
    if (buffer.expected().empty())
      continue;
    const Bytes &bytes = outputs[next];
    double largest = 1, worst = 0;
    for (int i = 0; i < buffer.expected_size(); ++i) {
      const double expected = buffer.expected(i);
      const double actual =
          decode(buffer.type(), &bytes[i * elementBytes(buffer.type())]);
      largest = std::max(largest, std::abs(expected));
      const double error = std::abs(actual - expected);
      worst = std::max(worst, std::isnan(error) ? INFINITY : error);
    }
    EXPECT_LT(worst / largest, one.tolerance()) << "output " << next;
    ++next;
  }
}

class CarriedKernel : public testing::Test {
public:
  explicit CarriedKernel(std::filesystem::path path) : path(std::move(path)) {}

  void TestBody() override {
    KernelCase one;
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(one.ParseFromIstream(&file)) << path;
    ASSERT_GT(one.rows(), 0) << path;
    int count = 0;
    if (cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess)
      GTEST_SKIP() << "no CUDA device: " << cudaGetErrorString(error);
    absl::StatusOr<KernelLibrary> aligned = KernelLibrary::load(one.aligned());
    if (absl::IsFailedPrecondition(aligned.status()))
      GTEST_SKIP() << aligned.status().message();
    ASSERT_TRUE(aligned.ok()) << aligned.status();
    absl::StatusOr<KernelLibrary> odd = KernelLibrary::load(one.misaligned());
    ASSERT_TRUE(odd.ok()) << odd.status();

    const std::vector<Bytes> usual = launch(one, aligned->kernel(0), {});
    expectClose(one, usual);
    for (int64_t blocks : {1, 2, 7, 1000})
      EXPECT_EQ(launch(one, aligned->kernel(0), {.blocks = blocks}), usual)
          << blocks << " blocks";
    EXPECT_EQ(launch(one, aligned->kernel(0), {.inPlace = true}), usual)
        << "in place";
    EXPECT_EQ(launch(one, odd->kernel(0), {.misalignment = one.misalignment()}),
              usual)
        << "misaligned";
  }

private:
  std::filesystem::path path;
};

} // namespace
} // namespace orrery::runtime::cuda

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  if (argc == 2)
    for (const auto &entry :
         std::filesystem::directory_iterator(argv[1], error))
      if (entry.path().extension() == ".case")
        paths.push_back(entry.path());
  if (paths.empty()) {
    std::fprintf(stderr, "usage: CarriedKernelTest FOLDER, with the files that "
                         "write-kernel-cases writes\n");
    return 2;
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path &path : paths)
    testing::RegisterTest(
        "CarriedKernel", path.stem().c_str(), nullptr, nullptr, __FILE__,
        __LINE__, [=]() -> testing::Test * {
          return new orrery::runtime::cuda::CarriedKernel(path);
        });
  return RUN_ALL_TESTS();
}
