// The order in which GPT samples are cut from documents and visited.
//
// Documents are strung together epoch after epoch in shuffled order and cut
// into samples of S + 1 tokens, of which the last is the first of the next
// sample; then the samples are visited in shuffled order. Three maps hold this
// (the names are the originals'):
//
//   doc_idx      documents in the order in which they are strung together
//   sample_idx   rows of (position in doc_idx, token in that document) at
//                which each sample begins; one row more than samples
//   shuffle_idx  the sample that is visited i-th
//
// Example: documents of 5, 3, 9 and 4 tokens, S = 4, 5 samples, seed 1234.
// T = 21 tokens give (21 - 1) / 4 = 5 samples in one epoch.
//
// Source: Megatron-LM megatron/data/gpt_dataset.py
// (_build_index_mappings) and helpers.cpp (build_sample_idx).
#ifndef ORRERY_RUNTIME_DATA_GPTINDEXMAPS_H
#define ORRERY_RUNTIME_DATA_GPTINDEXMAPS_H

#include "absl/status/statusor.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace orrery::runtime {

class NumpyRandom;

/// A token: position in doc_idx and offset in the document found there.
struct SamplePosition {
  int64_t place = 0;
  int64_t offset = 0;
  bool operator==(const SamplePosition &) const = default;
};

/// The three maps, equal to the originals' bit for bit. Every rank builds them
/// in memory from sizes and seed alone; no cache file can be stale. Memory:
/// 4 bytes for each document of each epoch, 4 for each sample, and 16 for each
/// 64th sample, whose neighbours are found by walking from it.
///
/// Where the original stops with "last epoch number of samples exceeded max
/// value" (an epoch boundary inside a sample lets the last epoch hold one more
/// sample than an epoch alone), the maps here go on: the last epoch is then
/// nearly whole and is shuffled together with the others, as the original does
/// for every last epoch of at least 80 %.
class GptIndexMaps {
public:
  struct Request {
    int64_t firstDocument = 0; // range [firstDocument, lastDocument)
    int64_t lastDocument = 0;
    int64_t sequenceLength = 0; // S
    int64_t samples = 0;        // at least so many; the last epoch is whole
    uint64_t seed = 0;
  };
  /// Tokens of a document; called repeatedly, also after build().
  using DocumentSize = std::function<int64_t(int64_t document)>;

  /// Errors: InvalidArgument when the documents hold too few tokens for any
  /// number of epochs to give a sample, when a map would outgrow its 32-bit
  /// entries, or when the seed is no 32-bit number.
  static absl::StatusOr<GptIndexMaps> build(const Request &request,
                                            DocumentSize documentSize);

  int64_t numSamples() const { return static_cast<int64_t>(shuffle.size()); }
  int64_t numEpochs() const { return epochs; }
  bool separateLastEpoch() const { return separate; }
  /// doc_idx[place], 0 <= place < numPlaces().
  int64_t document(int64_t place) const { return documents[place]; }
  int64_t numPlaces() const { return static_cast<int64_t>(documents.size()); }
  /// shuffle_idx[i], 0 <= i < numSamples().
  int64_t shuffled(int64_t i) const { return shuffle[i]; }
  /// sample_idx[sample], 0 <= sample <= numSamples().
  SamplePosition start(int64_t sample) const;

private:
  /// Where the sample after the one at `from` begins.
  SamplePosition advance(SamplePosition from) const;
  absl::Status countEpochs(const Request &request);
  void orderDocuments(const Request &request, NumpyRandom &random);
  void markSamples(int64_t samples);
  void orderSamples(int64_t samples, NumpyRandom &random);

  DocumentSize documentSize;
  int64_t sequenceLength = 0;
  int64_t tokensPerEpoch = 0; // T
  int64_t epochs = 0;         // E
  bool separate = false;
  std::vector<int32_t> documents;
  std::vector<uint32_t> shuffle;
  std::vector<SamplePosition> marks; // start(0), start(64), start(128), …
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_GPTINDEXMAPS_H
