// A file mapped read-only into memory.
#ifndef ORRERY_RUNTIME_DATA_MAPPEDFILE_H
#define ORRERY_RUNTIME_DATA_MAPPEDFILE_H

#include "absl/status/statusor.h"

#include <cstddef>
#include <span>
#include <string>

namespace orrery::runtime {

/// Read-only mapping of a whole file; unmapped on destruction. The mapping
/// follows the file: a file that another process truncates while it is mapped
/// raises SIGBUS on access, so token files must not be rewritten in place
/// (IndexedDatasetWriter replaces them by rename).
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Errors: NotFound when there is no such file, InvalidArgument when `path`
  /// is not a regular file, Internal for other failures of the system.
  static absl::StatusOr<MappedFile> open(const std::string &path);

  std::span<const std::byte> bytes() const { return {data, length}; }

private:
  const std::byte *data = nullptr;
  size_t length = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_MAPPEDFILE_H
