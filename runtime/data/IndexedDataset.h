// Reader of Megatron's memory-mapped token files, PREFIX.idx and PREFIX.bin.
//
// PREFIX.idx, little endian and unaligned (N items, D document bounds):
//
//   offset      type   field
//   0           9 B    magic "MMIDIDX\0\0"
//   9           u64    version, 1
//   17          u8     element type, see TokenType
//   18          u64    N
//   26          u64    D
//   34          i32    sizes[N]     tokens of each item
//   34 + 4N     i64    pointers[N]  byte offset of each item in PREFIX.bin
//   34 + 12N    i64    documents[D] item at which each document starts
//
// PREFIX.bin: the items' tokens, one after the other, without gaps. With
// `--split-sentences` an item is a sentence, otherwise a whole document.
// Source: Megatron-LM megatron/data/indexed_dataset.py (MMapIndexedDataset).
#ifndef ORRERY_RUNTIME_DATA_INDEXEDDATASET_H
#define ORRERY_RUNTIME_DATA_INDEXEDDATASET_H

#include "runtime/data/MappedFile.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <span>
#include <string>

namespace orrery::runtime {

/// Element type of PREFIX.bin, by its code in PREFIX.idx. Codes 6 and 7 are
/// both NumPy float64 in the originals.
enum class TokenType : uint8_t {
  U8 = 1,
  I8 = 2,
  I16 = 3,
  I32 = 4,
  I64 = 5,
  Float = 6,
  Double = 7,
  U16 = 8,
};

/// Bytes of one token; 0 for a code that is none of TokenType's.
int64_t bytesPerToken(TokenType type);
/// NumPy's name of the type, for messages.
const char *tokenTypeName(TokenType type);

/// A pair of token files, checked completely before use: every size, pointer
/// and document bound is in range, pointers follow from the sizes, and the
/// length of PREFIX.bin is what the sizes add up to. Truncated or altered
/// files give an InvalidArgument status that names file, byte offset, value
/// and limit; they never crash the reader.
class IndexedDataset {
public:
  /// Opens PREFIX.idx and PREFIX.bin. Costs one pass over PREFIX.idx.
  static absl::StatusOr<IndexedDataset> open(const std::string &prefix);

  /// The same over bytes in memory, which must outlive the result; `prefix`
  /// is used in messages only.
  static absl::StatusOr<IndexedDataset>
  fromBytes(std::string prefix, std::span<const std::byte> index,
            std::span<const std::byte> tokens);

  const std::string &prefix() const { return name; }
  TokenType tokenType() const { return type; }
  int64_t numItems() const { return items; }
  int64_t numDocuments() const { return bounds - 1; }
  int64_t numTokens() const { return total; }

  /// Tokens of an item, 0 <= item < numItems().
  int64_t size(int64_t item) const;
  /// First item of a document, 0 <= document <= numDocuments(); the last one
  /// is numItems().
  int64_t documentStart(int64_t document) const;

  /// Copies tokens [offset, offset + out.size()) of an item. Errors:
  /// OutOfRange when the item or the range does not exist; InvalidArgument
  /// when a floating-point token is not an integer.
  absl::Status read(int64_t item, int64_t offset, std::span<int64_t> out) const;

private:
  absl::Status checkHeader();
  absl::Status checkItems();
  absl::Status checkDocuments() const;

  std::string name;
  MappedFile indexFile, tokenFile;
  std::span<const std::byte> index, tokens;
  TokenType type = TokenType::U8;
  int64_t width = 1;
  int64_t items = 0, bounds = 0, total = 0;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_INDEXEDDATASET_H
