// Maps a file and checks its header; the rules are listed at `open`.
#include "runtime/checkpoint/Safetensors.h"

#include "runtime/checkpoint/TensorBox.h"
#include "runtime/plan/AtomicFile.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orrery::runtime {

using Json = nlohmann::json;

int64_t dtypeBits(absl::string_view dtype) {
  static const std::map<absl::string_view, int64_t> kBits = {
      {"BOOL", 8},    {"U8", 8},   {"I8", 8},   {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"I16", 16}, {"U16", 16}, {"F16", 16},    {"BF16", 16},
      {"I32", 32},    {"U32", 32}, {"F32", 32}, {"F64", 64},    {"I64", 64},
      {"U64", 64},    {"C64", 64}};
  auto it = kBits.find(dtype);
  return it == kBits.end() ? 0 : it->second;
}

plan::ElementType elementTypeOf(absl::string_view dtype) {
  plan::ElementType type;
  return plan::ElementType_Parse(std::string(dtype), &type)
             ? type
             : plan::ELEMENT_TYPE_UNSPECIFIED;
}

namespace {

template <typename... Parts>
absl::Status damaged(const std::string &file, const Parts &...parts) {
  return absl::DataLossError(absl::StrCat("'", file, "': ", parts...));
}

/// Parses without exceptions; finds repeated keys and over-deep nesting, which
/// the parser itself accepts.
absl::StatusOr<Json> parseJson(absl::string_view text,
                               const std::string &file) {
  std::vector<std::set<std::string>> keys;
  std::string repeated;
  bool tooDeep = false;
  auto watch = [&](int depth, Json::parse_event_t event, Json &parsed) {
    tooDeep |= depth > 8;
    if (event == Json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == Json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == Json::parse_event_t::key &&
             !keys.back().insert(parsed.get<std::string>()).second)
      repeated = parsed.get<std::string>();
    return true;
  };
  Json json = Json::parse(text.begin(), text.end(), watch,
                          /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object())
    return damaged(file, "the header of ", text.size(),
                   " bytes is not a JSON object");
  if (!repeated.empty())
    return damaged(file, "the header names '", repeated, "' twice");
  if (tooDeep)
    return damaged(file, "the header is nested deeper than 8");
  return json;
}

bool isCount(const Json &json) {
  return json.is_number_unsigned() && json.get<uint64_t>() < uint64_t{1} << 62;
}

/// An entry from its JSON; only its own consistency is checked.
absl::StatusOr<TensorEntry>
parseEntry(const std::string &name, const Json &json, const std::string &file) {
  auto bad = [&](absl::string_view what) {
    return damaged(file, "tensor '", name, "': ", what);
  };
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets") || json.size() != 3)
    return bad("expected exactly dtype, shape and data_offsets");
  if (!json["dtype"].is_string() ||
      dtypeBits(json["dtype"].get_ref<const std::string &>()) == 0)
    return bad(absl::StrCat("dtype ", json["dtype"].dump(-1, ' ', true),
                            " is not known"));
  const Json &shape = json["shape"], &offsets = json["data_offsets"];
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), isCount))
    return bad("shape is not a list of sizes");
  if (!offsets.is_array() || offsets.size() != 2 || !isCount(offsets[0]) ||
      !isCount(offsets[1]))
    return bad("data_offsets is not a pair of byte offsets");
  TensorEntry entry{name, json["dtype"].get<std::string>(),
                    shape.get<std::vector<int64_t>>(),
                    offsets[0].get<uint64_t>(), offsets[1].get<uint64_t>()};
  unsigned __int128 bytes = dtypeBits(entry.dtype) / 8;
  for (int64_t size : entry.shape) {
    bytes *= static_cast<uint64_t>(size);
    if (bytes > (uint64_t{1} << 62))
      return bad("shape is too large");
  }
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    return bad(absl::StrCat(
        "shape [", absl::StrJoin(entry.shape, ", "), "] of ", entry.dtype,
        " needs ", static_cast<uint64_t>(bytes), " bytes, data_offsets [",
        entry.begin, ", ", entry.end, "] have ",
        static_cast<int64_t>(entry.end) - static_cast<int64_t>(entry.begin)));
  return entry;
}

/// Entries, sorted by begin, follow each other from 0 to `total`.
absl::Status checkCover(const std::vector<TensorEntry> &entries, uint64_t total,
                        const std::string &file) {
  uint64_t next = 0;
  for (const TensorEntry &entry : entries) {
    if (entry.begin != next)
      return damaged(file, "tensor '", entry.name, "' begins at byte ",
                     entry.begin, " of the data, expected ", next,
                     entry.begin < next ? ": tensors overlap"
                                        : ": there is a gap");
    next = entry.end;
  }
  if (next != total)
    return damaged(file, next > total ? "is truncated" : "has trailing bytes",
                   ": the tensors need ", next, " bytes of data, found ",
                   total);
  return absl::OkStatus();
}

} // namespace

absl::Status SafetensorsFile::parseHeader() {
  if (file.size() < 8)
    return damaged(name,
                   "is truncated: expected a header length of 8 bytes, "
                   "found a file of ",
                   file.size());
  uint64_t length = 0;
  for (int i = 0; i < 8; ++i)
    length |= std::to_integer<uint64_t>(file[i]) << (8 * i);
  if (length > kMaxHeaderBytes)
    return damaged(name, "header length ", length, " exceeds the limit of ",
                   kMaxHeaderBytes, "; not a safetensors file?");
  if (length > file.size() - 8)
    return damaged(name, "is truncated: header of ", length,
                   " bytes in a file of ", file.size());
  data = file.subspan(8 + length);
  absl::string_view text(reinterpret_cast<const char *>(file.data()) + 8,
                         length);
  absl::StatusOr<Json> header = parseJson(text, name);
  if (!header.ok())
    return header.status();
  for (const auto &[key, value] : header->items()) {
    if (key != "__metadata__") {
      absl::StatusOr<TensorEntry> entry = parseEntry(key, value, name);
      if (!entry.ok())
        return entry.status();
      entries.push_back(*std::move(entry));
      continue;
    }
    if (!value.is_object())
      return damaged(name, "__metadata__ is not an object");
    for (const auto &[textKey, textValue] : value.items()) {
      if (!textValue.is_string())
        return damaged(name, "__metadata__ '", textKey, "' is not a text");
      texts[textKey] = textValue.get<std::string>();
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const TensorEntry &a, const TensorEntry &b) {
              return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
            });
  for (size_t i = 0; i < entries.size(); ++i)
    byName[entries[i].name] = i;
  return checkCover(entries, data.size(), name);
}

absl::StatusOr<SafetensorsFile>
SafetensorsFile::parse(absl::Span<const std::byte> bytes,
                       const std::string &name) {
  SafetensorsFile result;
  result.name = name;
  result.file = bytes;
  if (absl::Status status = result.parseHeader(); !status.ok())
    return status;
  return result;
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errnoStatus(errno, absl::StrCat("open '", path, "'"));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' is not a regular file"));
  }
  size_t size = static_cast<size_t>(info.st_size);
  void *address =
      size ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
  int failed = errno;
  close(fd);
  if (address == MAP_FAILED)
    return errnoStatus(failed, absl::StrCat("map '", path, "'"));
  std::shared_ptr<void> mapping(address, [size](void *at) {
    if (at)
      munmap(at, size);
  });
  absl::StatusOr<SafetensorsFile> result = parse(
      absl::MakeConstSpan(static_cast<const std::byte *>(address), size), path);
  if (result.ok())
    result->mapping = std::move(mapping);
  return result;
}

uint64_t SafetensorsFile::headerChecksum() const {
  return XXH3_64bits(file.data(), file.size() - data.size());
}

const TensorEntry *SafetensorsFile::find(absl::string_view tensor) const {
  auto it = byName.find(std::string(tensor));
  return it == byName.end() ? nullptr : &entries[it->second];
}

absl::Status SafetensorsFile::readBox(const TensorEntry &entry, const Box &box,
                                      float *out) const {
  plan::ElementType type = elementTypeOf(entry.dtype);
  if (type != plan::F32 && type != plan::F16 && type != plan::BF16 &&
      type != plan::F64)
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "': tensor '", entry.name, "' of ", entry.dtype,
                     " is not floating-point"));
  bool inside = box.shape.size() == entry.shape.size() &&
                box.offset.size() == entry.shape.size();
  for (size_t d = 0; inside && d < entry.shape.size(); ++d)
    inside = box.offset[d] >= 0 && box.shape[d] >= 1 &&
             box.shape[d] <= entry.shape[d] &&
             box.offset[d] <= entry.shape[d] - box.shape[d];
  if (!inside)
    return absl::InvalidArgumentError(absl::StrCat(
        "'", name, "': box [", absl::StrJoin(box.shape, ", "), "] at [",
        absl::StrJoin(box.offset, ", "), "] is not inside tensor '", entry.name,
        "' of shape [", absl::StrJoin(entry.shape, ", "), "]"));
  Box whole{std::vector<int64_t>(entry.shape.size(), 0), entry.shape};
  copyIntersection({whole, type, bytes(entry).data()},
                   {box, plan::F32, reinterpret_cast<std::byte *>(out)});
  return absl::OkStatus();
}

} // namespace orrery::runtime
