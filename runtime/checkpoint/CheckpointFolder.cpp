// Finds checkpoints by their names.
#include "runtime/checkpoint/CheckpointFolder.h"

#include "runtime/checkpoint/Manifest.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace orrery::runtime {

namespace fs = std::filesystem;

constexpr absl::string_view kStepPrefix = "step_";

std::string stepFolderName(int64_t step) {
  return absl::StrFormat("step_%08d", step);
}

std::string rankFileName(int32_t rank) {
  return absl::StrFormat("rank_%05d.safetensors", rank);
}

std::string stateEntryName(absl::string_view state, absl::string_view name) {
  return absl::StrCat("optimizer.", state, ".", name);
}

static bool hasManifest(const fs::path &folder) {
  std::error_code error;
  return fs::is_regular_file(folder / kManifestName, error);
}

std::vector<std::string> listFolder(const std::string &directory,
                                    std::error_code &error) {
  std::vector<std::string> paths;
  fs::directory_iterator entry(directory, error), end;
  for (; !error && entry != end; entry.increment(error))
    paths.push_back(entry->path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> checkpointsIn(const std::string &directory) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const std::string &path : listFolder(directory, error)) {
    std::string name = fs::path(path).filename().string();
    int64_t step;
    if (absl::StartsWith(name, kStepPrefix) &&
        absl::SimpleAtoi(name.substr(kStepPrefix.size()), &step) &&
        hasManifest(path))
      found.push_back({step, path});
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  for (auto &[step, path] : found)
    paths.push_back(std::move(path));
  return paths;
}

absl::StatusOr<std::string> resolveCheckpoint(const std::string &directory) {
  if (hasManifest(directory))
    return directory;
  std::vector<std::string> checkpoints = checkpointsIn(directory);
  std::ifstream latest(absl::StrCat(directory, "/", kLatestName));
  if (!latest) {
    if (checkpoints.empty())
      return absl::NotFoundError(absl::StrCat(
          "no checkpoint in '", directory, "': it has no '", kManifestName,
          "', no '", kLatestName, "' and no whole step_ folder"));
    return checkpoints.front();
  }
  std::string name;
  std::getline(latest, name);
  name = std::string(absl::StripAsciiWhitespace(name));
  std::string path = absl::StrCat(directory, "/", name);
  if (absl::StartsWith(name, kStepPrefix) && !absl::StrContains(name, "/") &&
      hasManifest(path))
    return path;
  return absl::DataLossError(absl::StrCat(
      "'", directory, "/", kLatestName, "' names '", absl::CEscape(name),
      "', which is not a whole checkpoint; others there: ",
      checkpoints.empty() ? "none" : absl::StrJoin(checkpoints, ", ")));
}

} // namespace orrery::runtime
