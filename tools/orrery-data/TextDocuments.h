// Documents in text files: a whole file, a line, or a field of a JSON record.
#ifndef ORRERY_TOOLS_ORRERYDATA_TEXTDOCUMENTS_H
#define ORRERY_TOOLS_ORRERYDATA_TEXTDOCUMENTS_H

#include "absl/status/status.h"

#include <functional>
#include <string>

namespace orrery::tools {

enum class DocumentForm {
  File,      // the file is one document, byte for byte
  Lines,     // every line is one, without its newline
  JsonLines, // every line is a JSON object with the document under a key
};

/// Takes the next bytes of a document; `last` when they end it.
using TakePiece =
    std::function<absl::Status(const std::string &bytes, bool last)>;

/// Calls `take` with every document of the file in order, in pieces of up to
/// 1 MiB (a line at once), and stops at the first error. Documents without a
/// byte are passed over, as the originals do; so are blank lines between JSON
/// records. Errors: those of `take` and of the file system; InvalidArgument
/// with file:line for a line that is no JSON object or has no string under
/// `key`.
absl::Status forEachDocument(const std::string &path, DocumentForm form,
                             const std::string &key, const TakePiece &take);

} // namespace orrery::tools

#endif // ORRERY_TOOLS_ORRERYDATA_TEXTDOCUMENTS_H
