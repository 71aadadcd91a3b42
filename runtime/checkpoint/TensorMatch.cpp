// Walks the parameters of the whole plan, then looks for what is left over.
#include "runtime/checkpoint/TensorMatch.h"

#include "runtime/checkpoint/CheckpointFolder.h"
#include "runtime/plan/RandomKey.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <set>

namespace orrery::runtime {
namespace {

constexpr absl::string_view kMaster = "master";

bool isFloating(absl::string_view dtype) {
  plan::ElementType type = elementTypeOf(dtype);
  return type == plan::F32 || type == plan::F16 || type == plan::BF16 ||
         type == plan::F64;
}

class Matcher {
public:
  Matcher(const plan::Plan &plan, const TensorSet &stored,
          std::vector<std::string> &notes)
      : plan(plan), stored(stored), notes(notes) {}

  void matchAll(bool optimizer);
  absl::Status result(bool optimizer) const;

private:
  void match(const std::string &name, const plan::Parameter &parameter,
             bool optional, bool isState);
  bool vocabularyFits(const std::string &name,
                      const std::vector<int64_t> &wanted,
                      const std::vector<int64_t> &found, bool isState);

  const plan::Plan &plan;
  const TensorSet &stored;
  std::vector<std::string> &notes;
  std::set<std::string> seen;
  std::vector<std::string> missing;
  std::vector<std::string> different;
};

bool Matcher::vocabularyFits(const std::string &name,
                             const std::vector<int64_t> &wanted,
                             const std::vector<int64_t> &found, bool isState) {
  const job::Model &model = plan.job().model();
  if (wanted.empty() || wanted.size() != found.size() ||
      !std::equal(wanted.begin() + 1, wanted.end(), found.begin() + 1) ||
      model.vocab_size() < 1 || wanted[0] != model.padded_vocab_size() ||
      wanted[0] < model.vocab_size() || found[0] < model.vocab_size())
    return false;
  if (isState)
    return true;
  std::string rows = wanted[0] > found[0]
                         ? absl::StrCat("rows ", found[0], "..", wanted[0] - 1,
                                        " are initialised as in a new run")
                         : absl::StrCat("rows ", wanted[0], "..", found[0] - 1,
                                        " are dropped");
  notes.push_back(absl::StrCat("'", name, "' has ", found[0],
                               " rows where this layout pads the "
                               "vocabulary of ",
                               model.vocab_size(), " to ", wanted[0], ": ",
                               rows,
                               "; no token names them, but the loss counts "
                               "them: it differs from the other padding's"));
  return true;
}

void Matcher::match(const std::string &name, const plan::Parameter &parameter,
                    bool optional, bool isState) {
  if (!seen.insert(name).second)
    return;
  const StoredTensor *tensor = stored.find(name);
  if (!tensor) {
    if (!optional)
      missing.push_back(name);
    return;
  }
  std::vector<int64_t> wanted(parameter.global_shape().begin(),
                              parameter.global_shape().end());
  if (!isFloating(tensor->dtype))
    different.push_back(absl::StrCat(name, " has the type ", tensor->dtype));
  else if (wanted != tensor->shape &&
           !vocabularyFits(name, wanted, tensor->shape, isState))
    different.push_back(
        absl::StrCat(name, " has shape [", absl::StrJoin(tensor->shape, ", "),
                     "], the plan has [", absl::StrJoin(wanted, ", "), "]"));
}

void Matcher::matchAll(bool optimizer) {
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members())
      for (const plan::Parameter &parameter : rankClass.parameters()) {
        std::string name =
            fillLayer(parameter.name(),
                      int64_t{member.first_layer()} + parameter.layer());
        match(name, parameter, false, false);
        match(stateEntryName(kMaster, name), parameter, true, true);
        if (!optimizer)
          continue;
        const plan::Bucket &bucket =
            rankClass.buckets(static_cast<int>(parameter.bucket()));
        for (const plan::Bucket::State &state : bucket.states())
          match(stateEntryName(state.name(), name), parameter,
                state.name() == kMaster, true);
      }
}

/// "3 missing: a, b, c", with at most ten names.
std::string listed(absl::string_view what,
                   const std::vector<std::string> &names) {
  constexpr size_t kMost = 10;
  std::vector<std::string> first(names.begin(),
                                 names.begin() + std::min(kMost, names.size()));
  return absl::StrCat(names.size(), " ", what, ": ", absl::StrJoin(first, ", "),
                      names.size() > kMost ? ", …" : "");
}

absl::Status Matcher::result(bool optimizer) const {
  std::vector<std::string> extra;
  for (const auto &[name, tensor] : stored.tensors())
    if (!seen.count(name) &&
        (optimizer || !absl::StartsWith(name, "optimizer.")))
      extra.push_back(name);
  std::vector<std::string> problems;
  if (!missing.empty())
    problems.push_back(listed("missing", missing));
  if (!extra.empty())
    problems.push_back(listed("not in the plan", extra));
  if (!different.empty())
    problems.push_back(listed("different", different));
  if (problems.empty())
    return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the tensors are not those of the plan: ",
                   absl::StrJoin(problems, "; ")));
}

} // namespace

absl::Status matchTensors(const plan::Plan &plan, const TensorSet &stored,
                          bool optimizer, std::vector<std::string> &notes) {
  Matcher matcher(plan, stored, notes);
  matcher.matchAll(optimizer);
  return matcher.result(optimizer);
}

} // namespace orrery::runtime
