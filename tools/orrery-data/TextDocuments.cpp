// Reads documents from text files.
#include "tools/orrery-data/TextDocuments.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace orrery::tools {

namespace {

/// The document in one line of a JSON-lines file.
absl::StatusOr<std::string> recordText(const std::string &line,
                                       const std::string &key,
                                       const std::string &place) {
  const nlohmann::json record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object())
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": the line is no JSON object"));
  const auto field = record.find(key);
  if (field == record.end())
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": the record has no key '", key,
                     "'; name it with --json-lines=KEY"));
  if (!field->is_string())
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": the value of '", key, "' is of type ",
                     field->type_name(), ", it must be a string"));
  return field->get<std::string>();
}

} // namespace

absl::Status
forEachDocument(const std::string &path, DocumentForm form,
                const std::string &key,
                const std::function<absl::Status(const std::string &)> &take) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  if (S_ISDIR(info.st_mode))
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is a folder; name the text files in it"));
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));

  absl::Status status;
  if (form == DocumentForm::File) {
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!text.empty())
      status = take(text);
  } else {
    int64_t number = 0;
    for (std::string line; status.ok() && std::getline(file, line);) {
      ++number;
      if (line.empty() || (form == DocumentForm::JsonLines && line == "\r"))
        continue;
      if (form == DocumentForm::JsonLines) {
        absl::StatusOr<std::string> text =
            recordText(line, key, absl::StrCat(path, ":", number));
        if (!text.ok())
          return text.status();
        line = *std::move(text);
        if (line.empty())
          continue;
      }
      status = take(line);
    }
  }
  if (status.ok() && file.bad())
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  return status;
}

} // namespace orrery::tools
