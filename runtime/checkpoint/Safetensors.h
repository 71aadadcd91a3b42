// Reading safetensors files: an 8-byte little-endian header length, a JSON
// header, and the bytes of the tensors, row-major, little-endian.
//
//   {"__metadata__": {"key": "text"},
//    "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
//
// The file is mapped, so that only what is looked at is read. `open` checks
// everything that the header says; afterwards every tensor lies in the file.
#ifndef ORRERY_RUNTIME_CHECKPOINT_SAFETENSORS_H
#define ORRERY_RUNTIME_CHECKPOINT_SAFETENSORS_H

#include "runtime/plan/ParameterShard.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Longest header accepted, as in the format's own reader.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

struct TensorEntry {
  std::string name;
  std::string dtype; ///< as in the file: BOOL, U8, …, F32, F64
  std::vector<int64_t> shape;
  uint64_t begin; ///< bytes from the start of the data
  uint64_t end;
};

class SafetensorsFile {
public:
  /// Maps `path` and checks: header length at most kMaxHeaderBytes and inside
  /// the file; JSON, without repeated keys; known dtypes; sizes not negative;
  /// bytes = shape * element; the ranges of the tensors cover the data
  /// without gaps or overlaps, up to the end of the file. DataLoss names file
  /// and entry, what was expected and what was found. NotFound: no such file.
  static absl::StatusOr<SafetensorsFile> open(const std::string &path);

  /// The same checks over bytes in memory, which must outlive the result.
  /// `name` stands for the path in messages.
  static absl::StatusOr<SafetensorsFile>
  parse(absl::Span<const std::byte> bytes, const std::string &name);

  const std::string &path() const { return name; }
  uint64_t fileBytes() const { return file.size(); }

  /// XXH3_64 of everything before the data: length and header.
  uint64_t headerChecksum() const;

  /// In the order of their data.
  const std::vector<TensorEntry> &tensors() const { return entries; }

  /// The entry of this name, or null.
  const TensorEntry *find(absl::string_view tensor) const;

  /// The texts under __metadata__.
  const std::map<std::string, std::string> &metadata() const { return texts; }

  absl::Span<const std::byte> bytes(const TensorEntry &entry) const {
    return data.subspan(entry.begin, entry.end - entry.begin);
  }

  /// Reads the elements of `box`, given in the coordinates of the entry, into
  /// `out` (row-major F32). InvalidArgument: not a floating-point entry of at
  /// most F32 or F64, or the box leaves it.
  absl::Status readBox(const TensorEntry &entry, const Box &box,
                       float *out) const;

private:
  absl::Status parseHeader();

  std::string name;
  std::shared_ptr<void> mapping;
  absl::Span<const std::byte> file;
  absl::Span<const std::byte> data;
  std::vector<TensorEntry> entries;
  std::map<std::string, size_t, std::less<>> byName;
  std::map<std::string, std::string> texts;
};

/// Bits of one element; 0 for a dtype that is not known.
int64_t dtypeBits(absl::string_view dtype);

/// The plan's type for F32, F16, BF16, F64, I32, I64; else unspecified.
plan::ElementType elementTypeOf(absl::string_view dtype);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_SAFETENSORS_H
