// Writer of Megatron's memory-mapped token files.
#ifndef ORRERY_RUNTIME_DATA_INDEXEDDATASETWRITER_H
#define ORRERY_RUNTIME_DATA_INDEXEDDATASETWRITER_H

#include "runtime/data/IndexedDataset.h"

#include "absl/status/statusor.h"

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Writes PREFIX.bin and PREFIX.idx as the originals' builder does. Both are
/// written under temporary names and renamed by finish(); a writer that is
/// destroyed before leaves nothing behind. An older pair of the same name is
/// replaced index first, so that no moment shows an index beside other tokens.
///
///   auto writer = IndexedDatasetWriter::create("corpus", TokenType::U16);
///   writer->addItem(tokens); writer->endDocument(); writer->finish();
class IndexedDatasetWriter {
public:
  static absl::StatusOr<IndexedDatasetWriter> create(const std::string &prefix,
                                                     TokenType type);
  IndexedDatasetWriter(IndexedDatasetWriter &&) = default;
  IndexedDatasetWriter &operator=(IndexedDatasetWriter &&) = delete;
  ~IndexedDatasetWriter();

  /// Appends tokens to the open item. Errors: InvalidArgument when a token
  /// does not fit the element type, or the item would have more than 2^31 - 1.
  absl::Status append(std::span<const int64_t> tokens);
  /// Closes the open item, which may be empty.
  void endItem();
  /// append() and endItem(): a whole item at once.
  absl::Status addItem(std::span<const int64_t> tokens);
  /// Closes the document that consists of the items since the last call.
  absl::Status endDocument();
  /// Publishes both files. FailedPrecondition when an item or a
  /// document is open.
  absl::Status finish();

  int64_t numItems() const { return static_cast<int64_t>(sizes.size()); }
  int64_t numTokens() const { return total; }

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  IndexedDatasetWriter() = default;
  absl::Status writeIndex();

  std::string prefix, temporary; // temporary: path without .bin or .idx
  TokenType type = TokenType::I32;
  File tokens;
  std::vector<int32_t> sizes;
  std::vector<int64_t> documents = {0};
  std::vector<std::byte> buffer;
  int64_t openTokens = 0, total = 0; // in the open item, in all
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_INDEXEDDATASETWRITER_H
