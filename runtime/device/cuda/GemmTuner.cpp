// Measuring ways to compute a matrix product.
#include "runtime/device/cuda/GemmTuner.h"

#include "absl/strings/str_cat.h"

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
constexpr double kBetter = 0.99; // what a later candidate must reach

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
    contender.index = i;
    contender.gemm = std::move(*gemm);
  }
  if (contenders.empty())
    return last;
  return contenders;
}

// Leaves the finalists, in the library's order.
void GemmTuner::tryOnce(std::vector<Contender> &contenders,
                        const GemmOperands &operands) {
  std::vector<Contender> tried;
  double best = 0;
  for (Contender &contender : contenders) {
    if (tried.size() >= kAtLeast && spent > 0.5e6 * options.tuningSeconds)
      break;
    auto run = [&](size_t set) {
      return time([&] {
        return contender.gemm->run(operands.set(set), operands.workspace(),
                                   stream.get());
      });
    };
    const double before = spent;
    if (!run(0).ok()) // loads the code, so it takes its time
      continue;
    spent = before;
    absl::StatusOr<double> once = run(1);
    if (!once.ok())
      continue;
    contender.once = *once;
    contender.times.push_back(*once);
    best = tried.empty() ? *once : std::min(best, *once);
    tried.push_back(std::move(contender));
  }
  std::erase_if(tried, [&](const Contender &contender) {
    return contender.once > kNear * best + kNearMicroseconds;
  });
  if (tried.size() > kFinalists) {
    std::stable_sort(
        tried.begin(), tried.end(),
        [](const Contender &a, const Contender &b) { return a.once < b.once; });
    tried.resize(kFinalists);
    std::sort(tried.begin(), tried.end(),
              [](const Contender &a, const Contender &b) {
                return a.index < b.index;
              });
  }
  contenders = std::move(tried);
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

absl::Status GemmTuner::compete(std::vector<Contender> &contenders,
                                const GemmOperands &operands) {
  double shortest = contenders.front().once;
  for (const Contender &contender : contenders)
    shortest = std::min(shortest, contender.once);
  const int runs = static_cast<int>(std::clamp<double>(
      kGraphMicroseconds / std::max(shortest, 0.1), 1, kMostRuns));
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
  const GemmChoice first = (*choices)[contenders->front().index];
  if (!options.tune || contenders->size() == 1)
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
  tryOnce(*contenders, *operands);
  if (contenders->empty())
    return absl::InternalError(absl::StrCat("matrix product '", problem->key(),
                                            "': none of ", choices->size(),
                                            " algorithms runs on this GPU"));
  if (absl::Status status = compete(*contenders, *operands); !status.ok())
    return status;
  const Contender *best = &contenders->front();
  for (const Contender &contender : *contenders)
    if (contender.median() < kBetter * best->median())
      best = &contender;
  GemmChoice choice = (*choices)[best->index];
  choice.microseconds = best->median();
  return choice;
}

} // namespace orrery::runtime::cuda
