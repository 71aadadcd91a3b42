// Features from /proc/cpuinfo, compared with those of a plan.
#include "runtime/device/cpu/CpuFeatures.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <fstream>
#include <map>
#include <sstream>

namespace orrery::runtime {
namespace {

#if defined(__x86_64__)
constexpr const char *kArchitecture = "x86_64";
#elif defined(__aarch64__)
constexpr const char *kArchitecture = "aarch64";
#else
constexpr const char *kArchitecture = "unknown";
#endif

} // namespace

std::set<std::string> machineFeatures() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!absl::StartsWith(line, "flags") && !absl::StartsWith(line, "Features"))
      continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::set<std::string> features;
    for (std::string word; words >> word;)
      features.insert(word);
    return features;
  }
  return {};
}

std::string linuxFeature(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> kNames = {
      {"sse3", "pni"},
      {"sse4.1", "sse4_1"},
      {"sse4.2", "sse4_2"},
      {"crc32", "sse4_2"},
      {"lzcnt", "abm"},
      {"bmi", "bmi1"},
      {"sahf", "lahf_lm"},
      {"pclmul", "pclmulqdq"},
      {"prfchw", "3dnowprefetch"},
      {"rdrnd", "rdrand"},
      {"sha", "sha_ni"},
      {"x87", "fpu"},
      {"64bit", "lm"},
      {"avxvnni", "avx_vnni"},
      {"avx512vnni", "avx512_vnni"},
      {"avx512fp16", "avx512_fp16"},
      {"avx512vp2intersect", "avx512_vp2intersect"},
      {"avx512bf16", "avx512_bf16"},
      {"avx512bitalg", "avx512_bitalg"},
      {"avx512vbmi2", "avx512_vbmi2"},
      {"avx512vpopcntdq", "avx512_vpopcntdq"}};
  auto found = kNames.find(name);
  return found == kNames.end() ? std::string(name) : found->second;
}

absl::Status checkTarget(const plan::Target &target,
                         const std::set<std::string> &available) {
  if (target.name() != "cpu")
    return absl::FailedPreconditionError(
        absl::StrCat("the plan is for target '", target.name(),
                     "' and this program runs plans for 'cpu'; compile with "
                     "--target=cpu"));
  const std::string architecture =
      target.triple().substr(0, target.triple().find('-'));
  if (!target.triple().empty() && architecture != kArchitecture)
    return absl::FailedPreconditionError(
        absl::StrCat("the plan's kernels are for ", target.triple(),
                     " and this machine is ", kArchitecture));
  std::vector<std::string> missing;
  for (std::string feature : target.features()) {
    if (absl::StartsWith(feature, "-"))
      continue;
    if (absl::StartsWith(feature, "+"))
      feature = feature.substr(1);
    if (!available.count(linuxFeature(feature)))
      missing.push_back(feature);
  }
  if (missing.empty())
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "this machine's processor lacks ", absl::StrJoin(missing, ", "),
      ", which the plan's kernels for ", target.cpu(),
      " use; compile the plan on this machine or for an older processor"));
}

} // namespace orrery::runtime
