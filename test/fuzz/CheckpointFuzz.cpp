// Fuzz target: safetensors files, the shard descriptions in them, and
// manifests. The first byte says which; a manifest's checksum is made right
// again where its JSON can be read, so that mutations get past it.
#include "test/fuzz/FuzzTarget.h"

#include "runtime/checkpoint/Manifest.h"
#include "runtime/checkpoint/Safetensors.h"
#include "runtime/checkpoint/TensorSet.h"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <cstdlib>

using namespace orrery::runtime;
using Json = nlohmann::json;

namespace {

int64_t accepted = 0;

/// Aborts, so that the fuzzer reports the input.
void require(bool condition) {
  if (!condition)
    std::abort();
}

/// Reads every element of every tensor, and checks every checksum.
void readEverything(std::shared_ptr<const SafetensorsFile> file) {
  for (const TensorEntry &entry : file->tensors()) {
    require(file->find(entry.name) == &entry);
    Box whole{std::vector<int64_t>(entry.shape.size(), 0), entry.shape};
    std::vector<float> values(whole.elements());
    if (!values.empty())
      require(file->readBox(entry, whole, values.data()).ok() ==
              (entry.dtype == "F32" || entry.dtype == "F16" ||
               entry.dtype == "BF16" || entry.dtype == "F64"));
  }
  absl::StatusOr<TensorSet> set = TensorSet::fromFiles({file});
  if (!set.ok()) {
    require(set.status().code() == absl::StatusCode::kDataLoss);
    return;
  }
  for (const auto &[name, tensor] : set->tensors()) {
    Box whole{std::vector<int64_t>(tensor.shape.size(), 0), tensor.shape};
    absl::Status status = set->verify(name, whole);
    require(status.ok() || status.code() == absl::StatusCode::kDataLoss);
    if (elementTypeOf(tensor.dtype) == orrery::plan::F32) {
      std::vector<float> values(whole.elements());
      set->read(name, {whole, orrery::plan::F32,
                       reinterpret_cast<std::byte *>(values.data())});
    }
  }
}

void tryManifest(std::string text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    json.erase("xxh3");
    std::string rest = json.dump(-1, ' ', true, Json::error_handler_t::replace);
    json["xxh3"] = hexOf(XXH3_64bits(rest.data(), rest.size()));
    text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  }
  absl::StatusOr<Manifest> manifest = parseManifest(text, "fuzz");
  if (!manifest.ok()) {
    require(!manifest.status().message().empty());
    return;
  }
  ++accepted;
  absl::StatusOr<std::string> again = writeManifest(*manifest);
  require(again.ok());
  absl::StatusOr<Manifest> same = parseManifest(*again, "fuzz");
  require(same.ok() && same->state == manifest->state);
}

/// A file of two tensors; `metadata` is the value of orrery.shards or empty.
std::string safetensorsSeed(const Json &shards) {
  Json header = {
      {"a", {{"dtype", "F32"}, {"shape", {2, 3}}, {"data_offsets", {0, 24}}}},
      {"b", {{"dtype", "BF16"}, {"shape", {4}}, {"data_offsets", {24, 32}}}}};
  if (!shards.is_null())
    header["__metadata__"] = {{kShardsKey, shards.dump()}};
  std::string text = header.dump(), bytes = "S";
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>(uint64_t{text.size()} >> (8 * i)));
  return bytes + text + std::string(32, '\0');
}

std::string manifestSeed() {
  Manifest manifest;
  manifest.state.step = 20;
  manifest.state.schedule.maxLr = 1e-3;
  manifest.model = {{"num_layers", "4"}};
  manifest.optimizer = "ADAM";
  manifest.layout = {{"tp", 2}};
  manifest.files = {{"rank_00000.safetensors", 123, 456}};
  return "M" + *writeManifest(manifest);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  if (data[0] == 'M') {
    tryManifest(
        std::string(reinterpret_cast<const char *>(data) + 1, size - 1));
    return 0;
  }
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::parse(
      absl::MakeConstSpan(reinterpret_cast<const std::byte *>(data) + 1,
                          size - 1),
      "fuzz");
  if (!file.ok()) {
    require(file.status().code() == absl::StatusCode::kDataLoss);
    return 0;
  }
  ++accepted;
  readEverything(std::make_shared<SafetensorsFile>(*std::move(file)));
  return 0;
}

std::vector<std::string> orrery::test::fuzzSeeds() {
  auto shard = [](std::vector<int64_t> shape, std::vector<int64_t> offset,
                  size_t bytes) {
    std::string zeros(bytes, '\0');
    return Json{{"shape", shape},
                {"offset", offset},
                {"xxh3", hexOf(XXH3_64bits(zeros.data(), bytes))}};
  };
  return {safetensorsSeed(nullptr),
          safetensorsSeed(
              {{"a", shard({2, 3}, {0, 0}, 24)}, {"b", shard({4}, {0}, 8)}}),
          safetensorsSeed(
              {{"a", shard({4, 3}, {2, 0}, 24)}, {"b", shard({8}, {4}, 8)}}),
          manifestSeed()};
}

int64_t orrery::test::fuzzAccepted() { return accepted; }
