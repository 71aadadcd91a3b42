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

constexpr std::streamsize pieceBytes = 1 << 20;

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

absl::Status takeFile(std::istream &file, const TakePiece &take) {
  std::string piece;
  while (file.peek() != std::istream::traits_type::eof()) {
    piece.resize(pieceBytes);
    file.read(piece.data(), pieceBytes);
    piece.resize(file.gcount());
    const bool last = file.peek() == std::istream::traits_type::eof();
    if (absl::Status status = take(piece, last); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status takeLines(std::istream &file, const TakePiece &take) {
  for (std::string line; std::getline(file, line);)
    if (!line.empty())
      if (absl::Status status = take(line, true); !status.ok())
        return status;
  return absl::OkStatus();
}

absl::Status takeRecords(std::istream &file, const std::string &path,
                         const std::string &key, const TakePiece &take) {
  int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    absl::StatusOr<std::string> text =
        recordText(line, key, absl::StrCat(path, ":", number));
    if (!text.ok())
      return text.status();
    if (text->empty())
      continue;
    if (absl::Status status = take(*text, true); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

} // namespace

absl::Status forEachDocument(const std::string &path, DocumentForm form,
                             const std::string &key, const TakePiece &take) {
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
  switch (form) {
  case DocumentForm::File:
    status = takeFile(file, take);
    break;
  case DocumentForm::Lines:
    status = takeLines(file, take);
    break;
  case DocumentForm::JsonLines:
    status = takeRecords(file, path, key, take);
    break;
  }
  if (status.ok() && file.bad())
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  return status;
}

} // namespace orrery::tools
