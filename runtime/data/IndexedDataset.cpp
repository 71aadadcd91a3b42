// Checks and reads Megatron's memory-mapped token files.
#include "runtime/data/IndexedDataset.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

static_assert(std::endian::native == std::endian::little,
              "token files are little endian");

namespace orrery::runtime {

namespace {

constexpr std::string_view mmapMagic("MMIDIDX\0\0", 9);
constexpr std::string_view seekMagic("TNTIDX\0\0", 8);
constexpr int64_t versionOffset = 9;
constexpr int64_t typeOffset = 17;
constexpr int64_t itemsOffset = 18;
constexpr int64_t boundsOffset = 26;
constexpr int64_t headerBytes = 34;

/// Reads an unaligned little-endian value; the caller has checked the range.
template <typename T> T load(std::span<const std::byte> bytes, int64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool startsWith(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

template <typename... Args> absl::Status bad(const Args &...args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

template <typename T>
void widen(const std::byte *from, std::span<int64_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    out[i] = static_cast<int64_t>(value);
  }
}

/// Floating-point tokens: exact integers only. Returns the index of the first
/// that is not, or -1.
int64_t widenDoubles(const std::byte *from, std::span<int64_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    double value;
    std::memcpy(&value, from + i * sizeof(value), sizeof(value));
    if (!(std::fabs(value) < 0x1p53) || value != std::trunc(value))
      return static_cast<int64_t>(i);
    out[i] = static_cast<int64_t>(value);
  }
  return -1;
}

} // namespace

int64_t bytesPerToken(TokenType type) {
  switch (type) {
  case TokenType::U8:
  case TokenType::I8:
    return 1;
  case TokenType::I16:
  case TokenType::U16:
    return 2;
  case TokenType::I32:
    return 4;
  case TokenType::I64:
  case TokenType::Float:
  case TokenType::Double:
    return 8;
  }
  return 0;
}

const char *tokenTypeName(TokenType type) {
  switch (type) {
  case TokenType::U8:
    return "uint8";
  case TokenType::I8:
    return "int8";
  case TokenType::I16:
    return "int16";
  case TokenType::I32:
    return "int32";
  case TokenType::I64:
    return "int64";
  case TokenType::Float:
  case TokenType::Double:
    return "float64";
  case TokenType::U16:
    return "uint16";
  }
  return "unknown";
}

absl::StatusOr<IndexedDataset> IndexedDataset::open(const std::string &prefix) {
  absl::StatusOr<MappedFile> indexFile = MappedFile::open(prefix + ".idx");
  if (!indexFile.ok())
    return indexFile.status();
  absl::StatusOr<MappedFile> tokenFile = MappedFile::open(prefix + ".bin");
  if (!tokenFile.ok())
    return tokenFile.status();
  absl::StatusOr<IndexedDataset> dataset =
      fromBytes(prefix, indexFile->bytes(), tokenFile->bytes());
  if (dataset.ok()) {
    dataset->indexFile = *std::move(indexFile);
    dataset->tokenFile = *std::move(tokenFile);
  }
  return dataset;
}

absl::StatusOr<IndexedDataset>
IndexedDataset::fromBytes(std::string prefix, std::span<const std::byte> index,
                          std::span<const std::byte> tokens) {
  IndexedDataset dataset;
  dataset.name = std::move(prefix);
  dataset.index = index;
  dataset.tokens = tokens;
  if (absl::Status status = dataset.checkHeader(); !status.ok())
    return status;
  if (absl::Status status = dataset.checkItems(); !status.ok())
    return status;
  if (absl::Status status = dataset.checkDocuments(); !status.ok())
    return status;
  return dataset;
}

absl::Status IndexedDataset::checkHeader() {
  const std::string file = name + ".idx";
  if (startsWith(index, seekMagic))
    return bad(file, ": TNTIDX token files (--dataset-impl lazy or cached) "
                     "cannot be read by position, which pretraining needs; "
                     "the originals support only MMIDIDX there too. Write the "
                     "files again with `orrery-data`, or with the original "
                     "preprocess_data.py and --dataset-impl mmap");
  if (!startsWith(index, mmapMagic))
    return bad(file, ": offset 0: not a token index file, it does not begin "
                     "with the 9 bytes MMIDIDX\\0\\0");
  const int64_t length = static_cast<int64_t>(index.size());
  if (length < headerBytes)
    return bad(file, ": file is truncated: ", length,
               " bytes, the header alone has ", headerBytes);
  const uint64_t version = load<uint64_t>(index, versionOffset);
  if (version != 1)
    return bad(file, ": offset ", versionOffset, ": version ", version,
               " is not supported, only 1 is");
  type = static_cast<TokenType>(load<uint8_t>(index, typeOffset));
  width = bytesPerToken(type);
  if (width == 0)
    return bad(file, ": offset ", typeOffset, ": element type ",
               static_cast<int>(type), " is unknown, legal are 1 to 8");
  // Counts are bounded by the length before anything is computed from them.
  const uint64_t itemCount = load<uint64_t>(index, itemsOffset);
  const uint64_t boundCount = load<uint64_t>(index, boundsOffset);
  const uint64_t body = static_cast<uint64_t>(length - headerBytes);
  if (itemCount > body / 12)
    return bad(file, ": offset ", itemsOffset, ": ", itemCount,
               " items need more than the file's ", length,
               " bytes, which hold at most ", body / 12);
  const uint64_t rest = body - 12 * itemCount;
  if (boundCount < 1 || boundCount > rest / 8)
    return bad(file, ": offset ", boundsOffset, ": ", boundCount,
               " document bounds do not fit the file: at least 1 and, behind ",
               itemCount, " items, at most ", rest / 8);
  if (rest != 8 * boundCount)
    return bad(file, ": file has ", length, " bytes, but ", itemCount,
               " items and ", boundCount, " document bounds take ",
               headerBytes + 12 * itemCount + 8 * boundCount);
  items = static_cast<int64_t>(itemCount);
  bounds = static_cast<int64_t>(boundCount);
  return absl::OkStatus();
}

absl::Status IndexedDataset::checkItems() {
  const int64_t length = static_cast<int64_t>(tokens.size());
  int64_t end = 0; // byte behind the items seen so far, never over `length`
  for (int64_t item = 0; item < items; ++item) {
    const int64_t sizeOffset = headerBytes + 4 * item;
    const int64_t pointerOffset = headerBytes + 4 * items + 8 * item;
    const int32_t count = load<int32_t>(index, sizeOffset);
    const int64_t pointer = load<int64_t>(index, pointerOffset);
    if (count < 0)
      return bad(name, ".idx: offset ", sizeOffset, ": item ", item, " has ",
                 count, " tokens, at least 0 are legal");
    if (pointer != end)
      return bad(name, ".idx: offset ", pointerOffset, ": item ", item,
                 " is said to begin at byte ", pointer, " of ", name,
                 ".bin, but the items before it end at byte ", end);
    if (count > (length - end) / width)
      return bad(name, ".bin: file is truncated: item ", item, " with ", count,
                 " tokens of ", width, " bytes at byte ", end,
                 " ends behind the file's ", length, " bytes");
    end += count * width;
  }
  if (end != length)
    return bad(name, ".bin: file has ", length, " bytes, but ", name,
               ".idx describes ", end);
  total = end / width;
  return absl::OkStatus();
}

absl::Status IndexedDataset::checkDocuments() const {
  const int64_t base = headerBytes + 12 * items;
  int64_t previous = 0;
  for (int64_t i = 0; i < bounds; ++i) {
    const int64_t bound = load<int64_t>(index, base + 8 * i);
    if (i == 0 && bound != 0)
      return bad(name, ".idx: offset ", base, ": the first document begins at ",
                 "item ", bound, ", it must be 0");
    if (bound < previous || bound > items)
      return bad(name, ".idx: offset ", base + 8 * i, ": document bound ", i,
                 " is item ", bound, ", it must lie between the bound before, ",
                 previous, ", and the number of items, ", items);
    previous = bound;
  }
  if (previous != items)
    return bad(name, ".idx: offset ", base + 8 * (bounds - 1),
               ": the last document ends at item ", previous,
               ", it must be the number of items, ", items);
  return absl::OkStatus();
}

int64_t IndexedDataset::size(int64_t item) const {
  assert(item >= 0 && item < items);
  return load<int32_t>(index, headerBytes + 4 * item);
}

int64_t IndexedDataset::documentStart(int64_t document) const {
  assert(document >= 0 && document < bounds);
  return load<int64_t>(index, headerBytes + 12 * items + 8 * document);
}

absl::Status IndexedDataset::read(int64_t item, int64_t offset,
                                  std::span<int64_t> out) const {
  if (item < 0 || item >= items)
    return absl::OutOfRangeError(absl::StrCat(
        name, ": item ", item, " does not exist, there are ", items));
  const int64_t count = static_cast<int64_t>(out.size());
  if (offset < 0 || offset > size(item) || count > size(item) - offset)
    return absl::OutOfRangeError(
        absl::StrCat(name, ": tokens [", offset, ", ", offset + count,
                     ") of item ", item, " do not exist, it has ", size(item)));
  const int64_t begin =
      load<int64_t>(index, headerBytes + 4 * items + 8 * item) + offset * width;
  const std::byte *from = tokens.data() + begin;
  switch (type) {
  case TokenType::U8:
    widen<uint8_t>(from, out);
    break;
  case TokenType::I8:
    widen<int8_t>(from, out);
    break;
  case TokenType::I16:
    widen<int16_t>(from, out);
    break;
  case TokenType::U16:
    widen<uint16_t>(from, out);
    break;
  case TokenType::I32:
    widen<int32_t>(from, out);
    break;
  case TokenType::I64:
    widen<int64_t>(from, out);
    break;
  case TokenType::Float:
  case TokenType::Double:
    if (int64_t at = widenDoubles(from, out); at >= 0)
      return bad(name, ".bin: offset ", begin + at * width, ": token ",
                 offset + at, " of item ", item, " is not an integer");
    break;
  }
  return absl::OkStatus();
}

} // namespace orrery::runtime
