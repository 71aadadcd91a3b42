// cudaLibraryLoadData, kernels by name, occupancy.
#include "runtime/device/cuda/KernelLibrary.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

constexpr absl::string_view kElf = "\x7f"
                                   "ELF";

absl::Status checkDevice(const plan::Plan &plan) {
  int device = 0, major = 0, minor = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
                                   device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor,
                                   device);
  if (error != cudaSuccess)
    return toStatus(error, "cannot ask for the GPU's compute capability");
  return checkTarget(plan.target(),
                     !absl::StartsWith(plan.kernel_object(), kElf), major,
                     minor);
}

// Loads the kernel's code, too: a lazily loaded one must not come up while a
// graph is captured.
absl::StatusOr<LoadedKernel> loadKernel(cudaLibrary_t library,
                                        const plan::Kernel &from) {
  LoadedKernel loaded;
  loaded.threads = from.threads();
  loaded.rowsPerBlock = from.rows_per_block();
  if (cudaLibraryGetKernel(&loaded.kernel, library, from.symbol().c_str()) !=
      cudaSuccess) {
    cudaGetLastError(); // not sticky; the status says it
    return absl::NotFoundError(
        absl::StrCat("the plan's object has no kernel '", from.symbol(), "'"));
  }
  int device = 0, processors = 0, blocks = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount,
                                   device);
  if (error == cudaSuccess)
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &blocks, reinterpret_cast<const void *>(loaded.kernel),
        static_cast<int>(from.threads()), 0);
  if (error != cudaSuccess)
    return toStatus(error,
                    absl::StrCat("cannot load kernel '", from.symbol(), "'"));
  if (blocks < 1)
    return absl::FailedPreconditionError(
        absl::StrCat("kernel '", from.symbol(), "' with ", from.threads(),
                     " threads a block does not fit this GPU"));
  loaded.resident = int64_t(processors) * blocks;
  return loaded;
}

} // namespace

int64_t gridBlocks(int64_t rows, int64_t rowsPerBlock, int64_t resident) {
  const int64_t wanted =
      rows / rowsPerBlock + (rows % rowsPerBlock != 0 ? 1 : 0);
  return std::max<int64_t>(1, std::min(wanted, kWaves * resident));
}

absl::Status checkTarget(const plan::Target &target, bool isPtx, int major,
                         int minor) {
  absl::string_view name = target.name();
  int version = 0;
  const bool exact = absl::ConsumeSuffix(&name, "a");
  if (!absl::ConsumePrefix(&name, "sm_") || !absl::SimpleAtoi(name, &version))
    return absl::FailedPreconditionError(
        absl::StrCat("the plan is for '", target.name(), "', not for GPUs"));
  const int here = 10 * major + minor;
  bool runs = here >= version;
  if (exact)
    runs = here == version;
  else if (!isPtx)
    runs = runs && version / 10 == major;
  if (runs)
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the plan has ", isPtx ? "PTX" : "machine code", " for ", target.name(),
      ", which needs a GPU of compute capability ", version / 10, ".",
      version % 10,
      exact   ? ""
      : isPtx ? " or higher"
              : absl::StrCat(" to ", version / 10, ".9"),
      "; this one has ", major, ".", minor, "; compile the job for this GPU"));
}

absl::StatusOr<KernelLibrary> KernelLibrary::load(const plan::Plan &plan) {
  if (absl::Status status = checkDevice(plan); !status.ok())
    return status;
  KernelLibrary result;
  if (plan.kernels().empty())
    return result;
  char log[2048] = "";
  cudaJitOption options[] = {cudaJitErrorLogBuffer,
                             cudaJitErrorLogBufferSizeBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  cudaLibrary_t library = nullptr;
  if (cudaError_t error =
          cudaLibraryLoadData(&library, plan.kernel_object().c_str(), options,
                              values, 2, nullptr, nullptr, 0);
      error != cudaSuccess)
    return toStatus(error, absl::StrCat("cannot load the plan's kernels",
                                        log[0] ? ": " : "", log));
  result.code = Owned<cudaLibrary_t, cudaLibraryUnload>(library);
  for (const plan::Kernel &kernel : plan.kernels()) {
    absl::StatusOr<LoadedKernel> loaded = loadKernel(library, kernel);
    if (!loaded.ok())
      return loaded.status();
    result.kernels.push_back(*loaded);
  }
  return result;
}

} // namespace orrery::runtime::cuda
