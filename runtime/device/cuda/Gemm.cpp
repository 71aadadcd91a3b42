// Proposals of cuBLASLt, choices among them, and running what was chosen.
#include "runtime/device/cuda/Gemm.h"

#include "absl/strings/str_cat.h"
#include "kernels/cuda/GemmEpilogue.h"
#include "runtime/device/cuda/CudaStatus.h"
#include "runtime/device/cuda/GemmTuner.h"

#include <bit>

namespace orrery::runtime::cuda {
namespace {

using kernels::GemmEpilogue;

// In the name of a platform: products were searched, too.
constexpr absl::string_view kSearched = ", searched";

std::string text(const GemmProblem &problem) {
  return absl::StrCat("matrix product '", problem.key(), "'");
}

// What the library may assume of an operand's products in a batch.
uint32_t alignmentInBatch(int64_t alignment, int64_t stride, int64_t batch,
                          kernels::ElementType type) {
  if (batch > 1)
    alignment = std::min(alignment, alignmentOf(static_cast<uint64_t>(
                                        stride * kernels::elementBytes(type))));
  return static_cast<uint32_t>(alignment);
}

// Sums that are split over blocks must be added in a fixed order: through the
// workspace, in F32.
bool hasFixedOrder(const CublasLt &blas,
                   const cublasLtMatmulAlgo_t &algorithm) {
  const auto scheme =
      blas.config<uint32_t>(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
  // Without an answer the preference's mask stands.
  return !scheme || *scheme == CUBLASLT_REDUCTION_SCHEME_NONE ||
         *scheme == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
}

} // namespace

absl::Status PreparedGemm::checkPointers(const GemmPointers &at) const {
  auto check = [&](const void *address, int64_t alignment,
                   absl::string_view operand) -> absl::Status {
    if (address && reinterpret_cast<uintptr_t>(address) % alignment == 0)
      return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(text(is), ": operand ", operand, " lies at ",
                     reinterpret_cast<uintptr_t>(address),
                     ", expected a multiple of ", alignment));
  };
  absl::Status status = check(at.a, is.alignA, "a");
  status.Update(check(at.b, is.alignB, "b"));
  status.Update(check(at.c, is.alignC, "c"));
  if (is.hasBias())
    status.Update(check(at.bias, is.alignBias, "bias"));
  if (is.hasAux())
    status.Update(check(at.aux, is.alignAux, "aux"));
  return status;
}

absl::Status PreparedGemm::run(const GemmPointers &at, void *workspaceAt,
                               cudaStream_t stream) {
  if (absl::Status status = checkPointers(at); !status.ok())
    return status;
  if (is.epilogue != GemmEpilogue::None && !separateEpilogue)
    if (absl::Status status = description.setPointers(
            is.hasBias() ? at.bias : nullptr, is.hasAux() ? at.aux : nullptr);
        !status.ok())
      return status;
  const float beta = at.overwrite ? 0 : is.beta;
  cublasStatus_t status =
      blas.matmul(handle, description.operation(), &is.alpha, at.b,
                  description.first(), at.a, description.second(), &beta, at.c,
                  description.out(), at.c, description.out(), &algorithm,
                  workspaceAt, static_cast<size_t>(workspace), stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return blas.toStatus(status, text(is));
  if (!separateEpilogue)
    return absl::OkStatus();
  cudaError_t error = kernels::cuda::gemmEpilogue(
      is.epilogue, is.typeC,
      {at.c, at.bias, at.aux, is.m, is.n, is.ldc, is.batch, is.strideC},
      stream);
  return error == cudaSuccess
             ? absl::OkStatus()
             : toStatus(error, absl::StrCat("epilogue of ", text(is)));
}

absl::StatusOr<std::unique_ptr<GemmLibrary>>
GemmLibrary::create(const CublasLt &blas, const GemmOptions &options) {
  std::unique_ptr<GemmLibrary> library(new GemmLibrary(blas, options));
  int device = 0;
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess)
    error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess)
    return absl::UnavailableError(
        toStatus(error, "cannot use a GPU for matrix products").message());
  cublasStatus_t status = blas.create(&library->handle);
  if (status != CUBLAS_STATUS_SUCCESS)
    return absl::UnavailableError(
        blas.toStatus(status, absl::StrCat("cannot use GPU ", device, " (",
                                           properties.name, ")"))
            .message());
  library->processors = properties.multiProcessorCount;
  library->on =
      absl::StrCat("cuBLASLt ", blas.getVersion(), ", ", properties.name,
                   " of ", library->processors, " multiprocessors, workspace ",
                   options.workspaceBytes, options.tf32 ? ", tf32" : "",
                   library->searches() ? kSearched : "");
  return library;
}

GemmLibrary::~GemmLibrary() {
  prepared.clear();
  if (handle)
    static_cast<void>(blas.destroy(handle)); // nothing is left to be done
}

absl::StatusOr<std::vector<GemmChoice>>
GemmLibrary::propose(const GemmProblem &p, GemmEpilogue epilogue) const {
  absl::StatusOr<GemmDescription> d =
      GemmDescription::create(blas, p, epilogue, options.tf32);
  if (!d.ok())
    return d.status();
  cublasLtMatmulPreference_t created = nullptr;
  cublasStatus_t status = blas.matmulPreferenceCreate(&created);
  std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                  decltype(blas.matmulPreferenceDestroy)>
      preference(created, blas.matmulPreferenceDestroy);
  auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    if (status == CUBLAS_STATUS_SUCCESS)
      status = blas.matmulPreferenceSetAttribute(preference.get(), attribute,
                                                 &value, sizeof(value));
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      static_cast<uint64_t>(options.workspaceBytes));
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  // The library's first operand is B.
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
      alignmentInBatch(p.alignB, p.strideB, p.batch, p.type));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
      alignmentInBatch(p.alignA, p.strideA, p.batch, p.type));
  for (auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                         CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(attribute, alignmentInBatch(p.alignC, p.strideC, p.batch, p.typeC));
  if (status != CUBLAS_STATUS_SUCCESS)
    return blas.toStatus(status, absl::StrCat("preferences of ", text(p)));

  std::vector<cublasLtMatmulHeuristicResult_t> results(
      std::max(1, options.candidates));
  int found = 0;
  status = blas.matmulAlgoGetHeuristic(
      handle, d->operation(), d->first(), d->second(), d->out(), d->out(),
      preference.get(), static_cast<int>(results.size()), results.data(),
      &found);
  // Both mean that no algorithm computes this.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED ||
      status == CUBLAS_STATUS_INVALID_VALUE)
    found = 0;
  else if (status != CUBLAS_STATUS_SUCCESS)
    return blas.toStatus(status, absl::StrCat("algorithms for ", text(p)));
  std::vector<GemmChoice> choices;
  for (int i = 0; i < found; ++i) {
    if (results[i].state != CUBLAS_STATUS_SUCCESS ||
        !hasFixedOrder(blas, results[i].algo))
      continue;
    GemmChoice &choice = choices.emplace_back();
    choice.separateEpilogue = epilogue != p.epilogue;
    choice.algorithm =
        std::bit_cast<decltype(choice.algorithm)>(results[i].algo);
  }
  return choices;
}

absl::StatusOr<std::vector<GemmChoice>>
GemmLibrary::candidates(const GemmProblem &problem) const {
  if (absl::Status status = problem.check(); !status.ok())
    return status;
  absl::StatusOr<std::vector<GemmChoice>> choices =
      propose(problem, problem.epilogue);
  if (choices.ok() && choices->empty() &&
      problem.epilogue != GemmEpilogue::None)
    choices = propose(problem, GemmEpilogue::None);
  if (choices.ok() && choices->empty())
    return absl::UnimplementedError(
        absl::StrCat(text(problem), ": ", on, " has no algorithm for it"));
  return choices;
}

absl::StatusOr<std::unique_ptr<PreparedGemm>>
GemmLibrary::prepareChoice(const GemmProblem &problem,
                           const GemmChoice &choice) const {
  if (absl::Status status = problem.check(); !status.ok())
    return status;
  absl::StatusOr<GemmDescription> description = GemmDescription::create(
      blas, problem,
      choice.separateEpilogue ? GemmEpilogue::None : problem.epilogue,
      options.tf32);
  if (!description.ok())
    return description.status();
  std::unique_ptr<PreparedGemm> gemm(
      new PreparedGemm(blas, handle, problem, std::move(*description)));
  gemm->separateEpilogue = choice.separateEpilogue;
  gemm->algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(choice.algorithm);
  if (!hasFixedOrder(blas, gemm->algorithm))
    return absl::FailedPreconditionError(absl::StrCat(
        "algorithm for ", text(problem), ": its sums have no fixed order"));
  cublasLtMatmulHeuristicResult_t result = {};
  cublasStatus_t status = blas.matmulAlgoCheck(
      handle, gemm->description.operation(), gemm->description.first(),
      gemm->description.second(), gemm->description.out(),
      gemm->description.out(), &gemm->algorithm, &result);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = result.state;
  if (status != CUBLAS_STATUS_SUCCESS)
    return absl::FailedPreconditionError(
        blas.toStatus(status, absl::StrCat("algorithm for ", text(problem)))
            .message());
  gemm->workspace = static_cast<int64_t>(result.workspaceSize);
  if (gemm->workspace > options.workspaceBytes)
    return absl::FailedPreconditionError(absl::StrCat(
        "algorithm for ", text(problem), " asks for a workspace of ",
        gemm->workspace, " bytes, the limit is ", options.workspaceBytes));
  return gemm;
}

bool GemmLibrary::accepts(const GemmAlgorithms &algorithms) const {
  return algorithms.platform() == on ||
         (!searches() && algorithms.platform() == absl::StrCat(on, kSearched));
}

absl::Status GemmLibrary::choose(std::span<const GemmProblem> problems,
                                 GemmAlgorithms &algorithms) {
  if (!accepts(algorithms))
    algorithms = GemmAlgorithms(on);
  GemmTuner tuner(*this, options);
  for (const GemmProblem &problem : problems) {
    if (absl::Status status = problem.check(); !status.ok())
      return status;
    const std::string key = problem.key();
    if (const GemmChoice *known = algorithms.find(key))
      if (prepareChoice(problem, *known).ok())
        continue; // an algorithm that the library does not take is replaced
    absl::StatusOr<GemmChoice> choice = tuner.choose(problem);
    if (!choice.ok())
      return choice.status();
    algorithms.set(key, *choice);
  }
  return absl::OkStatus();
}

absl::StatusOr<PreparedGemm *>
GemmLibrary::prepare(const GemmProblem &problem,
                     const GemmAlgorithms &algorithms) {
  const std::string key = problem.key();
  for (PreparedGemm *gemm : byKey[key])
    if (gemm->problem() == problem)
      return gemm;
  const GemmChoice *known =
      accepts(algorithms) ? algorithms.find(key) : nullptr;
  absl::StatusOr<std::unique_ptr<PreparedGemm>> gemm;
  if (known) {
    gemm = prepareChoice(problem, *known);
  } else {
    absl::StatusOr<std::vector<GemmChoice>> choices = candidates(problem);
    if (!choices.ok())
      return choices.status();
    gemm = prepareChoice(problem, choices->front());
  }
  if (!gemm.ok())
    return gemm.status();
  byKey[key].push_back(gemm->get());
  prepared.push_back(std::move(*gemm));
  return prepared.back().get();
}

} // namespace orrery::runtime::cuda
