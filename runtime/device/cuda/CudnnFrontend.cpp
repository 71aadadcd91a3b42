// Attention as graphs of cuDNN's frontend. The one file that includes it: it
// is large.
#include "runtime/device/cuda/CudnnProblem.h"
#include "runtime/device/cuda/SharedLibrary.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <vector>

// The frontend finds cuDNN's functions through this.
namespace cudnn_frontend {
void *cudnn_dlhandle = nullptr;
} // namespace cudnn_frontend

namespace orrery::runtime::cuda {
namespace {

using kernels::AttentionShape;
using kernels::AttentionTensor;
using kernels::ElementType;

constexpr size_t kOldestVersion = 90600;

template <typename Options>
void setMask(Options &options, const AttentionShape &shape) {
  options.set_attn_scale(static_cast<float>(shape.scale));
  if (shape.causal)
    options.set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
        .set_diagonal_band_right_bound(0);
}

class Forward : public CudnnForward {
public:
  Forward(cudnnHandle_t handle, ElementType type, const AttentionShape &shape)
      : problem(handle, type, shape, {shape.batch, shape.heads}) {}

  absl::Status build(const kernels::AttentionForwardArguments &like) {
    auto q = problem.tensor(Q, like.q);
    auto k = problem.tensor(K, like.k);
    auto v = problem.tensor(V, like.v);
    auto options = fe::graph::SDPA_attributes()
                       .set_name("attention")
                       .set_generate_stats(true);
    setMask(options, like.shape);
    auto [o, stats] = problem.graph.sdpa(q, k, v, options);
    problem.output(o, O, like.o);
    problem.describeStats(*stats).set_output(true);
    return problem.build(operandsOf(like), "cuDNN's attention");
  }
  int64_t workspaceBytes() const override { return problem.workspace; }
  absl::Status enqueue(const kernels::AttentionForwardArguments &a,
                       void *workspace, cudaStream_t stream) const override {
    const auto operands = operandsOf(a);
    return guarded(
        [&] { return problem.enqueue(operands, a.lse, workspace, stream); });
  }

private:
  static std::array<CudnnOperand, 4>
  operandsOf(const kernels::AttentionForwardArguments &a) {
    return {{{Q, a.q}, {K, a.k}, {V, a.v}, {O, a.o}}};
  }

  mutable CudnnProblem problem; // the frontend's calls are not const
};

class Backward : public CudnnBackward {
public:
  Backward(cudnnHandle_t handle, ElementType type, const AttentionShape &shape,
           const CudnnOptions &options)
      : problem(handle, type, shape, gradientPart(shape, options)),
        deterministic(options.deterministic) {}

  absl::Status build(const kernels::AttentionBackwardArguments &like) {
    auto q = problem.tensor(Q, like.q);
    auto k = problem.tensor(K, like.k);
    auto v = problem.tensor(V, like.v);
    auto o = problem.tensor(O, like.o);
    auto gradO = problem.tensor(GradO, like.gradO);
    fe::graph::Tensor_attributes form;
    auto stats = problem.graph.tensor(problem.describeStats(form));
    auto options = fe::graph::SDPA_backward_attributes()
                       .set_name("attention gradient")
                       .set_deterministic_algorithm(deterministic);
    setMask(options, like.shape);
    auto [gradQ, gradK, gradV] =
        problem.graph.sdpa_backward(q, k, v, o, gradO, stats, options);
    problem.output(gradQ, GradQ, like.gradQ);
    problem.output(gradK, GradK, like.gradK);
    problem.output(gradV, GradV, like.gradV);
    return problem.build(operandsOf(like), "cuDNN's attention gradient");
  }
  int64_t workspaceBytes() const override { return problem.workspace; }
  absl::Status enqueue(const kernels::AttentionBackwardArguments &a,
                       void *workspace, cudaStream_t stream) const override {
    const CudnnOperand operands[] = {
        {Q, a.q},         {K, a.k},         {V, a.v},         {O, a.o},
        {GradO, a.gradO}, {GradQ, a.gradQ}, {GradK, a.gradK}, {GradV, a.gradV}};
    // cuDNN takes its inputs, too, by plain pointers.
    return guarded([&] {
      return problem.enqueue(operands, const_cast<float *>(a.lse), workspace,
                             stream);
    });
  }

private:
  static std::array<CudnnOperand, 8>
  operandsOf(const kernels::AttentionBackwardArguments &a) {
    return {{{Q, a.q},
             {K, a.k},
             {V, a.v},
             {O, a.o},
             {GradO, a.gradO},
             {GradQ, a.gradQ},
             {GradK, a.gradK},
             {GradV, a.gradV}}};
  }

  mutable CudnnProblem problem;
  bool deterministic;
};

// What tells problems apart.
using Key = std::vector<int64_t>;

Key keyOf(ElementType type, const AttentionShape &shape,
          std::initializer_list<AttentionTensor> tensors) {
  Key key = {static_cast<int64_t>(type),
             shape.sequence,
             shape.batch,
             shape.heads,
             shape.dim,
             shape.causal};
  int64_t scale;
  static_assert(sizeof(scale) == sizeof(shape.scale));
  std::memcpy(&scale, &shape.scale, sizeof(scale));
  key.push_back(scale);
  for (const AttentionTensor &tensor : tensors)
    key.insert(key.end(), {tensor.strideS, tensor.strideB, tensor.strideN});
  return key;
}

class Frontend : public CudnnAttention {
public:
  explicit Frontend(const CudnnOptions &options) : options(options) {}
  ~Frontend() override {
    // Plans before their handle, whose own error would come too late.
    forwards.clear();
    backwards.clear();
    if (handle)
      static_cast<void>(fe::detail::destroy_handle(handle));
  }

  absl::Status open() {
    version = fe::detail::get_backend_version();
    if (version < kOldestVersion)
      return absl::FailedPreconditionError(
          absl::StrCat(name(), " is too old; 9.6 or newer is needed"));
    return toStatus(fe::detail::create_handle(&handle), "cudnnCreate");
  }

  absl::StatusOr<const CudnnForward *>
  forward(ElementType type,
          const kernels::AttentionForwardArguments &like) override {
    const Key key = keyOf(type, like.shape, {like.q, like.k, like.v, like.o});
    std::unique_ptr<Forward> &plan = forwards[key];
    if (!plan) {
      auto made = std::make_unique<Forward>(handle, type, like.shape);
      if (absl::Status status = guarded([&] { return made->build(like); });
          !status.ok())
        return status;
      plan = std::move(made);
    }
    return plan.get();
  }

  absl::StatusOr<const CudnnBackward *>
  backward(ElementType type,
           const kernels::AttentionBackwardArguments &like) override {
    const Key key = keyOf(type, like.shape,
                          {like.q, like.k, like.v, like.o, like.gradO,
                           like.gradQ, like.gradK, like.gradV});
    std::unique_ptr<Backward> &plan = backwards[key];
    if (!plan) {
      auto made = std::make_unique<Backward>(handle, type, like.shape, options);
      if (absl::Status status = guarded([&] { return made->build(like); });
          !status.ok())
        return status;
      plan = std::move(made);
    }
    return plan.get();
  }

  std::string name() const override {
    return absl::StrCat("cuDNN ", version / 10000, ".", version / 100 % 100,
                        ".", version % 100);
  }

private:
  CudnnOptions options;
  size_t version = 0;
  cudnnHandle_t handle = nullptr;
  std::map<Key, std::unique_ptr<Forward>> forwards;
  std::map<Key, std::unique_ptr<Backward>> backwards;
};

// Makes cuDNN's functions, and the CUDA runtime's for the frontend itself,
// findable.
absl::Status openLibraries() {
  absl::StatusOr<SharedLibrary> cudnn =
      SharedLibrary::open("cuDNN", {"libcudnn.so.9"});
  if (!cudnn.ok())
    return cudnn.status();
  absl::StatusOr<SharedLibrary> runtime = SharedLibrary::open(
      "the CUDA runtime", {"libcudart.so.13", "libcudart.so.12"});
  if (!runtime.ok())
    return runtime.status();
  if (setenv("CUDNN_FRONTEND_CUDART_LIB_NAME", runtime->path().c_str(), 0) != 0)
    return absl::InternalError("cannot set CUDNN_FRONTEND_CUDART_LIB_NAME");
  // Open already: this is one more handle of the same library.
  fe::cudnn_dlhandle = dlopen(cudnn->path().c_str(), RTLD_NOW);
  if (!fe::cudnn_dlhandle)
    return absl::InternalError(
        absl::StrCat("cannot open ", cudnn->path(), " again: ", dlerror()));
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<std::unique_ptr<CudnnAttention>>
CudnnAttention::create(const CudnnOptions &options) {
  static const absl::Status opened = openLibraries();
  if (!opened.ok())
    return opened;
  auto attention = std::make_unique<Frontend>(options);
  if (absl::Status status = guarded([&] { return attention->open(); });
      !status.ok())
    return status;
  return attention;
}

} // namespace orrery::runtime::cuda
