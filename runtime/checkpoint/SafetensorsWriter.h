// Writing safetensors files (the format is described in Safetensors.h).
#ifndef ORRERY_RUNTIME_CHECKPOINT_SAFETENSORSWRITER_H
#define ORRERY_RUNTIME_CHECKPOINT_SAFETENSORSWRITER_H

#include "absl/status/status.h"
#include "absl/types/span.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace orrery::runtime {

/// A tensor to write: `bytes` are its elements, row-major, little-endian.
struct TensorSource {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  absl::Span<const std::byte> bytes;
};

/// Writes a file through writeFileAtomically, so that it appears whole or not
/// at all. Nothing is copied: the bytes go from the spans to the file. Tensors
/// are put in order of falling element size and the header is padded to a
/// multiple of 64 bytes, so that every tensor is aligned to its elements.
/// InvalidArgument: a repeated name, an unknown dtype, or bytes that do not
/// fit the shape.
absl::Status
writeSafetensors(const std::string &path, std::vector<TensorSource> tensors,
                 const std::map<std::string, std::string> &metadata);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_SAFETENSORSWRITER_H
