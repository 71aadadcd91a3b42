// Which algorithm of the library computes which matrix product: found once by
// measuring, kept in a file beside the plan, the same on all ranks.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMALGORITHMS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMALGORITHMS_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace orrery::runtime::cuda {

/// An algorithm in the library's own form.
struct GemmChoice {
  std::array<uint64_t, 8> algorithm = {};
  bool separateEpilogue = false; // by kernels/cuda/GemmEpilogue.h
  double microseconds = 0;       // as measured; 0: not measured
};

/// Choices by GemmProblem::key(), for one platform: a library version, device
/// and settings. As text:
///
///   orrery matrix products 3
///   platform cuBLASLt 130201, NVIDIA H100 80GB HBM3 of 132 multiprocessors, …
///   <128 hexadecimal digits> fused 212.6 bf16 bf16 NT m 8192 n 3072 …
///   checksum <16 hexadecimal digits>
class GemmAlgorithms {
public:
  GemmAlgorithms() = default;
  explicit GemmAlgorithms(std::string platform) : on(std::move(platform)) {}

  const std::string &platform() const { return on; }
  size_t size() const { return choices.size(); }
  /// Null where there is none.
  const GemmChoice *find(const std::string &key) const;
  void set(const std::string &key, const GemmChoice &choice);

  /// The same text for the same choices.
  std::string text() const;
  /// InvalidArgument for anything that text() did not write.
  static absl::StatusOr<GemmAlgorithms> parse(absl::string_view text);

  /// Writes the text whole or not at all.
  absl::Status save(const std::string &path) const;
  /// NotFound where there is no file. A damaged file is InvalidArgument: tune
  /// again and save over it.
  static absl::StatusOr<GemmAlgorithms> load(const std::string &path);

private:
  std::string on;
  std::map<std::string, GemmChoice> choices;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMALGORITHMS_H
