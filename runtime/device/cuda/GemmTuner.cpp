// Measuring ways to compute a matrix product.
#include "runtime/device/cuda/GemmTuner.h"

#include "absl/strings/str_cat.h"
#include "runtime/device/cuda/GemmAgreement.h"
#include "runtime/device/cuda/GemmSearch.h"
#include "runtime/log/Log.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

// Of one measurement, about: together the finalists' are long enough for the
// clock to sink to what it is in a training step.
constexpr double kGraphMicroseconds = 2000;
constexpr int kMostRuns = 64; // in a graph
// Finalists: within these of the fastest single run. Single runs of short
// products are mostly the launch.
constexpr double kNear = 1.25, kNearMicroseconds = 5;
constexpr double kBetter = 0.995; // what a later candidate must reach
// Shorter products are not worth a search.
constexpr double kLongMicroseconds = 50;
constexpr size_t kMostContenders = 64; // at once

} // namespace

double GemmTuner::Contender::median() const {
  std::vector<double> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

absl::Status GemmTuner::start() {
  spent = 0;
  if (stream.get())
    return absl::OkStatus();
  absl::StatusOr<Stream> queue = createStream(false);
  if (!queue.ok())
    return queue.status();
  absl::StatusOr<Event> first = createEvent(true), second = createEvent(true);
  if (!first.ok() || !second.ok())
    return first.ok() ? second.status() : first.status();
  stream = std::move(*queue);
  begin = std::move(*first), end = std::move(*second);
  return absl::OkStatus();
}

// Microseconds that what `enqueue` queues takes on the device.
template <typename Enqueue>
absl::StatusOr<double> GemmTuner::time(Enqueue &&enqueue) {
  auto check = [](cudaError_t error) {
    return toStatus(error, "time a matrix product");
  };
  float milliseconds = 0;
  absl::Status status = check(cudaEventRecord(begin.get(), stream.get()));
  if (status.ok())
    status = enqueue();
  if (status.ok())
    status = check(cudaEventRecord(end.get(), stream.get()));
  if (status.ok())
    status = check(cudaEventSynchronize(end.get()));
  if (status.ok())
    status = check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
  if (!status.ok())
    return status;
  spent += 1000.0 * milliseconds;
  return 1000.0 * milliseconds;
}

absl::StatusOr<std::vector<GemmTuner::Contender>>
GemmTuner::prepareAll(const GemmProblem &problem,
                      const std::vector<GemmChoice> &choices) const {
  std::vector<Contender> contenders;
  absl::Status last;
  for (size_t i = 0; i < choices.size(); ++i) {
    absl::StatusOr<std::unique_ptr<PreparedGemm>> gemm =
        library.prepareChoice(problem, choices[i]);
    if (!gemm.ok()) {
      last = gemm.status();
      continue;
    }
    Contender &contender = contenders.emplace_back();
    contender.order = i;
    contender.choice = choices[i];
    contender.gemm = std::move(*gemm);
  }
  if (contenders.empty())
    return last;
  return contenders;
}

std::optional<double> GemmTuner::timeOnce(PreparedGemm &gemm,
                                          const GemmOperands &operands) {
  auto run = [&](size_t set) {
    return time([&] {
      return gemm.run(operands.set(set), operands.workspace(), stream.get());
    });
  };
  const double before = spent;
  if (!run(0).ok()) // loads the code, so it takes its time
    return std::nullopt;
  spent = before;
  absl::StatusOr<double> once = run(1);
  return once.ok() ? std::optional(*once) : std::nullopt;
}

void GemmTuner::tryProposals(std::vector<Contender> &contenders,
                             const GemmOperands &operands) {
  std::vector<Contender> tried;
  for (Contender &contender : contenders) {
    if (tried.size() >= kAtLeast && spent > 0.5e6 * options.tuningSeconds)
      break;
    const std::optional<double> once = timeOnce(*contender.gemm, operands);
    if (!once)
      continue;
    contender.once = *once;
    contender.times.push_back(*once);
    tried.push_back(std::move(contender));
  }
  contenders = std::move(tried);
}

absl::Status GemmTuner::search(const GemmProblem &problem,
                               const std::vector<GemmChoice> &proposals,
                               std::vector<Contender> &contenders,
                               const GemmOperands &operands) {
  const double before = spent;
  size_t next = proposals.size();
  GemmSearch search(library.functions(), problem, library.multiprocessors());
  search.run(proposals, options.searchSeconds,
             [&](const GemmChoice &choice) -> std::optional<double> {
               absl::StatusOr<std::unique_ptr<PreparedGemm>> gemm =
                   library.prepareChoice(problem, choice);
               if (!gemm.ok() ||
                   (*gemm)->workspaceBytes() > operands.workspaceBytes())
                 return std::nullopt;
               const std::optional<double> once = timeOnce(**gemm, operands);
               const bool proposed = std::any_of(
                   proposals.begin(), proposals.end(), [&](const auto &other) {
                     return other.algorithm == choice.algorithm;
                   });
               if (!once || proposed)
                 return once;
               Contender &contender = contenders.emplace_back();
               contender.order = next++;
               contender.found = true;
               contender.choice = choice;
               contender.gemm = *std::move(gemm);
               contender.once = *once;
               contender.times.push_back(*once);
               if (contenders.size() > kMostContenders)
                 keepFinalists(contenders);
               return once;
             });
  spent = before; // the finalists' time is another
  // What a kernel does wrong can make the device useless.
  return toStatus(cudaStreamSynchronize(stream.get()),
                  absl::StrCat("matrix product '", problem.key(),
                               "': a form that cuBLASLt did not propose "
                               "(--no-product-search leaves those out)"));
}

// In order: the best proposal, and the fastest of others that are near the
// best.
void GemmTuner::keepFinalists(std::vector<Contender> &contenders) {
  std::stable_sort(
      contenders.begin(), contenders.end(),
      [](const Contender &a, const Contender &b) { return a.once < b.once; });
  const double limit = kNear * contenders.front().once + kNearMicroseconds;
  size_t proposals = 0, found = 0;
  std::erase_if(contenders, [&](const Contender &contender) {
    const bool isNear = contender.once <= limit;
    if (contender.found)
      return !isNear || ++found > kFound;
    return ++proposals > (isNear ? kProposals : 1);
  });
  std::sort(
      contenders.begin(), contenders.end(),
      [](const Contender &a, const Contender &b) { return a.order < b.order; });
}

absl::StatusOr<GraphExec>
GemmTuner::capture(PreparedGemm &gemm, const GemmOperands &operands, int runs) {
  auto check = [](cudaError_t error) {
    return toStatus(error, "capture a matrix product");
  };
  absl::Status status = check(
      cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
  if (!status.ok())
    return status;
  for (int i = 0; i < runs && status.ok(); ++i)
    status = gemm.run(operands.set(i), operands.workspace(), stream.get());
  cudaGraph_t captured = nullptr;
  status.Update(check(cudaStreamEndCapture(stream.get(), &captured)));
  Graph graph(captured);
  cudaGraphExec_t created = nullptr;
  if (status.ok())
    status = check(cudaGraphInstantiate(&created, graph.get(), 0));
  GraphExec exec(created);
  if (status.ok())
    status = check(cudaGraphUpload(exec.get(), stream.get()));
  if (!status.ok())
    return status;
  return exec;
}

double GemmTuner::shortest(const std::vector<Contender> &contenders) {
  return std::min_element(contenders.begin(), contenders.end(),
                          [](const Contender &a, const Contender &b) {
                            return a.once < b.once;
                          })
      ->once;
}

absl::Status GemmTuner::compete(std::vector<Contender> &contenders,
                                const GemmOperands &operands) {
  const int runs = static_cast<int>(std::clamp<double>(
      kGraphMicroseconds / std::max(shortest(contenders), 0.1), 1, kMostRuns));
  absl::Status last;
  for (Contender &contender : contenders) {
    absl::StatusOr<GraphExec> graph = capture(*contender.gemm, operands, runs);
    if (graph.ok())
      contender.graph = std::move(*graph);
    else
      last = graph.status();
    if (runs > 1)
      contender.times.clear(); // the single run was mostly its launch
  }
  std::erase_if(contenders, [](const Contender &c) { return !c.graph.get(); });
  if (contenders.empty())
    return last;
  for (size_t round = 0; round < kRounds; ++round) {
    if (round > 0 && spent > 1e6 * options.tuningSeconds)
      break;
    for (Contender &contender : contenders) {
      absl::StatusOr<double> all = time([&] {
        return toStatus(cudaGraphLaunch(contender.graph.get(), stream.get()),
                        "run matrix products");
      });
      if (!all.ok())
        return all.status();
      contender.times.push_back(*all / runs);
    }
  }
  return absl::OkStatus();
}

GemmChoice GemmTuner::decide(const GemmChoice &first, PreparedGemm &truth,
                             std::vector<Contender> contenders,
                             const GemmOperands &operands) {
  while (!contenders.empty()) {
    auto best = contenders.begin();
    for (auto at = best; at != contenders.end(); ++at)
      if (at->median() < kBetter * best->median())
        best = at;
    absl::StatusOr<bool> right = true;
    if (best->found)
      right = agree(truth, *best->gemm, operands, stream.get());
    if (right.ok() && *right) {
      best->choice.microseconds = best->median();
      return best->choice;
    }
    spdlog::warn("matrix product '{}': left out a form with another result{}",
                 truth.problem().key(),
                 right.ok() ? ""
                            : ": " + std::string(right.status().message()));
    contenders.erase(best);
  }
  return first;
}

absl::StatusOr<GemmChoice> GemmTuner::choose(const GemmProblem &wanted) {
  // Alpha does not matter and beta only by being 0 or not: see key().
  absl::StatusOr<GemmProblem> problem = GemmProblem::fromKey(wanted.key());
  if (!problem.ok())
    return problem.status();
  absl::StatusOr<std::vector<GemmChoice>> choices =
      library.candidates(*problem);
  if (!choices.ok())
    return choices.status();
  absl::StatusOr<std::vector<Contender>> contenders =
      prepareAll(*problem, *choices);
  if (!contenders.ok())
    return contenders.status();
  const GemmChoice first = contenders->front().choice;
  if (!options.tune || (contenders->size() == 1 && options.searchSeconds <= 0))
    return first;

  if (absl::Status status = start(); !status.ok())
    return status;
  int64_t workspace = 0;
  for (const Contender &contender : *contenders)
    workspace = std::max(workspace, contender.gemm->workspaceBytes());
  absl::StatusOr<GemmOperands> operands =
      GemmOperands::create(*problem, workspace, stream.get());
  if (absl::IsResourceExhausted(operands.status()))
    return first;
  if (!operands.ok())
    return operands.status();
  tryProposals(*contenders, *operands);
  if (contenders->empty())
    return absl::InternalError(absl::StrCat("matrix product '", problem->key(),
                                            "': none of ", choices->size(),
                                            " algorithms runs on this GPU"));
  const GemmChoice runs = contenders->front().choice;
  absl::StatusOr<std::unique_ptr<PreparedGemm>> truth =
      library.prepareChoice(*problem, runs);
  absl::Status status = truth.status();
  if (status.ok() && options.searchSeconds > 0 &&
      shortest(*contenders) > kLongMicroseconds)
    status = search(*problem, *choices, *contenders, *operands);
  keepFinalists(*contenders);
  if (status.ok())
    status = compete(*contenders, *operands);
  if (!status.ok())
    return status;
  return decide(runs, **truth, *std::move(contenders), *operands);
}

} // namespace orrery::runtime::cuda
