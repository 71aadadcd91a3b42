// Libraries that are opened when they are needed, so that programs start on
// machines without them.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_SHAREDLIBRARY_H
#define ORRERY_RUNTIME_DEVICE_CUDA_SHAREDLIBRARY_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <initializer_list>
#include <string>
#include <utility>

namespace orrery::runtime {

/// An open library. It stays open until the process ends: GPU libraries keep
/// threads and exit handlers of their own.
class SharedLibrary {
public:
  /// Opens the first of `files` that the system's linker can open
  /// (LD_LIBRARY_PATH, ld.so.cache), else the first that it can open in the
  /// CUDA toolkit's usual folder, /usr/local/cuda/lib64. NotFound names the
  /// library, and for every file and place the linker's reason:
  ///
  ///   auto blas = SharedLibrary::open(
  ///       "cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"});
  static absl::StatusOr<SharedLibrary>
  open(absl::string_view name, std::initializer_list<absl::string_view> files);

  /// Sets `function` to the library's `symbol`. NotFound names both. The type
  /// is the caller's to get right, best as `decltype(&cublasLtCreate)`.
  template <typename Function>
  absl::Status find(const char *symbol, Function *&function) const {
    absl::StatusOr<void *> address = addressOf(symbol);
    if (!address.ok())
      return address.status();
    function = reinterpret_cast<Function *>(*address);
    return absl::OkStatus();
  }

  /// What was opened, as given to the linker.
  const std::string &path() const { return file; }

private:
  SharedLibrary(absl::string_view name, std::string file, void *handle)
      : name(name), file(std::move(file)), handle(handle) {}
  absl::StatusOr<void *> addressOf(const char *symbol) const;

  std::string name; // for people
  std::string file;
  void *handle;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CUDA_SHAREDLIBRARY_H
