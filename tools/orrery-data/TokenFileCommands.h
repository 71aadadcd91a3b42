// What orrery-data does: write token files, or show what is in them.
#ifndef ORRERY_TOOLS_ORRERYDATA_TOKENFILECOMMANDS_H
#define ORRERY_TOOLS_ORRERYDATA_TOKENFILECOMMANDS_H

#include "tools/orrery-data/TextDocuments.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery::tools {

struct WriteRequest {
  std::string prefix;
  std::vector<std::string> files;
  DocumentForm form = DocumentForm::File;
  std::string key;       // of JSON records
  bool appendEod = true; // end of document behind every document
};

/// Writes PREFIX.bin, PREFIX.idx and PREFIX.vocab.json, all or none of the
/// token files; returns a line that says what was written. Reports progress on
/// standard error every few seconds. InvalidArgument when the files hold no
/// document.
absl::StatusOr<std::string> writeTokenFiles(const WriteRequest &request);

/// A description of the token files PREFIX.bin/.idx: type, numbers of items,
/// documents and tokens, item lengths, largest token; and the text of
/// `document`, or the beginning of the first one. Reads every token.
absl::StatusOr<std::string> describeTokenFiles(const std::string &prefix,
                                               std::optional<int64_t> document);

} // namespace orrery::tools

#endif // ORRERY_TOOLS_ORRERYDATA_TOKENFILECOMMANDS_H
