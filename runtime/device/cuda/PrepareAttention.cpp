// Attention, forward and backward.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/cuda/Attention.h"
#include "runtime/device/cuda/Prepare.h"

#include <type_traits>

namespace orrery::runtime::cuda {
namespace {

// A view [s, b, n, d] with unit stride along d.
struct Tensor {
  kernels::AttentionTensor form; // data: for each enqueuing
  Place place;

  kernels::AttentionTensor at(const Site &site) const {
    kernels::AttentionTensor tensor = form;
    tensor.data = place.in(site.arena, site.microbatch);
    return tensor;
  }
};

// What both passes have.
struct Operands {
  kernels::ElementType type = kernels::ElementType::F32;
  kernels::AttentionShape shape;
  Tensor q, k, v, o;
  Place lse, documentStart;
  bool hasDocumentStart = false;
  int32_t stream = -1; // dropout's; -1: none
  IndexValue sample, head;

  kernels::AttentionShape shapeAt(const Site &site) const {
    kernels::AttentionShape at = shape;
    at.sample = sample.at(site.microbatch);
    at.head = head.at(site.microbatch);
    if (hasDocumentStart)
      at.documentStart = reinterpret_cast<const int32_t *>(
          documentStart.in(site.arena, site.microbatch));
    return at;
  }
  const uint64_t *key(const Site &site) const {
    return stream >= 0 ? site.keys + stream : nullptr;
  }
};

struct NamedTensor {
  const plan::View &view;
  const char *name;
  Tensor &tensor;
};

absl::Status prepareTensors(std::initializer_list<NamedTensor> tensors,
                            PrepareContext &context) {
  for (const NamedTensor &t : tensors) {
    if (t.view.strides(3) != 1 && t.view.shape(3) != 1)
      return absl::UnimplementedError(
          absl::StrCat("operand ", t.name, " with strides [",
                       absl::StrJoin(t.view.strides(), ", "),
                       "] must have stride 1 along its last dimension"));
    t.tensor.form = {nullptr, t.view.strides(0), t.view.strides(1),
                     t.view.strides(2)};
    t.tensor.place = context.place(t.view);
  }
  return absl::OkStatus();
}

void prepareShape(const plan::AttentionShape &from, const plan::View &q,
                  PrepareContext &context, Operands &operands) {
  kernels::AttentionShape &shape = operands.shape;
  shape.sequence = q.shape(0);
  shape.batch = q.shape(1);
  shape.heads = q.shape(2);
  shape.dim = q.shape(3);
  shape.scale = from.scale();
  shape.causal = from.causal();
  shape.dropout = from.dropout();
  shape.totalHeads = from.total_heads();
  operands.type = kernelType(q);
  operands.sample = context.index(from.sample());
  operands.head = context.index(from.head());
  if (from.dropout() > 0)
    operands.stream = context.keys.add(from.stream());
  if (from.has_document_start()) {
    operands.hasDocumentStart = true;
    operands.documentStart = context.place(from.document_start());
    shape.documentStrideS = from.document_start().strides(0);
    shape.documentStrideB = from.document_start().strides(1);
  }
}

template <typename Op>
absl::Status prepareOperands(const Op &op, PrepareContext &context,
                             Operands &operands) {
  // The kernels find a query's keys by its own head and positions.
  if (op.k().shape(0) != op.q().shape(0) || op.k().shape(2) != op.q().shape(2))
    return absl::UnimplementedError(
        absl::StrCat("queries [", absl::StrJoin(op.q().shape(), ", "),
                     "] and keys [", absl::StrJoin(op.k().shape(), ", "),
                     "] must have as many positions and heads"));
  prepareShape(op.shape(), op.q(), context, operands);
  operands.lse = context.place(op.lse());
  absl::Status status = checkContiguous(op.lse(), "lse");
  status.Update(prepareTensors({{op.q(), "q", operands.q},
                                {op.k(), "k", operands.k},
                                {op.v(), "v", operands.v},
                                {op.o(), "o", operands.o}},
                               context));
  return status;
}

struct Gradients {
  Tensor o, q, k, v;
};

kernels::AttentionForwardArguments forwardAt(const Operands &operands,
                                             const Site &site) {
  kernels::AttentionForwardArguments arguments;
  arguments.shape = operands.shapeAt(site);
  arguments.q = operands.q.at(site);
  arguments.k = operands.k.at(site);
  arguments.v = operands.v.at(site);
  arguments.o = operands.o.at(site);
  arguments.lse =
      reinterpret_cast<float *>(operands.lse.in(site.arena, site.microbatch));
  return arguments;
}

kernels::AttentionBackwardArguments backwardAt(const Operands &operands,
                                               const Gradients &gradients,
                                               const Site &site) {
  kernels::AttentionBackwardArguments arguments;
  arguments.shape = operands.shapeAt(site);
  arguments.q = operands.q.at(site);
  arguments.k = operands.k.at(site);
  arguments.v = operands.v.at(site);
  arguments.o = operands.o.at(site);
  arguments.lse = reinterpret_cast<const float *>(
      operands.lse.in(site.arena, site.microbatch));
  arguments.gradO = gradients.o.at(site);
  arguments.gradQ = gradients.q.at(site);
  arguments.gradK = gradients.k.at(site);
  arguments.gradV = gradients.v.at(site);
  return arguments;
}

// cuDNN, if it has a form for this type and shape and these tensors.
CudnnAttention *cudnnFor(const Operands &operands,
                         std::initializer_list<const Tensor *> more,
                         PrepareContext &context) {
  std::vector<const Tensor *> tensors = {&operands.q, &operands.k, &operands.v,
                                         &operands.o};
  tensors.insert(tensors.end(), more.begin(), more.end());
  for (const Tensor *tensor : tensors)
    if (tensor->place.offset % 16 != 0 || tensor->place.stride % 16 != 0 ||
        !CudnnAttention::supports(operands.type, operands.shape,
                                  {tensor->form}))
      return nullptr;
  return operands.hasDocumentStart ? nullptr : context.cudnn.get();
}

// A plan of cuDNN's, or null where it has none for this GPU.
template <typename Plan>
absl::StatusOr<const Plan *> orNone(absl::StatusOr<const Plan *> plan,
                                    PrepareContext &context) {
  if (absl::IsUnimplemented(plan.status()))
    plan = nullptr;
  if (plan.ok())
    context.cudnn.count(*plan != nullptr);
  return plan;
}

} // namespace

Prepared prepareAttention(const plan::Attention &op, PrepareContext &context) {
  Operands operands;
  if (absl::Status status = prepareOperands(op, context, operands);
      !status.ok())
    return status;
  CudnnAttention *cudnn = cudnnFor(operands, {}, context);
  absl::StatusOr<const CudnnForward *> fused = nullptr;
  if (cudnn)
    fused = cudnn->forward(operands.type, forwardAt(operands, {}));
  fused = orNone(std::move(fused), context);
  if (!fused.ok())
    return fused.status();
  if (*fused)
    return makeOperation((*fused)->workspaceBytes(),
                         [operands, plan = *fused](const Site &site) {
                           return plan->enqueue(forwardAt(operands, site),
                                                site.scratch, site.stream);
                         });
  const int64_t scratch = kernels::cuda::attentionScratchBytes(
      operands.type, operands.shape, /*backward=*/false);
  return makeOperation(scratch, [operands](const Site &site) {
    return kernels::cuda::attention(operands.type, forwardAt(operands, site),
                                    operands.key(site), site.scratch,
                                    site.stream);
  });
}

Prepared prepareAttentionGrad(const plan::AttentionGrad &op,
                              PrepareContext &context) {
  Operands operands;
  Gradients gradients;
  absl::Status status = prepareOperands(op, context, operands);
  status.Update(prepareTensors({{op.grad_o(), "grad_o", gradients.o},
                                {op.grad_q(), "grad_q", gradients.q},
                                {op.grad_k(), "grad_k", gradients.k},
                                {op.grad_v(), "grad_v", gradients.v}},
                               context));
  if (!status.ok())
    return status;
  CudnnAttention *cudnn = cudnnFor(
      operands, {&gradients.o, &gradients.q, &gradients.k, &gradients.v},
      context);
  absl::StatusOr<const CudnnBackward *> fused = nullptr;
  if (cudnn)
    fused = cudnn->backward(operands.type, backwardAt(operands, gradients, {}));
  fused = orNone(std::move(fused), context);
  if (!fused.ok())
    return fused.status();
  if (*fused)
    return makeOperation(
        (*fused)->workspaceBytes(),
        [operands, gradients, plan = *fused](const Site &site) {
          return plan->enqueue(backwardAt(operands, gradients, site),
                               site.scratch, site.stream);
        });
  const int64_t scratch = kernels::cuda::attentionScratchBytes(
      operands.type, operands.shape, /*backward=*/true);
  return makeOperation(scratch, [operands, gradients](const Site &site) {
    return kernels::cuda::attentionGrad(
        operands.type, backwardAt(operands, gradients, site),
        operands.key(site), site.scratch, site.stream);
  });
}

} // namespace orrery::runtime::cuda
