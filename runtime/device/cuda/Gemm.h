// Matrix products on a GPU by cuBLASLt: prepared before the first step, with an
// algorithm that was measured to be the fastest, and run without allocating.
//
//   auto blas = CublasLt::get();
//   auto gemms = GemmLibrary::create(*blas, {});
//   auto known = GemmAlgorithms::load(file);          // or none yet
//   gemms->choose(problems, algorithms);              // before the arena
//   … rank 0's algorithms.text() to all ranks, algorithms.save(file) …
//   auto gemm = gemms->prepare(problem, algorithms);  // PreparedGemm *
//   gemm->run(pointers, workspace, stream);
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMM_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMM_H

#include "absl/status/statusor.h"
#include "runtime/device/cuda/CublasLt.h"
#include "runtime/device/cuda/GemmAlgorithms.h"
#include "runtime/device/cuda/GemmDescription.h"
#include "runtime/device/cuda/GemmProblem.h"

#include <cuda_runtime_api.h>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {

struct GemmOptions {
  int64_t workspaceBytes = int64_t(64) << 20; // an algorithm may ask for
  bool tf32 = false;          // F32 operands rounded to 10 bits of mantissa
  int candidates = 16;        // algorithms measured for a product
  double tuningSeconds = 0.5; // on the GPU, for proposals and finalists
  // By the clock on the wall, for ways that the library does not propose.
  double searchSeconds = 3;
  bool tune = true; // false: the library's first proposal
};

/// Operands of one run: device memory, null where the epilogue has none.
struct GemmPointers {
  const void *a = nullptr;
  const void *b = nullptr;
  void *c = nullptr;
  const void *bias = nullptr;
  void *aux = nullptr;    // written by BiasGelu, read by GeluGrad
  bool overwrite = false; // beta is 0 this time
};

/// A product with its algorithm. Not for use by two threads at once.
class PreparedGemm {
public:
  /// Queues the product on the stream; may be captured. `workspace` holds
  /// workspaceBytes(), is a multiple of 256 and nobody else's until the product
  /// is done. InvalidArgument where an address is less aligned than the
  /// problem says, or missing.
  absl::Status run(const GemmPointers &at, void *workspace,
                   cudaStream_t stream);

  int64_t workspaceBytes() const { return workspace; }
  const GemmProblem &problem() const { return is; }

private:
  friend class GemmLibrary;
  PreparedGemm(const CublasLt &blas, cublasLtHandle_t handle,
               const GemmProblem &problem, GemmDescription description)
      : blas(blas), handle(handle), is(problem),
        description(std::move(description)) {}
  absl::Status checkPointers(const GemmPointers &at) const;

  const CublasLt &blas;
  cublasLtHandle_t handle;
  GemmProblem is;
  GemmDescription description;
  cublasLtMatmulAlgo_t algorithm = {};
  bool separateEpilogue = false;
  int64_t workspace = 0;
};

/// The library on the current device.
class GemmLibrary {
public:
  /// Unavailable where the library cannot use the device.
  static absl::StatusOr<std::unique_ptr<GemmLibrary>>
  create(const CublasLt &blas, const GemmOptions &options);
  ~GemmLibrary();
  GemmLibrary(const GemmLibrary &) = delete;
  GemmLibrary &operator=(const GemmLibrary &) = delete;

  /// What choices hold for: versions, device and settings.
  const std::string &platform() const { return on; }
  /// Whether choices are for this platform; where nothing is searched those of
  /// a search are, too.
  bool accepts(const GemmAlgorithms &algorithms) const;

  /// Sees to it that `algorithms` has a valid choice for each of the problems,
  /// and measures those for which it has none; choices for another platform are
  /// dropped. Measuring takes device memory for random operands and gives it
  /// back, so call this before the arena is allocated; where that memory is not
  /// to be had, the library's first proposal is taken. Unimplemented for a
  /// product that the library cannot compute.
  absl::Status choose(std::span<const GemmProblem> problems,
                      GemmAlgorithms &algorithms);

  /// The product with the algorithm that `algorithms` has for it, or without
  /// one there the library's first proposal. Each problem is prepared once; the
  /// result lives as long as this object.
  absl::StatusOr<PreparedGemm *> prepare(const GemmProblem &problem,
                                         const GemmAlgorithms &algorithms);

  /// The library's proposals for the product, its favourite first; algorithms
  /// whose sums have a fixed order only. With an epilogue that no algorithm
  /// has, ways that leave it to a kernel of its own. Unimplemented: there are
  /// none.
  absl::StatusOr<std::vector<GemmChoice>>
  candidates(const GemmProblem &problem) const;

  /// The product by this way. FailedPrecondition where the library does not
  /// take the algorithm, or not in the workspace.
  absl::StatusOr<std::unique_ptr<PreparedGemm>>
  prepareChoice(const GemmProblem &problem, const GemmChoice &choice) const;

  const CublasLt &functions() const { return blas; }
  int64_t multiprocessors() const { return processors; }
  bool searches() const { return options.searchSeconds > 0; }

private:
  GemmLibrary(const CublasLt &blas, const GemmOptions &options)
      : blas(blas), options(options) {}
  absl::StatusOr<std::vector<GemmChoice>>
  propose(const GemmProblem &problem, kernels::GemmEpilogue epilogue) const;

  const CublasLt &blas;
  GemmOptions options;
  cublasLtHandle_t handle = nullptr;
  int64_t processors = 0;
  std::string on;
  std::vector<std::unique_ptr<PreparedGemm>> prepared;
  std::map<std::string, std::vector<PreparedGemm *>> byKey;
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMM_H
