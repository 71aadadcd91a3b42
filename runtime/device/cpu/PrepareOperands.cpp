// Views, indices and the larger instructions at one rank.
#include "runtime/device/cpu/PrepareOperands.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/device/GatheredRows.h"

#include <algorithm>

namespace orrery::runtime {

SlotAddress addressOf(const plan::View &view, const PrepareContext &context) {
  const RankPlan &rank = context.rank;
  const plan::Buffer &buffer =
      rank.rankClass->buffers(static_cast<int>(view.buffer()));
  return {context.arena + buffer.offset() + view.offset(),
          static_cast<int64_t>(buffer.slot_stride()),
          static_cast<int64_t>(slotsOf(buffer, *rank.member))};
}

IndexValue indexOf(const plan::Index &index, const PrepareContext &context) {
  return {context.rank.mesh.evaluate(index, context.rank.coordinate, 0),
          index.per_microbatch()};
}

absl::StatusOr<kernels::CopyPlan> copyBetween(const plan::View &in,
                                              const plan::View &out) {
  kernels::CopyPlan copy;
  absl::Status status = kernels::planCopy(kernelType(in), shapeOf(in),
                                          stridesOf(in), stridesOf(out), copy);
  if (!status.ok())
    return status;
  return copy;
}

absl::Status checkContiguous(const plan::View &view, const char *operand) {
  int64_t expected = 1;
  for (int d = view.shape_size() - 1; d >= 0; --d) {
    if (view.shape(d) != 1 && view.strides(d) != expected)
      return absl::UnimplementedError(absl::StrCat(
          "operand ", operand, " with strides [",
          absl::StrJoin(view.strides(), ", "), "] must be contiguous"));
    expected *= view.shape(d);
  }
  return absl::OkStatus();
}

absl::Status attentionTensor(const plan::View &view, const char *operand,
                             kernels::AttentionTensor &out) {
  if (view.strides(3) != 1 && view.shape(3) != 1)
    return absl::UnimplementedError(
        absl::StrCat("operand ", operand, " with strides [",
                     absl::StrJoin(view.strides(), ", "),
                     "] must have stride 1 along its last dimension"));
  out = {nullptr, view.strides(0), view.strides(1), view.strides(2)};
  return absl::OkStatus();
}

namespace {

// Everything but the tensors' addresses.
absl::Status prepareShape(const plan::AttentionShape &from, const plan::View &q,
                          PrepareContext &context, AttentionOperands &operands,
                          kernels::AttentionShape &shape) {
  shape.sequence = q.shape(0);
  shape.batch = q.shape(1);
  shape.heads = q.shape(2);
  shape.dim = q.shape(3);
  shape.scale = from.scale();
  shape.causal = from.causal();
  shape.dropout = from.dropout();
  shape.totalHeads = from.total_heads();
  operands.type = kernelType(q);
  operands.sample = indexOf(from.sample(), context);
  operands.head = indexOf(from.head(), context);
  if (from.dropout() > 0)
    operands.stream = context.keys.add(from.stream());
  if (from.has_document_start()) {
    operands.hasDocumentStart = true;
    operands.documentStart = addressOf(from.document_start(), context);
    shape.documentStrideS = from.document_start().strides(0);
    shape.documentStrideB = from.document_start().strides(1);
  }
  context.scratchBytes =
      std::max(context.scratchBytes,
               kernels::attentionScratchBytes(shape, context.threads));
  return absl::OkStatus();
}

struct NamedTensor {
  const plan::View &view;
  const char *name;
  SlotAddress &address;
  kernels::AttentionTensor &tensor;
};

// What a pass over attention has, forward or backward: shape, tensors, lse.
template <typename Op, typename Prepared>
absl::Status preparePass(const Op &op,
                         std::initializer_list<NamedTensor> tensors,
                         PrepareContext &context, Prepared &prepared) {
  if (absl::Status status = prepareShape(op.shape(), op.q(), context, prepared,
                                         prepared.arguments.shape);
      !status.ok())
    return status;
  for (const NamedTensor &t : tensors) {
    if (absl::Status status = attentionTensor(t.view, t.name, t.tensor);
        !status.ok())
      return status;
    t.address = addressOf(t.view, context);
  }
  prepared.lse = addressOf(op.lse(), context);
  return checkContiguous(op.lse(), "lse");
}

} // namespace

absl::StatusOr<PreparedAttention> prepareAttention(const plan::Attention &op,
                                                   PrepareContext &context) {
  PreparedAttention p;
  absl::Status status = preparePass(op,
                                    {{op.q(), "q", p.q, p.arguments.q},
                                     {op.k(), "k", p.k, p.arguments.k},
                                     {op.v(), "v", p.v, p.arguments.v},
                                     {op.o(), "o", p.o, p.arguments.o}},
                                    context, p);
  if (!status.ok())
    return status;
  return p;
}

absl::StatusOr<PreparedAttentionGrad>
prepareAttentionGrad(const plan::AttentionGrad &op, PrepareContext &context) {
  PreparedAttentionGrad p;
  absl::Status status =
      preparePass(op,
                  {{op.q(), "q", p.q, p.arguments.q},
                   {op.k(), "k", p.k, p.arguments.k},
                   {op.v(), "v", p.v, p.arguments.v},
                   {op.o(), "o", p.o, p.arguments.o},
                   {op.grad_o(), "grad_o", p.gradO, p.arguments.gradO},
                   {op.grad_q(), "grad_q", p.gradQ, p.arguments.gradQ},
                   {op.grad_k(), "grad_k", p.gradK, p.arguments.gradK},
                   {op.grad_v(), "grad_v", p.gradV, p.arguments.gradV}},
                  context, p);
  if (!status.ok())
    return status;
  return p;
}

absl::StatusOr<PreparedCollective> prepareCollective(const plan::Collective &op,
                                                     PrepareContext &context) {
  PreparedCollective p;
  p.group = context.communicators[op.communicator()].get();
  const CollectiveOutput output = outputOf(op);
  for (auto [view, name] : {std::pair(&op.in(), "in"), {&output.part, "out"}})
    if (absl::Status status = checkContiguous(*view, name); !status.ok())
      return status;
  p.in = addressOf(op.in(), context);
  p.out = addressOf(op.out(), context);
  using Kind = DimensionCollective::Kind;
  Kind kind = Kind::AllReduce;
  if (op.op() == plan::Collective::ALL_GATHER)
    kind = Kind::AllGather;
  else if (op.op() == plan::Collective::REDUCE_SCATTER)
    kind = Kind::ReduceScatter;
  else if (op.op() == plan::Collective::ALL_TO_ALL)
    kind = Kind::AllToAll;
  absl::Status status = DimensionCollective::create(
      kind,
      op.reduction() == plan::Collective::MAX ? Reduction::Max : Reduction::Sum,
      op.in().type(), shapeOf(op.in()), op.dimension(), op.concat_dimension(),
      p.group->size(), p.collective);
  if (status.ok() && output.distance)
    status = p.collective.spread(output.distance);
  if (!status.ok())
    return status;
  context.scratchBytes =
      std::max(context.scratchBytes, p.collective.scratchBytes());
  return p;
}

} // namespace orrery::runtime
