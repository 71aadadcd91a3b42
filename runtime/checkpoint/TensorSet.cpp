// Collects entries into tensors and checks that they tile them.
#include "runtime/checkpoint/TensorSet.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <set>

namespace orrery::runtime {

using Json = nlohmann::json;

namespace {

template <typename... Parts> absl::Status damaged(const Parts &...parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}

std::optional<std::vector<int64_t>> sizesOf(const Json &json) {
  if (!json.is_array())
    return std::nullopt;
  std::vector<int64_t> sizes;
  for (const Json &size : json) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() >= uint64_t{1} << 48)
      return std::nullopt;
    sizes.push_back(size.get<int64_t>());
  }
  return sizes;
}

/// Elements, capped well above what a file can hold.
unsigned __int128 volumeOf(const std::vector<int64_t> &shape) {
  unsigned __int128 volume = 1;
  for (int64_t size : shape)
    if (volume < (static_cast<unsigned __int128>(1) << 64))
      volume *= static_cast<uint64_t>(size);
  return volume;
}

/// Where an entry lies in its tensor, as {"shape", "offset", "xxh3"} say.
struct Placement {
  std::vector<int64_t> globalShape;
  std::vector<int64_t> offset;
  uint64_t checksum;
};

absl::StatusOr<Placement> parsePlacement(const Json &json,
                                         const TensorEntry &entry,
                                         const std::string &path) {
  auto bad = [&](absl::string_view what) {
    return damaged("'", path, "': shard '", entry.name, "': ", what);
  };
  if (!json.is_object() || !json.contains("shape") ||
      !json.contains("offset") || !json.contains("xxh3") ||
      !json["xxh3"].is_string())
    return bad("expected shape, offset and xxh3");
  std::optional<std::vector<int64_t>> shape = sizesOf(json["shape"]);
  std::optional<std::vector<int64_t>> offset = sizesOf(json["offset"]);
  if (!shape || !offset || shape->size() != entry.shape.size() ||
      offset->size() != entry.shape.size())
    return bad("shape or offset does not fit the entry");
  for (size_t d = 0; d < shape->size(); ++d)
    if ((*offset)[d] + entry.shape[d] > (*shape)[d])
      return bad(absl::StrCat("[", absl::StrJoin(entry.shape, ", "), "] at [",
                              absl::StrJoin(*offset, ", "),
                              "] leaves the tensor [",
                              absl::StrJoin(*shape, ", "), "]"));
  absl::StatusOr<uint64_t> checksum =
      checksumFromHex(json["xxh3"].get_ref<const std::string &>());
  if (!checksum.ok())
    return bad(checksum.status().message());
  return Placement{*std::move(shape), *std::move(offset), *checksum};
}

} // namespace

absl::Status TensorSet::add(std::shared_ptr<const SafetensorsFile> file) {
  Json shards;
  auto text = file->metadata().find(kShardsKey);
  bool hasShards = text != file->metadata().end();
  if (hasShards) {
    shards = Json::parse(text->second, nullptr, /*allow_exceptions=*/false);
    if (!shards.is_object())
      return damaged("'", file->path(), "': metadata '", kShardsKey,
                     "' is not a JSON object");
  }
  for (const TensorEntry &entry : file->tensors()) {
    TensorPiece piece{
        file,
        &entry,
        {std::vector<int64_t>(entry.shape.size(), 0), entry.shape},
        std::nullopt};
    std::vector<int64_t> shape = entry.shape;
    if (hasShards) {
      if (!shards.contains(entry.name))
        return damaged("'", file->path(), "': metadata '", kShardsKey,
                       "' does not describe '", entry.name, "'");
      absl::StatusOr<Placement> placement =
          parsePlacement(shards[entry.name], entry, file->path());
      if (!placement.ok())
        return placement.status();
      shape = placement->globalShape;
      piece.box.offset = placement->offset;
      piece.checksum = placement->checksum;
    }
    auto [it, isNew] =
        byName.try_emplace(entry.name, StoredTensor{shape, entry.dtype, {}});
    if (it->second.shape != shape || it->second.dtype != entry.dtype)
      return damaged("'", file->path(), "': tensor '", entry.name, "' is ",
                     entry.dtype, "[", absl::StrJoin(shape, ", "),
                     "], in another file ", it->second.dtype, "[",
                     absl::StrJoin(it->second.shape, ", "), "]");
    it->second.pieces.push_back(std::move(piece));
  }
  return absl::OkStatus();
}

absl::Status TensorSet::checkTiling() const {
  for (const auto &[name, tensor] : byName) {
    unsigned __int128 covered = 0;
    for (size_t i = 0; i < tensor.pieces.size(); ++i) {
      const TensorPiece &piece = tensor.pieces[i];
      covered += volumeOf(piece.box.shape);
      for (size_t j = 0; j < i; ++j)
        if (intersects(piece.box, tensor.pieces[j].box))
          return damaged("tensor '", name, "' is given twice at [",
                         absl::StrJoin(piece.box.offset, ", "), "]: in '",
                         piece.file->path(), "' and '",
                         tensor.pieces[j].file->path(), "'");
    }
    if (covered != volumeOf(tensor.shape))
      return damaged("tensor '", name, "' [", absl::StrJoin(tensor.shape, ", "),
                     "] is not complete: its shards have ",
                     static_cast<uint64_t>(covered), " elements in all");
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorSet> TensorSet::fromFiles(
    std::vector<std::shared_ptr<const SafetensorsFile>> files) {
  TensorSet set;
  for (auto &file : files)
    if (absl::Status status = set.add(std::move(file)); !status.ok())
      return status;
  if (absl::Status status = set.checkTiling(); !status.ok())
    return status;
  return set;
}

absl::StatusOr<TensorSet> TensorSet::openFile(const std::string &path) {
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file.ok())
    return file.status();
  return fromFiles({std::make_shared<SafetensorsFile>(*std::move(file))});
}

/// Opens a file that the manifest lists and compares it with its record.
static absl::StatusOr<SafetensorsFile> openRecorded(const std::string &folder,
                                                    const FileRecord &record) {
  std::string path = absl::StrCat(folder, "/", record.name);
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::open(path);
  if (absl::IsNotFound(file.status()))
    return damaged("'", path, "' is missing");
  if (!file.ok())
    return file.status();
  if (file->fileBytes() != record.bytes)
    return damaged("'", path, "' has ", file->fileBytes(),
                   " bytes, the manifest says ", record.bytes);
  if (file->headerChecksum() != record.headerChecksum)
    return damaged("'", path, "': header checksum expected ",
                   hexOf(record.headerChecksum), ", found ",
                   hexOf(file->headerChecksum()));
  return file;
}

absl::StatusOr<TensorSet> TensorSet::openCheckpoint(const std::string &folder,
                                                    const Manifest &manifest) {
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::vector<std::string> problems;
  std::set<std::string> names;
  for (const FileRecord &record : manifest.files) {
    absl::StatusOr<SafetensorsFile> file = openRecorded(folder, record);
    if (!names.insert(record.name).second)
      problems.push_back(absl::StrCat("'", record.name, "' is listed twice"));
    else if (!file.ok())
      problems.push_back(std::string(file.status().message()));
    else
      files.push_back(std::make_shared<SafetensorsFile>(*std::move(file)));
  }
  if (!problems.empty())
    return damaged("it is not whole: ", absl::StrJoin(problems, "; "));
  return fromFiles(std::move(files));
}

const StoredTensor *TensorSet::find(const std::string &name) const {
  auto it = byName.find(name);
  return it == byName.end() ? nullptr : &it->second;
}

absl::Status TensorSet::verify(const std::string &name, const Box &box) const {
  const StoredTensor *tensor = find(name);
  if (!tensor)
    return absl::NotFoundError(absl::StrCat("tensor '", name, "'"));
  for (const TensorPiece &piece : tensor->pieces) {
    if (!piece.checksum || !intersects(piece.box, box))
      continue;
    absl::Span<const std::byte> bytes = piece.file->bytes(*piece.entry);
    uint64_t actual = XXH3_64bits(bytes.data(), bytes.size());
    if (actual != *piece.checksum)
      return damaged("'", piece.file->path(), "': tensor '", name,
                     "' is damaged: checksum of its ", bytes.size(),
                     " bytes expected ", hexOf(*piece.checksum), ", found ",
                     hexOf(actual));
  }
  return absl::OkStatus();
}

void TensorSet::read(const std::string &name,
                     const BoxData<std::byte> &to) const {
  const StoredTensor *tensor = find(name);
  if (!tensor)
    return;
  for (const TensorPiece &piece : tensor->pieces)
    copyIntersection({piece.box, elementTypeOf(piece.entry->dtype),
                      piece.file->bytes(*piece.entry).data()},
                     to);
}

} // namespace orrery::runtime
