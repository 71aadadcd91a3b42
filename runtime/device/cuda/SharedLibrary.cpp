// Opening shared libraries and finding their functions.
#include "runtime/device/cuda/SharedLibrary.h"

#include "absl/strings/str_cat.h"

#include <dlfcn.h>

namespace orrery::runtime {
namespace {

constexpr absl::string_view kToolkitFolder = "/usr/local/cuda/lib64/";

std::string lastReason() {
  const char *reason = dlerror();
  return reason ? reason : "no reason given";
}

} // namespace

absl::StatusOr<SharedLibrary>
SharedLibrary::open(absl::string_view name,
                    std::initializer_list<absl::string_view> files) {
  std::string tried;
  auto attempt = [&](std::string file) -> void * {
    void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      absl::StrAppend(&tried, tried.empty() ? "" : "; ", lastReason());
    return handle;
  };
  for (absl::string_view file : files)
    if (void *handle = attempt(std::string(file)))
      return SharedLibrary(name, std::string(file), handle);
  for (absl::string_view file : files) {
    std::string path = absl::StrCat(kToolkitFolder, file);
    if (void *handle = attempt(path))
      return SharedLibrary(name, path, handle);
  }
  return absl::NotFoundError(
      absl::StrCat("cannot open ", name,
                   ", which plans for GPUs need; looked in the system's "
                   "library path and in ",
                   kToolkitFolder, " (", tried,
                   "); install it or name its folder in LD_LIBRARY_PATH"));
}

absl::StatusOr<void *> SharedLibrary::addressOf(const char *symbol) const {
  void *address = dlsym(handle, symbol);
  if (!address)
    return absl::NotFoundError(absl::StrCat(
        name, " from '", file, "' has no function '", symbol,
        "'; it is older than Orrery expects (", lastReason(), ")"));
  return address;
}

} // namespace orrery::runtime
