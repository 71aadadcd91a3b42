// Builds doc_idx, sample_idx and shuffle_idx.
#include "runtime/data/GptIndexMaps.h"

#include "runtime/data/Mt19937.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cassert>
#include <limits>
#include <numeric>
#include <utility>

namespace orrery::runtime {

namespace {

constexpr int64_t markInterval = 64;
constexpr int64_t maxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t maxUint32 = std::numeric_limits<uint32_t>::max();

/// Samples that `epochs` epochs of `tokens` tokens give: one token less, as
/// every sample shares its last token with the next.
int64_t samplesIn(int64_t epochs, int64_t tokens, int64_t sequenceLength) {
  return epochs * tokens < 1 ? 0 : (epochs * tokens - 1) / sequenceLength;
}

} // namespace

absl::StatusOr<GptIndexMaps> GptIndexMaps::build(const Request &request,
                                                 DocumentSize documentSize) {
  assert(request.firstDocument >= 0 && request.sequenceLength > 0 &&
         request.samples >= 0);
  if (request.seed > static_cast<uint64_t>(maxUint32))
    return absl::InvalidArgumentError(absl::StrCat(
        "seed ", request.seed,
        " is too large for the data order, the limit is ", maxUint32));
  GptIndexMaps maps;
  maps.documentSize = std::move(documentSize);
  maps.sequenceLength = request.sequenceLength;
  for (int64_t d = request.firstDocument; d < request.lastDocument; ++d)
    maps.tokensPerEpoch += maps.documentSize(d);
  if (absl::Status status = maps.countEpochs(request); !status.ok())
    return status;

  // One stream of random numbers serves both shuffles, documents first.
  NumpyRandom random(static_cast<uint32_t>(request.seed));
  const int64_t samples =
      samplesIn(maps.epochs, maps.tokensPerEpoch, request.sequenceLength);
  maps.orderDocuments(request, random);
  maps.markSamples(samples);
  maps.orderSamples(samples, random);
  return maps;
}

absl::Status GptIndexMaps::countEpochs(const Request &request) {
  const int64_t s = request.sequenceLength;
  const int64_t count = request.lastDocument - request.firstDocument;
  if (count < 1 || tokensPerEpoch < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "documents [", request.firstDocument, ", ", request.lastDocument,
        ") hold no tokens; at least 1 is needed"));
  if (request.samples > (std::numeric_limits<int64_t>::max() / 2) / s)
    return absl::InvalidArgumentError(absl::StrCat(
        request.samples, " samples of ", s, " tokens are too many"));
  // Smallest E >= 1 with (E * T - 1) / S >= samples.
  const int64_t tokens = request.samples * s + 1;
  epochs = std::max<int64_t>(1, (tokens + tokensPerEpoch - 1) / tokensPerEpoch);
  if (epochs > maxInt32 / count)
    return absl::InvalidArgumentError(absl::StrCat(
        epochs, " epochs of ", count, " documents are too many, the limit is ",
        maxInt32, " documents in all epochs; ask for fewer than ",
        request.samples, " samples"));
  if (samplesIn(epochs, tokensPerEpoch, s) >= maxUint32)
    return absl::InvalidArgumentError(absl::StrCat(
        epochs, " epochs give ", samplesIn(epochs, tokensPerEpoch, s),
        " samples, the limit is ", maxUint32 - 1));

  // A last epoch of which less than 80 % is used is kept apart, so that its
  // documents are not seen more often than the others early in training.
  if (epochs > 1) {
    const int64_t before = samplesIn(epochs - 1, tokensPerEpoch, s);
    const int64_t perEpoch = samplesIn(1, tokensPerEpoch, s);
    separate = request.samples - before <
               static_cast<int64_t>(0.80 * static_cast<double>(perEpoch));
  }
  return absl::OkStatus();
}

void GptIndexMaps::orderDocuments(const Request &request, NumpyRandom &random) {
  const int64_t count = request.lastDocument - request.firstDocument;
  documents.resize(epochs * count);
  for (int64_t i = 0; i < epochs * count; ++i)
    documents[i] = static_cast<int32_t>(request.firstDocument + i % count);
  const std::span<int32_t> all(documents);
  const int64_t together = (separate ? epochs - 1 : epochs) * count;
  random.shuffle(all.first(together));
  random.shuffle(all.subspan(together));
}

SamplePosition GptIndexMaps::advance(SamplePosition from) const {
  // S + 1 tokens from here, the last of which begins the next sample.
  int64_t remaining = sequenceLength + 1;
  for (;;) {
    const int64_t length = documentSize(documents[from.place]) - from.offset;
    if (remaining <= length) {
      from.offset += remaining - 1;
      return from;
    }
    remaining -= length;
    ++from.place;
    from.offset = 0;
  }
}

void GptIndexMaps::markSamples(int64_t samples) {
  marks.reserve(samples / markInterval + 1);
  SamplePosition position;
  marks.push_back(position);
  for (int64_t i = 1; i <= samples; ++i) {
    position = advance(position);
    if (i % markInterval == 0)
      marks.push_back(position);
  }
}

SamplePosition GptIndexMaps::start(int64_t sample) const {
  assert(sample >= 0 && sample <= numSamples());
  SamplePosition position = marks[sample / markInterval];
  for (int64_t i = sample % markInterval; i > 0; --i)
    position = advance(position);
  return position;
}

void GptIndexMaps::orderSamples(int64_t samples, NumpyRandom &random) {
  shuffle.resize(samples);
  std::iota(shuffle.begin(), shuffle.end(), 0u);
  const std::span<uint32_t> all(shuffle);
  const int64_t together =
      separate ? samplesIn(epochs - 1, tokensPerEpoch, sequenceLength)
               : samples;
  random.shuffle(all.first(together));
  random.shuffle(all.subspan(together));
}

} // namespace orrery::runtime
