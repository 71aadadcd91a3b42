// The samples of one token file and one split, in the order of training.
#ifndef ORRERY_RUNTIME_DATA_GPTDATASET_H
#define ORRERY_RUNTIME_DATA_GPTDATASET_H

#include "runtime/data/GptIndexMaps.h"
#include "runtime/data/IndexedDataset.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <span>

namespace orrery::runtime {

/// A range of items of a token file, cut and shuffled by GptIndexMaps. As in
/// the original a "document" of the maps is an *item* of the file.
class GptDataset {
public:
  /// `request` as for GptIndexMaps; `vocabulary`: tokens must be below it,
  /// 0 when it is unknown.
  static absl::StatusOr<GptDataset>
  open(std::shared_ptr<const IndexedDataset> file,
       const GptIndexMaps::Request &request, int64_t vocabulary);

  /// At least the samples asked for; the last epoch is whole.
  int64_t size() const { return maps.numSamples(); }
  const GptIndexMaps &indexMaps() const { return maps; }

  /// The S + 1 tokens of the i-th sample, 0 <= i < size(). Errors:
  /// InvalidArgument when a token is negative or not in the vocabulary; names
  /// file, document, position, value and limit.
  absl::Status sample(int64_t i, std::span<int64_t> out) const;

private:
  absl::Status readPiece(int64_t document, int64_t offset,
                         std::span<int64_t> out) const;

  std::shared_ptr<const IndexedDataset> file;
  GptIndexMaps maps;
  int64_t vocabulary = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_GPTDATASET_H
