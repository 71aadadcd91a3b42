// Writes and describes token files.
#include "tools/orrery-data/TokenFileCommands.h"

#include "runtime/data/IndexedDataset.h"
#include "runtime/data/IndexedDatasetWriter.h"
#include "tools/orrery-data/ByteVocabulary.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <fstream>
#include <limits>

namespace orrery::tools {

using runtime::IndexedDataset;
using runtime::IndexedDatasetWriter;
using runtime::TokenType;

namespace {

/// Says how far a long conversion is, every few seconds.
class Progress {
public:
  void report(const IndexedDatasetWriter &writer) {
    const auto now = Clock::now();
    if (now - last < std::chrono::seconds(3))
      return;
    last = now;
    const double seconds = std::chrono::duration<double>(now - start).count();
    fmt::print(stderr, "{} documents, {} tokens, {:.1f} million tokens/s\n",
               writer.numItems(), writer.numTokens(),
               static_cast<double>(writer.numTokens()) / seconds / 1e6);
  }

private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now(), last = start;
};

absl::Status writeVocabulary(const std::string &path) {
  const std::string temporary = path + ".writing";
  std::ofstream file(temporary, std::ios::binary);
  file << byteVocabularyJson();
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status status =
        absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
    std::remove(temporary.c_str());
    return status;
  }
  return absl::OkStatus();
}

/// Lengths of items and range of tokens, over the whole file.
struct Summary {
  int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0;
  int64_t smallest = std::numeric_limits<int64_t>::max();
  int64_t largest = std::numeric_limits<int64_t>::min();
};

absl::StatusOr<Summary> summarise(const IndexedDataset &file) {
  Summary summary;
  std::vector<int64_t> tokens;
  for (int64_t item = 0; item < file.numItems(); ++item) {
    tokens.resize(file.size(item));
    if (absl::Status status = file.read(item, 0, tokens); !status.ok())
      return status;
    summary.shortest = std::min(summary.shortest, file.size(item));
    summary.longest = std::max(summary.longest, file.size(item));
    for (int64_t token : tokens) {
      summary.smallest = std::min(summary.smallest, token);
      summary.largest = std::max(summary.largest, token);
    }
  }
  return summary;
}

/// The tokens of a document as text, at most `limit` of them.
absl::StatusOr<std::string> documentText(const IndexedDataset &file,
                                         int64_t document, int64_t limit) {
  std::string text;
  std::vector<int64_t> tokens;
  for (int64_t item = file.documentStart(document);
       item < file.documentStart(document + 1); ++item) {
    tokens.resize(std::min(limit, file.size(item)));
    if (absl::Status status = file.read(item, 0, tokens); !status.ok())
      return status;
    text += printable(tokens);
    limit -= static_cast<int64_t>(tokens.size());
    if (limit == 0)
      return text + " …";
  }
  return text;
}

} // namespace

absl::StatusOr<std::string> writeTokenFiles(const WriteRequest &request) {
  absl::StatusOr<IndexedDatasetWriter> writer =
      IndexedDatasetWriter::create(request.prefix, TokenType::U16);
  if (!writer.ok())
    return writer.status();
  Progress progress;
  std::vector<int64_t> tokens;
  auto take = [&](const std::string &bytes, bool last) -> absl::Status {
    tokens.clear();
    for (unsigned char byte : bytes)
      tokens.push_back(byte);
    if (last && request.appendEod)
      tokens.push_back(byteEndOfDocument);
    if (absl::Status status = writer->append(tokens); !status.ok())
      return status;
    progress.report(*writer);
    if (!last)
      return absl::OkStatus();
    writer->endItem();
    return writer->endDocument();
  };
  for (const std::string &file : request.files)
    if (absl::Status status =
            forEachDocument(file, request.form, request.key, take);
        !status.ok())
      return status;
  if (writer->numItems() == 0)
    return absl::InvalidArgumentError(
        "the files hold no document; nothing was written");
  if (absl::Status status = writeVocabulary(request.prefix + ".vocab.json");
      !status.ok())
    return status;
  if (absl::Status status = writer->finish(); !status.ok())
    return status;
  return fmt::format("wrote {0}.bin, {0}.idx and {0}.vocab.json: {1} "
                     "documents, {2} tokens, vocabulary {3}",
                     request.prefix, writer->numItems(), writer->numTokens(),
                     byteVocabularySize);
}

absl::StatusOr<std::string>
describeTokenFiles(const std::string &prefix, std::optional<int64_t> document) {
  absl::StatusOr<IndexedDataset> file = IndexedDataset::open(prefix);
  if (!file.ok())
    return file.status();
  if (document && (*document < 0 || *document >= file->numDocuments()))
    return absl::OutOfRangeError(absl::StrCat(prefix, ": document ", *document,
                                              " does not exist, there are ",
                                              file->numDocuments()));
  absl::StatusOr<Summary> summary = summarise(*file);
  if (!summary.ok())
    return summary.status();
  std::string text = fmt::format(
      "{}\n  tokens     {} of type {}\n  documents  {} in {} items\n", prefix,
      file->numTokens(), runtime::tokenTypeName(file->tokenType()),
      file->numDocuments(), file->numItems());
  if (file->numItems() > 0)
    text += fmt::format("  items      {} to {} tokens, {:.1f} on average\n",
                        summary->shortest, summary->longest,
                        static_cast<double>(file->numTokens()) /
                            static_cast<double>(file->numItems()));
  if (file->numTokens() > 0)
    text += fmt::format("  values     {} to {}\n", summary->smallest,
                        summary->largest);
  if (file->numDocuments() == 0)
    return text;
  absl::StatusOr<std::string> body =
      document ? documentText(*file, *document, file->numTokens() + 1)
               : documentText(*file, 0, 60);
  if (!body.ok())
    return body.status();
  return text + fmt::format("  document {}, read as bytes: {}\n",
                            document.value_or(0), *body);
}

} // namespace orrery::tools
