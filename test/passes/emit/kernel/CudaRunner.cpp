// Runs kernels on the machine's first GPU.
#include "test/passes/emit/kernel/CudaRunner.h"

#include "llvm/ADT/MapVector.h"

#include <cuda_runtime_api.h>

using namespace mlir;
using namespace orrery::passes;

static void check(cudaError_t status, const char *what) {
  if (status != cudaSuccess)
    stop(std::string(what) + ": " + cudaGetErrorString(status));
}

std::string orrery::passes::whyNoCuda() {
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess)
    return std::string("no CUDA device: ") + cudaGetErrorString(status);
  return count == 0 ? "no CUDA device" : "";
}

namespace {
constexpr size_t kCanary = 256; // bytes on either side of a buffer
constexpr char kCanaryByte = 0x5c;

/// A buffer's bytes on the GPU, `misalignment` behind a multiple of 256.
class DeviceBuffer {
public:
  DeviceBuffer(std::vector<char> &host, int64_t misalignment)
      : host(host), first(kCanary + misalignment),
        image(host.size() + 2 * kCanary + misalignment, kCanaryByte) {
    llvm::copy(host, image.begin() + first);
    check(cudaMalloc(&memory, image.size()), "cudaMalloc");
    check(
        cudaMemcpy(memory, image.data(), image.size(), cudaMemcpyHostToDevice),
        "copy to the GPU");
  }
  DeviceBuffer(const DeviceBuffer &) = delete;
  ~DeviceBuffer() { check(cudaFree(memory), "cudaFree"); }

  void *get() const { return static_cast<char *>(memory) + first; }
  void download() {
    check(
        cudaMemcpy(image.data(), memory, image.size(), cudaMemcpyDeviceToHost),
        "copy from the GPU");
    auto begin = image.begin() + first, end = begin + host.size();
    auto isIntact = [](char byte) { return byte == kCanaryByte; };
    if (!std::all_of(image.begin(), begin, isIntact) ||
        !std::all_of(end, image.end(), isIntact))
      stop("the kernel writes outside of its buffers");
    std::copy(begin, end, host.begin());
  }

private:
  std::vector<char> &host;
  size_t first;
  std::vector<char> image;
  void *memory = nullptr;
};

struct CudaRunner : KernelRunner {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;
  int64_t threads;

  CudaRunner(const std::string &code, const KernelInfo &info)
      : threads(info.threads) {
    check(cudaLibraryLoadData(&library, code.data(), nullptr, nullptr, 0,
                              nullptr, nullptr, 0),
          "cudaLibraryLoadData");
    check(cudaLibraryGetKernel(&kernel, library, info.symbol.c_str()),
          "cudaLibraryGetKernel");
  }
  ~CudaRunner() override {
    check(cudaLibraryUnload(library), "cudaLibraryUnload");
  }
  void run(const Launch &launch) override;
};
} // namespace

void CudaRunner::run(const Launch &launch) {
  llvm::MapVector<std::vector<char> *, std::unique_ptr<DeviceBuffer>> buffers;
  for (auto [buffer, misalignment] :
       llvm::zip_equal(launch.buffers, launch.misalignments))
    if (auto &copy = buffers[buffer]; !copy)
      copy = std::make_unique<DeviceBuffer>(*buffer, misalignment);
  uint64_t *keys = nullptr;
  size_t keyBytes = (launch.scalars.size() + 1) * sizeof(uint64_t);
  check(cudaMalloc(reinterpret_cast<void **>(&keys), keyBytes), "cudaMalloc");
  check(cudaMemcpy(keys, launch.scalars.data(), keyBytes - sizeof(uint64_t),
                   cudaMemcpyHostToDevice),
        "copy of keys");

  std::vector<uint64_t> values;
  for (std::vector<char> *buffer : launch.buffers)
    values.push_back(reinterpret_cast<uintptr_t>(buffers[buffer]->get()));
  for (size_t i = 0; i < launch.scalars.size(); ++i)
    values.push_back(launch.isKey[i] ? reinterpret_cast<uintptr_t>(keys + i)
                                     : launch.scalars[i]);
  values.push_back(launch.rows);
  std::vector<void *> arguments;
  for (uint64_t &value : values)
    arguments.push_back(&value);
  check(cudaLaunchKernel(reinterpret_cast<const void *>(kernel),
                         dim3(launch.blocks), dim3(threads), arguments.data(),
                         0, nullptr),
        "launch");
  check(cudaDeviceSynchronize(), "kernel");
  for (auto &[host, buffer] : buffers)
    buffer->download();
  check(cudaFree(keys), "cudaFree");
}

Backend orrery::passes::cudaBackend() {
  return {KernelDevice::Gpu,
          [](KernelLibrary &library, const KernelInfo &info) -> MadeRunner {
            cudaDeviceProp properties;
            check(cudaGetDeviceProperties(&properties, 0), "properties");
            auto code = library.compile(
                KernelTarget::forGpu("sm_" + std::to_string(properties.major) +
                                     std::to_string(properties.minor)));
            if (failed(code))
              return mlir::failure();
            return {std::make_unique<CudaRunner>(*code, info)};
          }};
}
