// Writes Megatron's memory-mapped token files, whole or not at all.
#include "runtime/data/IndexedDatasetWriter.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <unistd.h>

namespace orrery::runtime {

namespace {

/// Appends `tokens` to `out` as elements of T; returns the index of the first
/// that does not fit, or -1.
template <typename T>
int64_t narrow(std::span<const int64_t> tokens, std::vector<std::byte> &out) {
  out.resize(tokens.size() * sizeof(T));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const T value = static_cast<T>(tokens[i]);
    if (static_cast<int64_t>(value) != tokens[i])
      return static_cast<int64_t>(i);
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
  return -1;
}

int64_t encode(TokenType type, std::span<const int64_t> tokens,
               std::vector<std::byte> &out) {
  switch (type) {
  case TokenType::U8:
    return narrow<uint8_t>(tokens, out);
  case TokenType::I8:
    return narrow<int8_t>(tokens, out);
  case TokenType::I16:
    return narrow<int16_t>(tokens, out);
  case TokenType::U16:
    return narrow<uint16_t>(tokens, out);
  case TokenType::I32:
    return narrow<int32_t>(tokens, out);
  case TokenType::I64:
    return narrow<int64_t>(tokens, out);
  case TokenType::Float:
  case TokenType::Double:
    return narrow<double>(tokens, out);
  }
  return 0;
}

absl::Status write(std::FILE *file, const void *data, size_t bytes,
                   const std::string &path) {
  if (bytes > 0 && std::fwrite(data, 1, bytes, file) != bytes)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

/// Flushes to the disk, so that a rename never shows a shorter file.
absl::Status flush(std::FILE *file, const std::string &path) {
  if (std::fflush(file) != 0 || fsync(fileno(file)) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::Status publish(const std::string &from, const std::string &to) {
  if (std::rename(from.c_str(), to.c_str()) != 0)
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot rename ", from, " to ", to));
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<IndexedDatasetWriter>
IndexedDatasetWriter::create(const std::string &prefix, TokenType type) {
  if (bytesPerToken(type) == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("element type ", static_cast<int>(type),
                     " is unknown, legal are 1 to 8"));
  IndexedDatasetWriter writer;
  writer.prefix = prefix;
  writer.type = type;
  const std::string temporary = absl::StrCat(prefix, ".writing-", getpid());
  const std::string path = temporary + ".bin";
  writer.tokens.reset(std::fopen(path.c_str(), "wbx"));
  if (!writer.tokens)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path));
  writer.temporary = temporary;
  return writer;
}

IndexedDatasetWriter::~IndexedDatasetWriter() {
  if (!tokens || temporary.empty())
    return; // moved from, or published
  std::remove((temporary + ".bin").c_str());
  std::remove((temporary + ".idx").c_str());
}

absl::Status IndexedDatasetWriter::append(std::span<const int64_t> piece) {
  const int64_t count = static_cast<int64_t>(piece.size());
  if (count > std::numeric_limits<int32_t>::max() - openTokens)
    return absl::InvalidArgumentError(absl::StrCat(
        prefix, ": item ", numItems(), " has at least ", openTokens + count,
        " tokens, at most 2147483647 fit; split the document"));
  if (int64_t at = encode(type, piece, buffer); at >= 0)
    return absl::InvalidArgumentError(absl::StrCat(
        prefix, ": token ", openTokens + at, " of item ", numItems(), " is ",
        piece[at], ", which does not fit ", tokenTypeName(type)));
  if (absl::Status status =
          write(tokens.get(), buffer.data(), buffer.size(), temporary + ".bin");
      !status.ok())
    return status;
  openTokens += count;
  total += count;
  return absl::OkStatus();
}

void IndexedDatasetWriter::endItem() {
  sizes.push_back(static_cast<int32_t>(openTokens));
  openTokens = 0;
}

absl::Status IndexedDatasetWriter::addItem(std::span<const int64_t> item) {
  if (absl::Status status = append(item); !status.ok())
    return status;
  endItem();
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::endDocument() {
  if (documents.back() == numItems())
    return absl::FailedPreconditionError(absl::StrCat(
        prefix, ": document ", documents.size() - 1, " has no items"));
  documents.push_back(numItems());
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::writeIndex() {
  const std::string path = temporary + ".idx";
  File file(std::fopen(path.c_str(), "wbx"));
  if (!file)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", path));
  std::vector<int64_t> pointers(sizes.size());
  int64_t end = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    pointers[i] = end;
    end += sizes[i] * bytesPerToken(type);
  }
  char header[34] = "MMIDIDX\0";
  const uint64_t version = 1, items = sizes.size(), bounds = documents.size();
  std::memcpy(header + 9, &version, 8);
  header[17] = static_cast<char>(type);
  std::memcpy(header + 18, &items, 8);
  std::memcpy(header + 26, &bounds, 8);
  absl::Status status = write(file.get(), header, sizeof(header), path);
  status.Update(write(file.get(), sizes.data(), 4 * sizes.size(), path));
  status.Update(write(file.get(), pointers.data(), 8 * pointers.size(), path));
  status.Update(
      write(file.get(), documents.data(), 8 * documents.size(), path));
  status.Update(flush(file.get(), path));
  return status;
}

absl::Status IndexedDatasetWriter::finish() {
  if (documents.back() != numItems() || openTokens > 0)
    return absl::FailedPreconditionError(
        absl::StrCat(prefix, ": the last document is open, with ",
                     numItems() - documents.back(), " items and ", openTokens,
                     " tokens behind them"));
  if (absl::Status status = flush(tokens.get(), temporary + ".bin");
      !status.ok())
    return status;
  if (absl::Status status = writeIndex(); !status.ok())
    return status;
  const std::string index = prefix + ".idx";
  if (std::remove(index.c_str()) != 0 && errno != ENOENT)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot replace ", index));
  if (absl::Status status = publish(temporary + ".bin", prefix + ".bin");
      !status.ok())
    return status;
  if (absl::Status status = publish(temporary + ".idx", index); !status.ok())
    return status;
  temporary.clear();
  return absl::OkStatus();
}

} // namespace orrery::runtime
