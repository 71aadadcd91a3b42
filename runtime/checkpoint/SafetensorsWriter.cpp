// Lays tensors out, then streams header and data.
#include "runtime/checkpoint/SafetensorsWriter.h"

#include "runtime/checkpoint/Safetensors.h"
#include "runtime/plan/AtomicFile.h"

#include "absl/strings/str_cat.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace orrery::runtime {

using Json = nlohmann::json;

static absl::Status checkSource(const TensorSource &tensor) {
  uint64_t bytes = static_cast<uint64_t>(dtypeBits(tensor.dtype)) / 8;
  if (bytes == 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor '", tensor.name, "': dtype '", tensor.dtype, "' is not known"));
  for (int64_t size : tensor.shape)
    bytes *= static_cast<uint64_t>(size);
  if (bytes != tensor.bytes.size())
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", tensor.name, "': its shape needs ", bytes,
                     " bytes, found ", tensor.bytes.size()));
  return absl::OkStatus();
}

absl::Status
writeSafetensors(const std::string &path, std::vector<TensorSource> tensors,
                 const std::map<std::string, std::string> &metadata) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorSource &a, const TensorSource &b) {
                     return dtypeBits(a.dtype) > dtypeBits(b.dtype);
                   });
  Json header = Json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorSource &tensor : tensors) {
    if (absl::Status status = checkSource(tensor); !status.ok())
      return status;
    if (header.contains(tensor.name))
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", tensor.name, "' is given twice"));
    header[tensor.name] = {
        {"dtype", tensor.dtype},
        {"shape", tensor.shape},
        {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i)
    length.push_back(static_cast<char>(uint64_t{text.size()} >> (8 * i)));
  std::vector<absl::string_view> parts = {length, text};
  for (const TensorSource &tensor : tensors)
    parts.push_back({reinterpret_cast<const char *>(tensor.bytes.data()),
                     tensor.bytes.size()});
  return writeFileAtomically(path, parts);
}

} // namespace orrery::runtime
