// Collecting, measuring and sharing.
#include "runtime/device/cuda/PlanGemms.h"

#include "absl/strings/str_cat.h"
#include "runtime/log/Log.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace orrery::runtime::cuda {
namespace {

kernels::ElementType typeOf(const plan::View &view) {
  return static_cast<kernels::ElementType>(view.type());
}

int64_t alignmentOf(const plan::View &view, const plan::RankClass &rankClass) {
  const plan::Buffer &buffer =
      rankClass.buffers(static_cast<int>(view.buffer()));
  return std::min(cuda::alignmentOf(buffer.offset() + view.offset()),
                  cuda::alignmentOf(buffer.slot_stride()));
}

} // namespace

GemmProblem gemmProblem(const plan::Gemm &op,
                        const plan::RankClass &rankClass) {
  GemmProblem problem;
  problem.type = typeOf(op.a());
  problem.typeC = typeOf(op.c());
  problem.transposeA = op.transpose_a();
  problem.transposeB = op.transpose_b();
  problem.m = op.m();
  problem.n = op.n();
  problem.k = op.k();
  problem.lda = op.lda();
  problem.ldb = op.ldb();
  problem.ldc = op.ldc();
  problem.batch = std::max<int64_t>(op.batch(), 1);
  problem.strideA = op.stride_a();
  problem.strideB = op.stride_b();
  problem.strideC = op.stride_c();
  problem.alpha = static_cast<float>(op.alpha());
  problem.beta = static_cast<float>(op.beta());
  problem.epilogue = static_cast<kernels::GemmEpilogue>(op.epilogue());
  problem.alignA = alignmentOf(op.a(), rankClass);
  problem.alignB = alignmentOf(op.b(), rankClass);
  problem.alignC = alignmentOf(op.c(), rankClass);
  if (problem.hasBias())
    problem.alignBias = alignmentOf(op.bias(), rankClass);
  if (problem.hasAux())
    problem.alignAux = alignmentOf(op.aux(), rankClass);
  return problem;
}

absl::Status PlanGemms::open(const plan::Plan &plan, bool allowTf32,
                             bool search) {
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Program &program : rankClass.programs())
      for (const plan::Instruction &instruction : program.instructions()) {
        if (!instruction.has_gemm())
          continue;
        const GemmProblem problem = gemmProblem(instruction.gemm(), rankClass);
        if (std::find(problems.begin(), problems.end(), problem) ==
            problems.end())
          problems.push_back(problem);
      }
  if (problems.empty())
    return absl::OkStatus();
  absl::StatusOr<const CublasLt *> blas = CublasLt::get();
  if (!blas.ok())
    return blas.status();
  GemmOptions options;
  options.tf32 = allowTf32;
  if (!search)
    options.searchSeconds = 0;
  absl::StatusOr<std::unique_ptr<GemmLibrary>> created =
      GemmLibrary::create(**blas, options);
  if (!created.ok())
    return created.status();
  library = *std::move(created);
  algorithms = GemmAlgorithms(library->platform());
  return absl::OkStatus();
}

absl::Status PlanGemms::choose(const std::string &cache) {
  if (!library)
    return absl::OkStatus();
  std::string before;
  if (!cache.empty()) {
    absl::StatusOr<GemmAlgorithms> known = GemmAlgorithms::load(cache);
    if (known.ok()) {
      before = known->text();
      algorithms = *std::move(known);
    } else if (!absl::IsNotFound(known.status())) {
      spdlog::warn("{}; choosing matrix products anew",
                   std::string(known.status().message()));
    }
  }
  const auto unknown = std::count_if(
      problems.begin(), problems.end(), [&](const GemmProblem &problem) {
        return !library->accepts(algorithms) || !algorithms.find(problem.key());
      });
  if (unknown > 0)
    spdlog::info("measuring {} matrix products on this GPU{}{}", unknown,
                 library->searches() ? ", some seconds for each large one" : "",
                 cache.empty() ? "" : ", once for '" + cache + "'");
  if (absl::Status status = library->choose(problems, algorithms); !status.ok())
    return status;
  // A file of searched products is not mixed with others.
  if (!cache.empty() && algorithms.text() != before &&
      algorithms.platform() == library->platform())
    if (absl::Status status = algorithms.save(cache); !status.ok())
      spdlog::warn("{}; the next run chooses matrix products again, and may "
                   "give other bits",
                   std::string(status.message()));
  return absl::OkStatus();
}

// Rank 0's text, four bytes a number, as a sum in which the other ranks' are 0.
absl::Status PlanGemms::share(Communicator &world) {
  if (!library)
    return absl::OkStatus();
  const bool first = world.rank() == 0;
  std::string text = first ? algorithms.text() : "";
  int32_t length = static_cast<int32_t>(text.size());
  absl::Status status =
      world.allReduce(&length, &length, 1, plan::I32, Reduction::Sum);
  if (!status.ok())
    return status;
  std::vector<int32_t> words((static_cast<size_t>(length) + 3) / 4, 0);
  std::memcpy(words.data(), text.data(), text.size());
  status = world.allReduce(words.data(), words.data(),
                           static_cast<int64_t>(words.size()), plan::I32,
                           Reduction::Sum);
  if (!status.ok() || first)
    return status;
  text.resize(static_cast<size_t>(length));
  std::memcpy(text.data(), words.data(), text.size());
  absl::StatusOr<GemmAlgorithms> shared = GemmAlgorithms::parse(text);
  if (!shared.ok())
    return shared.status();
  algorithms = *std::move(shared);
  return library->choose(problems, algorithms);
}

absl::StatusOr<PreparedGemm *> PlanGemms::prepare(const GemmProblem &problem) {
  if (!library)
    return absl::InternalError("a matrix product that the plan does not have");
  return library->prepare(problem, algorithms);
}

kernels::ElementType PlanGemms::commonType() const {
  std::map<kernels::ElementType, int> counts;
  for (const GemmProblem &problem : problems)
    ++counts[problem.type];
  return std::max_element(
             counts.begin(), counts.end(),
             [](const auto &a, const auto &b) { return a.second < b.second; })
      ->first;
}

absl::StatusOr<PreparedGemm *>
PlanGemms::prepareFastest(const GemmProblem &problem) {
  GemmAlgorithms own(library->platform());
  if (absl::Status status = library->choose({&problem, 1}, own); !status.ok())
    return status;
  return library->prepare(problem, own);
}

std::string PlanGemms::text() const {
  return library ? absl::StrCat("matrix products: ", algorithms.size(),
                                " forms, ", library->platform())
                 : "";
}

} // namespace orrery::runtime::cuda
