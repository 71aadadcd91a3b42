// memfd, dlopen, dlsym.
#include "runtime/device/cpu/KernelModule.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cpu/CpuFeatures.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace orrery::runtime {
namespace {

absl::Status writeAll(int file, const std::string &bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot map the plan's ", bytes.size(),
                       " bytes of kernels: ", std::strerror(errno)));
    written += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<KernelModule> KernelModule::load(const plan::Plan &plan) {
  if (absl::Status status = checkTarget(plan.target(), machineFeatures());
      !status.ok())
    return status;
  KernelModule module;
  if (plan.kernels().empty())
    return module;
  int file = memfd_create("orrery-kernels", MFD_CLOEXEC);
  if (file < 0)
    return absl::InternalError(
        absl::StrCat("memfd_create: ", std::strerror(errno)));
  absl::Status status = writeAll(file, plan.kernel_object());
  if (status.ok()) {
    std::string path = absl::StrCat("/proc/self/fd/", file);
    module.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!module.handle)
      status = absl::DataLossError(
          absl::StrCat("cannot load the plan's kernels: ", dlerror()));
  }
  close(file); // the mapping stays
  if (!status.ok())
    return status;
  for (const plan::Kernel &kernel : plan.kernels()) {
    void *symbol = dlsym(module.handle, kernel.symbol().c_str());
    if (!symbol)
      return absl::NotFoundError(absl::StrCat(
          "the plan's object has no kernel '", kernel.symbol(), "'"));
    module.functions.push_back(reinterpret_cast<KernelFunction>(symbol));
  }
  return module;
}

KernelModule &KernelModule::operator=(KernelModule &&other) noexcept {
  std::swap(handle, other.handle);
  std::swap(functions, other.functions);
  return *this;
}

KernelModule::~KernelModule() {
  if (handle)
    dlclose(handle);
}

} // namespace orrery::runtime
