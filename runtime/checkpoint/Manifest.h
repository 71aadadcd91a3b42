// manifest.json: what a checkpoint is, which files it has and how to know that
// they are whole.
//
//   {"format": 1,
//    "state": {"step": 20, "optimizer_step": 20, ..., "schedule": {...}},
//    "model": {"num_layers": 4, ...},        fields that must agree on load
//    "optimizer": "ADAM",                    "" when only weights were saved
//    "layout": {"pp": 2, "dp": 1, "tp": 2},  for people
//    "files": [{"name": "rank_00000.safetensors", "bytes": 1234,
//               "header_xxh3": "<16 hex>"}],
//    "xxh3": "<16 hex>"}
//
// "xxh3" is XXH3_64 of the compact dump (sorted keys) of all the rest.
#ifndef ORRERY_RUNTIME_CHECKPOINT_MANIFEST_H
#define ORRERY_RUNTIME_CHECKPOINT_MANIFEST_H

#include "runtime/checkpoint/TrainingState.h"
#include "runtime/plan/Plan.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace orrery::runtime {

constexpr char kManifestName[] = "manifest.json";
constexpr int64_t kCheckpointFormat = 1;

struct FileRecord {
  std::string name; ///< inside the folder, no '/'
  uint64_t bytes = 0;
  uint64_t headerChecksum = 0; ///< SafetensorsFile::headerChecksum
};

struct Manifest {
  TrainingState state;
  std::map<std::string, std::string> model; ///< name -> value as text
  std::string optimizer;
  std::map<std::string, int64_t> layout;
  std::vector<FileRecord> files;
};

/// The fields of the job that decide shapes or the function computed.
std::map<std::string, std::string> modelFields(const job::JobSpec &job);

/// The text of manifest.json. InvalidArgument: a value that JSON cannot hold.
absl::StatusOr<std::string> writeManifest(const Manifest &manifest);

/// Inverse of writeManifest. DataLoss names `path`, the field and what was
/// expected; FailedPrecondition: another format.
absl::StatusOr<Manifest> parseManifest(absl::string_view text,
                                       const std::string &path);

/// "%016x", and back; DataLoss when `text` is not 16 hexadecimal digits.
std::string hexOf(uint64_t checksum);
absl::StatusOr<uint64_t> checksumFromHex(absl::string_view text);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_CHECKPOINT_MANIFEST_H
