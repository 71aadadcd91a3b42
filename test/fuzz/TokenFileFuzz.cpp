// Fuzz target: the reader of token files. The input is a u32 length of the
// index, the index, and the tokens; what is accepted is read to the last token
// and cut into samples.
#include "test/fuzz/FuzzTarget.h"

#include "runtime/data/GptIndexMaps.h"
#include "runtime/data/IndexedDataset.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using orrery::runtime::GptIndexMaps;
using orrery::runtime::IndexedDataset;

namespace {

int64_t accepted = 0;

/// Aborts, so that the fuzzer reports the input.
void require(bool condition) {
  if (!condition)
    std::abort();
}

void readEverything(const IndexedDataset &file) {
  int64_t total = 0;
  std::vector<int64_t> tokens;
  for (int64_t item = 0; item < file.numItems(); ++item) {
    tokens.resize(file.size(item));
    const absl::Status status = file.read(item, 0, tokens);
    require(status.ok() ||
            file.tokenType() == orrery::runtime::TokenType::Float ||
            file.tokenType() == orrery::runtime::TokenType::Double);
    total += file.size(item);
  }
  require(total == file.numTokens());
  for (int64_t document = 0; document < file.numDocuments(); ++document)
    require(file.documentStart(document) <= file.documentStart(document + 1));
}

void cutSamples(const IndexedDataset &file) {
  GptIndexMaps::Request request;
  request.lastDocument = file.numItems();
  request.sequenceLength = 5;
  request.samples = 20;
  request.seed = 7;
  auto maps = GptIndexMaps::build(
      request, [&file](int64_t document) { return file.size(document); });
  require(maps.ok() == (file.numTokens() > 0));
  if (!maps.ok())
    return;
  require(maps->numSamples() >= request.samples);
  const auto end = maps->start(maps->numSamples());
  require(end.place < maps->numPlaces());
  require(end.offset < file.size(maps->document(end.place)));
}

/// Sound files of one document whose items have the given sizes, all zeros.
std::string seed(uint8_t type, int width, const std::vector<int32_t> &sizes) {
  std::string index("MMIDIDX\0\0", 9);
  auto put = [&index](auto value) {
    index.append(reinterpret_cast<const char *>(&value), sizeof(value));
  };
  put(uint64_t{1});
  put(type);
  put(uint64_t{sizes.size()});
  put(uint64_t{2});
  for (int32_t size : sizes)
    put(size);
  int64_t end = 0;
  for (int32_t size : sizes) {
    put(end);
    end += size * width;
  }
  put(int64_t{0});
  put(static_cast<int64_t>(sizes.size()));
  const uint32_t length = static_cast<uint32_t>(index.size());
  return std::string(reinterpret_cast<const char *>(&length), 4) + index +
         std::string(end, '\0');
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  uint32_t length = 0;
  if (size < sizeof(length))
    return 0;
  std::memcpy(&length, data, sizeof(length));
  const auto rest = bytes.subspan(sizeof(length));
  const auto index = rest.first(std::min<size_t>(length, rest.size()));
  auto file =
      IndexedDataset::fromBytes("fuzz", index, rest.subspan(index.size()));
  if (!file.ok()) {
    require(file.status().code() == absl::StatusCode::kInvalidArgument);
    require(!file.status().message().empty());
    return 0;
  }
  ++accepted;
  readEverything(*file);
  cutSamples(*file);
  return 0;
}

std::vector<std::string> orrery::test::fuzzSeeds() {
  return {seed(8, 2, {3, 0, 5}), seed(1, 1, {1, 1, 1, 1}), seed(7, 8, {4}),
          seed(4, 4, {}), seed(2, 1, {40, 2})};
}

int64_t orrery::test::fuzzAccepted() { return accepted; }
