// The tensors of one or several safetensors files, with shards put together.
//
// In a file whose metadata has "orrery.shards" an entry is a box of a global
// tensor (CheckpointWriter.h describes the text); without it every entry is a
// whole tensor.
#ifndef ORRERY_RUNTIME_CHECKPOINT_TENSORSET_H
#define ORRERY_RUNTIME_CHECKPOINT_TENSORSET_H

#include "runtime/checkpoint/Manifest.h"
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/checkpoint/TensorBox.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Key of the shard descriptions in a file's metadata.
constexpr char kShardsKey[] = "orrery.shards";

/// One entry of one file: a box of its tensor.
struct TensorPiece {
  std::shared_ptr<const SafetensorsFile> file;
  const TensorEntry *entry;
  Box box;
  std::optional<uint64_t> checksum; ///< XXH3_64 of the entry's bytes
};

struct StoredTensor {
  std::vector<int64_t> shape; ///< global
  std::string dtype;
  std::vector<TensorPiece> pieces;
};

class TensorSet {
public:
  /// One file by itself.
  static absl::StatusOr<TensorSet> openFile(const std::string &path);

  /// The tensors of files that are open. DataLoss: a shard description that
  /// does not fit its entry, files that disagree, shards that do not tile.
  static absl::StatusOr<TensorSet>
  fromFiles(std::vector<std::shared_ptr<const SafetensorsFile>> files);

  /// Every file of the manifest, in `folder`. DataLoss lists what is missing,
  /// has another size or another header than the manifest says.
  static absl::StatusOr<TensorSet> openCheckpoint(const std::string &folder,
                                                  const Manifest &manifest);

  /// By name. The pieces of each tile it: no gap, no overlap.
  const std::map<std::string, StoredTensor> &tensors() const { return byName; }
  const StoredTensor *find(const std::string &name) const;

  /// Compares the checksums of the pieces of `name` that intersect `box`, in
  /// the coordinates of the stored tensor. DataLoss names file and entry.
  absl::Status verify(const std::string &name, const Box &box) const;

  /// Copies what the tensor has of `to.box`; floating-point only.
  void read(const std::string &name, const BoxData<std::byte> &to) const;

private:
  absl::Status add(std::shared_ptr<const SafetensorsFile> file);
  absl::Status checkTiling() const;

  std::map<std::string, StoredTensor> byName;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_TENSORSET_H
