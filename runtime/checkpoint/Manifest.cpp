// To JSON and back, with every field checked on the way back.
#include "runtime/checkpoint/Manifest.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <cmath>

namespace orrery::runtime {

using Json = nlohmann::json;

std::string hexOf(uint64_t checksum) {
  return absl::StrFormat("%016x", checksum);
}

absl::StatusOr<uint64_t> checksumFromHex(absl::string_view text) {
  uint64_t value = 0;
  if (text.size() != 16)
    return absl::DataLossError("a checksum is not 16 hexadecimal digits");
  for (char digit : text) {
    int nibble = digit >= '0' && digit <= '9'   ? digit - '0'
                 : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                : -1;
    if (nibble < 0)
      return absl::DataLossError("a checksum is not 16 hexadecimal digits");
    value = value << 4 | static_cast<uint64_t>(nibble);
  }
  return value;
}

std::map<std::string, std::string> modelFields(const job::JobSpec &job) {
  const job::Model &model = job.model();
  return {
      {"num_layers", absl::StrCat(model.num_layers())},
      {"hidden_size", absl::StrCat(model.hidden_size())},
      {"ffn_hidden_size", absl::StrCat(model.ffn_hidden_size())},
      {"num_attention_heads", absl::StrCat(model.num_attention_heads())},
      {"kv_channels", absl::StrCat(model.kv_channels())},
      {"max_position_embeddings",
       absl::StrCat(model.max_position_embeddings())},
      {"vocab_size", absl::StrCat(model.vocab_size())},
      {"layernorm_epsilon",
       absl::StrFormat("%.17g", model.layernorm_epsilon())},
      {"residual_post_layernorm",
       model.residual_post_layernorm() ? "true" : "false"},
      {"activation", job::Model::Activation_Name(model.activation())},
  };
}

static uint64_t checksumOf(const Json &json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  return XXH3_64bits(text.data(), text.size());
}

absl::StatusOr<std::string> writeManifest(const Manifest &manifest) {
  const TrainingState &state = manifest.state;
  for (double value : {state.schedule.maxLr, state.schedule.minLr,
                       state.schedule.warmupSamples,
                       state.schedule.decaySamples, state.lossScale.scale})
    if (!std::isfinite(value))
      return absl::InvalidArgumentError(absl::StrCat(
          "training state has the value ", value, ", which is not finite"));
  Json files = Json::array();
  for (const FileRecord &file : manifest.files)
    files.push_back({{"name", file.name},
                     {"bytes", file.bytes},
                     {"header_xxh3", hexOf(file.headerChecksum)}});
  Json json = {{"format", kCheckpointFormat},
               {"state",
                {{"step", state.step},
                 {"optimizer_step", state.optimizerStep},
                 {"consumed_train_samples", state.consumedTrainSamples},
                 {"consumed_valid_samples", state.consumedValidSamples},
                 {"schedule",
                  {{"max_lr", state.schedule.maxLr},
                   {"min_lr", state.schedule.minLr},
                   {"decay", job::Train::Decay_Name(state.schedule.decay)},
                   {"warmup_samples", state.schedule.warmupSamples},
                   {"decay_samples", state.schedule.decaySamples},
                   {"samples", state.schedule.samples}}},
                 {"loss_scale",
                  {{"scale", state.lossScale.scale},
                   {"growth_tracker", state.lossScale.growthTracker},
                   {"hysteresis", state.lossScale.hysteresis}}}}},
               {"model", manifest.model},
               {"optimizer", manifest.optimizer},
               {"layout", manifest.layout},
               {"files", files}};
  json["xxh3"] = hexOf(checksumOf(json));
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

namespace {

/// Reads fields and keeps the first error.
class FieldReader {
public:
  explicit FieldReader(const std::string &path) : path(path) {}

  const absl::Status &status() const { return first; }

  void fail(absl::string_view what) {
    if (first.ok())
      first = absl::DataLossError(absl::StrCat("'", path, "': ", what));
  }

  const Json &object(const Json &parent, const char *key) {
    return typed(parent, key, Json::value_t::object, "an object");
  }
  const Json &array(const Json &parent, const char *key) {
    return typed(parent, key, Json::value_t::array, "a list");
  }
  std::string text(const Json &parent, const char *key) {
    const Json &value = typed(parent, key, Json::value_t::string, "a text");
    return value.is_string() ? value.get<std::string>() : "";
  }
  int64_t count(const Json &parent, const char *key) {
    if (!parent.is_object() || !parent.contains(key) ||
        !parent[key].is_number_unsigned() ||
        parent[key].get<uint64_t>() >= uint64_t{1} << 62) {
      fail(absl::StrCat("field '", key, "' is not a whole number from 0"));
      return 0;
    }
    return parent[key].get<int64_t>();
  }
  /// A counter that may be negative (hysteresis after several overflows).
  int64_t integer(const Json &parent, const char *key) {
    if (!parent.is_object() || !parent.contains(key) ||
        !parent[key].is_number_integer()) {
      fail(absl::StrCat("field '", key, "' is not a whole number"));
      return 0;
    }
    return parent[key].get<int64_t>();
  }
  double number(const Json &parent, const char *key) {
    if (!parent.is_object() || !parent.contains(key) ||
        !parent[key].is_number() || !std::isfinite(parent[key].get<double>())) {
      fail(absl::StrCat("field '", key, "' is not a finite number"));
      return 0;
    }
    return parent[key].get<double>();
  }
  uint64_t checksum(const Json &parent, const char *key) {
    absl::StatusOr<uint64_t> value = checksumFromHex(text(parent, key));
    if (!value.ok())
      fail(absl::StrCat("field '", key, "': ", value.status().message()));
    return value.value_or(0);
  }

private:
  const Json &typed(const Json &parent, const char *key, Json::value_t type,
                    const char *what) {
    static const Json kNull;
    if (parent.is_object() && parent.contains(key) &&
        parent[key].type() == type)
      return parent[key];
    fail(absl::StrCat("field '", key, "' is not ", what));
    return kNull;
  }

  std::string path;
  absl::Status first;
};

TrainingState readState(FieldReader &reader, const Json &json) {
  TrainingState state;
  state.step = reader.count(json, "step");
  state.optimizerStep = reader.count(json, "optimizer_step");
  state.consumedTrainSamples = reader.count(json, "consumed_train_samples");
  state.consumedValidSamples = reader.count(json, "consumed_valid_samples");
  const Json &schedule = reader.object(json, "schedule");
  state.schedule.maxLr = reader.number(schedule, "max_lr");
  state.schedule.minLr = reader.number(schedule, "min_lr");
  if (!job::Train::Decay_Parse(reader.text(schedule, "decay"),
                               &state.schedule.decay))
    reader.fail("field 'decay' is not CONSTANT, LINEAR or COSINE");
  state.schedule.warmupSamples = reader.number(schedule, "warmup_samples");
  state.schedule.decaySamples = reader.number(schedule, "decay_samples");
  state.schedule.samples = reader.count(schedule, "samples");
  const Json &scale = reader.object(json, "loss_scale");
  state.lossScale.scale = reader.number(scale, "scale");
  state.lossScale.growthTracker = reader.count(scale, "growth_tracker");
  state.lossScale.hysteresis = reader.integer(scale, "hysteresis");
  return state;
}

FileRecord readFileRecord(FieldReader &reader, const Json &json) {
  FileRecord file{reader.text(json, "name"),
                  static_cast<uint64_t>(reader.count(json, "bytes")),
                  reader.checksum(json, "header_xxh3")};
  if (file.name.empty() || file.name.find('/') != std::string::npos)
    reader.fail(absl::StrCat("file name '", file.name,
                             "' is not a name inside the folder"));
  return file;
}

} // namespace

absl::StatusOr<Manifest> parseManifest(absl::string_view text,
                                       const std::string &path) {
  FieldReader reader(path);
  Json json = Json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    reader.fail("is not a JSON object");
    return reader.status();
  }
  int64_t format = reader.count(json, "format");
  uint64_t stored = reader.checksum(json, "xxh3");
  if (!reader.status().ok())
    return reader.status();
  if (format != kCheckpointFormat)
    return absl::FailedPreconditionError(
        absl::StrCat("'", path, "': checkpoint format ", format,
                     ", this build reads format ", kCheckpointFormat));
  json.erase("xxh3");
  if (uint64_t actual = checksumOf(json); actual != stored) {
    reader.fail(absl::StrCat("checksum expected ", hexOf(stored), ", found ",
                             hexOf(actual)));
    return reader.status();
  }
  Manifest manifest;
  manifest.state = readState(reader, reader.object(json, "state"));
  manifest.optimizer = reader.text(json, "optimizer");
  const Json &model = reader.object(json, "model");
  for (const auto &[key, value] : model.items())
    manifest.model[key] = reader.text(model, key.c_str());
  const Json &layout = reader.object(json, "layout");
  for (const auto &[key, value] : layout.items())
    manifest.layout[key] = reader.count(layout, key.c_str());
  for (const Json &file : reader.array(json, "files"))
    manifest.files.push_back(readFileRecord(reader, file));
  if (!reader.status().ok())
    return reader.status();
  return manifest;
}

} // namespace orrery::runtime
