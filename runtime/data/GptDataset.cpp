// Gathers the tokens of a sample from its documents.
#include "runtime/data/GptDataset.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace orrery::runtime {

absl::StatusOr<GptDataset>
GptDataset::open(std::shared_ptr<const IndexedDataset> file,
                 const GptIndexMaps::Request &request, int64_t vocabulary) {
  absl::StatusOr<GptIndexMaps> maps = GptIndexMaps::build(
      request, [file](int64_t document) { return file->size(document); });
  if (!maps.ok())
    return absl::Status(
        maps.status().code(),
        absl::StrCat(file->prefix(), ": ", maps.status().message()));
  GptDataset dataset;
  dataset.file = std::move(file);
  dataset.maps = *std::move(maps);
  dataset.vocabulary = vocabulary;
  return dataset;
}

absl::Status GptDataset::sample(int64_t i, std::span<int64_t> out) const {
  assert(i >= 0 && i < size());
  SamplePosition at = maps.start(maps.shuffled(i));
  while (!out.empty()) {
    const int64_t document = maps.document(at.place);
    const int64_t left = file->size(document) - at.offset;
    const int64_t count = std::min<int64_t>(left, out.size());
    if (absl::Status status = readPiece(document, at.offset, out.first(count));
        !status.ok())
      return status;
    out = out.subspan(count);
    ++at.place;
    at.offset = 0;
  }
  return absl::OkStatus();
}

absl::Status GptDataset::readPiece(int64_t document, int64_t offset,
                                   std::span<int64_t> out) const {
  if (absl::Status status = file->read(document, offset, out); !status.ok())
    return status;
  // Ids become int32 tensors, so that is the limit without a vocabulary.
  const int64_t limit = vocabulary > 0 ? vocabulary : int64_t{1} << 31;
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i] < 0 || out[i] >= limit)
      return absl::InvalidArgumentError(absl::StrCat(
          file->prefix(), ".bin: document ", document, ", position ",
          offset + static_cast<int64_t>(i), ": token ", out[i],
          " is not in the vocabulary of ", limit,
          " tokens; were the token files made with another vocabulary?"));
  return absl::OkStatus();
}

} // namespace orrery::runtime
