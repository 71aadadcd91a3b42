// One function per kind of instruction.
#include "runtime/device/cpu/Prepare.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/device/InstructionFacts.h"
#include "runtime/device/cpu/PrepareOperands.h"

#include <algorithm>

namespace orrery::runtime {
namespace {

PreparedLaunch prepareLaunch(const plan::Launch &op, PrepareContext &context) {
  PreparedLaunch p;
  p.function = context.kernels.function(op.kernel());
  p.rows = op.rows();
  int64_t elements = 0;
  for (const plan::View &view : op.buffers()) {
    p.buffers.push_back(addressOf(view, context));
    elements = std::max(elements, elementsOf(view));
  }
  for (const plan::Launch::Scalar &scalar : op.scalars())
    p.scalars.push_back(
        scalar.has_stream()
            ? PreparedLaunch::Scalar{{}, context.keys.add(scalar.stream())}
            : PreparedLaunch::Scalar{indexOf(scalar.index(), context), -1});
  // Waking the threads costs about as much as 10,000 elements.
  p.parallel = elements >= 16384 && p.rows > 1;
  p.pointers.resize(p.buffers.size());
  p.values.resize(p.scalars.size());
  return p;
}

absl::StatusOr<PreparedGemm> prepareGemm(const plan::Gemm &op,
                                         PrepareContext &context) {
  if (op.epilogue() != plan::Gemm::NONE)
    return absl::UnimplementedError(
        absl::StrCat("epilogue ", plan::Gemm::Epilogue_Name(op.epilogue()),
                     ": CPUs add a bias and take a gelu in kernels; compile "
                     "with --target=cpu"));
  PreparedGemm p;
  p.type = kernelType(op.c());
  p.firstRunOverwrites = op.first_run_overwrites();
  if (kernelType(op.a()) != p.type || kernelType(op.b()) != p.type)
    return absl::UnimplementedError(
        absl::StrCat("operands of types ", elementName(op.a().type()), ", ",
                     elementName(op.b().type()), " and ",
                     elementName(op.c().type()), " must have one type"));
  p.a = addressOf(op.a(), context);
  p.b = addressOf(op.b(), context);
  p.c = addressOf(op.c(), context);
  p.arguments = {
      nullptr,          nullptr,          nullptr,
      op.transpose_a(), op.transpose_b(), op.m(),
      op.n(),           op.k(),           op.lda(),
      op.ldb(),         op.ldc(),         std::max<int64_t>(op.batch(), 1),
      op.stride_a(),    op.stride_b(),    op.stride_c(),
      op.alpha(),       op.beta()};
  return p;
}

// Token positions as a grid of at most two dimensions.
absl::Status prepareTokens(const plan::View &ids, const plan::View &vectors,
                           kernels::EmbeddingTokens &tokens) {
  if (ids.shape_size() < 1 || ids.shape_size() > 2)
    return absl::UnimplementedError(
        absl::StrCat("ids have shape [", absl::StrJoin(ids.shape(), ", "),
                     "]; this device looks up one- and two-dimensional ones"));
  const int last = ids.shape_size() - 1;
  if (vectors.strides(last + 1) != 1 && vectors.shape(last + 1) != 1)
    return absl::UnimplementedError(
        "embedding vectors must have stride 1 along their last dimension");
  tokens.outer = last == 1 ? ids.shape(0) : 1;
  tokens.inner = ids.shape(last);
  tokens.width = vectors.shape(last + 1);
  tokens.idsOuter = last == 1 ? ids.strides(0) : 0;
  tokens.idsInner = ids.strides(last);
  tokens.vectorsOuter = last == 1 ? vectors.strides(0) : 0;
  tokens.vectorsInner = vectors.strides(last);
  return absl::OkStatus();
}

absl::StatusOr<PreparedEmbedding>
prepareEmbedding(const plan::View &table, const plan::View &ids,
                 const plan::View &vectors, const plan::Index &firstRow,
                 bool gradient, PrepareContext &context) {
  PreparedEmbedding p;
  p.gradient = gradient;
  p.type = kernelType(vectors);
  if (absl::Status status = prepareTokens(ids, vectors, p.tokens); !status.ok())
    return status;
  if (table.strides(1) != 1 && table.shape(1) != 1)
    return absl::UnimplementedError(
        "embedding table must have stride 1 along its last dimension");
  p.table = {nullptr, table.shape(0), table.strides(0), 0};
  p.rows = addressOf(table, context);
  p.ids = addressOf(ids, context);
  p.vectors = addressOf(vectors, context);
  p.firstRow = indexOf(firstRow, context);
  return p;
}

absl::StatusOr<PreparedFlatReduce> prepareFlatReduce(const plan::FlatReduce &op,
                                                     PrepareContext &context) {
  if (absl::Status status = checkContiguous(op.in(), "in"); !status.ok())
    return status;
  kernels::FlatReduction reduction = kernels::FlatReduction::SquareSum;
  if (op.op() == plan::FlatReduce::COUNT_ZEROS)
    reduction = kernels::FlatReduction::CountZeros;
  else if (op.op() == plan::FlatReduce::COUNT_NOT_FINITE)
    reduction = kernels::FlatReduction::CountNotFinite;
  return PreparedFlatReduce{kernelType(op.in()), reduction,
                            addressOf(op.in(), context),
                            addressOf(op.out(), context), elementsOf(op.in())};
}

PreparedColumnSum prepareColumnSum(const plan::ColumnSum &op,
                                   PrepareContext &context) {
  const plan::View &in = op.in();
  const int last = op.out().shape_size() - 1;
  return {kernelType(in),
          addressOf(in, context),
          addressOf(op.out(), context),
          in.shape(0),
          in.shape(1),
          in.strides(0),
          in.strides(1),
          last >= 0 ? op.out().strides(last) : 1,
          op.accumulate()};
}

// Own part of a dimension: a copy from an offset.
absl::StatusOr<PreparedCopy> prepareSlice(const plan::Collective &op,
                                          PrepareContext &context) {
  PreparedCopy p;
  if (absl::Status status =
          kernels::planCopy(kernelType(op.out()), shapeOf(op.out()),
                            stridesOf(op.in()), stridesOf(op.out()), p.copy);
      !status.ok())
    return status;
  p.in = addressOf(op.in(), context);
  p.out = addressOf(op.out(), context);
  p.in.base += context.communicators[op.communicator()]->rank() *
               op.out().shape(op.dimension()) *
               op.in().strides(op.dimension()) * elementBytes(op.in().type());
  return p;
}

absl::StatusOr<PreparedTransfer>
prepareTransfer(const plan::Transfer &op, bool send, PrepareContext &context) {
  if (absl::Status status = checkContiguous(op.view(), "view"); !status.ok())
    return status;
  Communicator *group = context.communicators[op.communicator()].get();
  return PreparedTransfer{send,
                          group,
                          group->rank() + op.delta(),
                          op.tag(),
                          elementsOf(op.view()) *
                              elementBytes(op.view().type()),
                          addressOf(op.view(), context)};
}

template <typename T>
absl::Status assign(absl::StatusOr<T> prepared, PreparedInstruction &out) {
  if (!prepared.ok())
    return prepared.status();
  out.kind = *std::move(prepared);
  return absl::OkStatus();
}

absl::Status prepareCopyOrFill(const plan::Instruction &instruction,
                               PrepareContext &context,
                               PreparedInstruction &out) {
  const bool fill = instruction.has_fill();
  const plan::View &to =
      fill ? instruction.fill().out() : instruction.copy().out();
  absl::StatusOr<kernels::CopyPlan> copy =
      copyBetween(fill ? to : instruction.copy().in(), to);
  if (!copy.ok())
    return copy.status();
  if (fill)
    out.kind = PreparedFill{*copy, kernelType(to), instruction.fill().value(),
                            addressOf(to, context)};
  else
    out.kind = PreparedCopy{*copy, addressOf(instruction.copy().in(), context),
                            addressOf(to, context)};
  return absl::OkStatus();
}

absl::Status prepare(const plan::Instruction &instruction,
                     PrepareContext &context, PreparedInstruction &out) {
  switch (instruction.kind_case()) {
  case plan::Instruction::kLaunch:
    out.kind = prepareLaunch(instruction.launch(), context);
    return absl::OkStatus();
  case plan::Instruction::kGemm:
    return assign(prepareGemm(instruction.gemm(), context), out);
  case plan::Instruction::kAttention:
    return assign(prepareAttention(instruction.attention(), context), out);
  case plan::Instruction::kAttentionGrad:
    return assign(prepareAttentionGrad(instruction.attention_grad(), context),
                  out);
  case plan::Instruction::kEmbedding: {
    const plan::Embedding &op = instruction.embedding();
    return assign(prepareEmbedding(op.table(), op.ids(), op.out(),
                                   op.first_row(), false, context),
                  out);
  }
  case plan::Instruction::kEmbeddingGrad: {
    const plan::EmbeddingGrad &op = instruction.embedding_grad();
    return assign(prepareEmbedding(op.grad(), op.ids(), op.grad_out(),
                                   op.first_row(), true, context),
                  out);
  }
  case plan::Instruction::kColumnSum:
    out.kind = prepareColumnSum(instruction.column_sum(), context);
    return absl::OkStatus();
  case plan::Instruction::kFlatReduce:
    return assign(prepareFlatReduce(instruction.flat_reduce(), context), out);
  case plan::Instruction::kCollective:
    if (instruction.collective().op() == plan::Collective::ALL_SLICE)
      return assign(prepareSlice(instruction.collective(), context), out);
    return assign(prepareCollective(instruction.collective(), context), out);
  case plan::Instruction::kSend:
    return assign(prepareTransfer(instruction.send(), true, context), out);
  case plan::Instruction::kReceive:
    return assign(prepareTransfer(instruction.receive(), false, context), out);
  case plan::Instruction::kCopy:
  case plan::Instruction::kFill:
    return prepareCopyOrFill(instruction, context, out);
  case plan::Instruction::KIND_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError("instruction of an unknown kind");
}

} // namespace

absl::StatusOr<PreparedProgram> prepareProgram(const plan::Program &program,
                                               PrepareContext &context) {
  PreparedProgram prepared;
  prepared.name = program.name();
  prepared.instructions.resize(program.instructions_size());
  for (int i = 0; i < program.instructions_size(); ++i) {
    const plan::Instruction &instruction = program.instructions(i);
    PreparedInstruction &out = prepared.instructions[i];
    out.label = labelOf(instruction, *context.rank.member);
    out.kindName = kindName(instruction);
    out.flops = instruction.flops();
    out.bytes = operandBytes(instruction);
    out.lastRunOnly = instruction.last_run_only();
    if (absl::Status status = prepare(instruction, context, out); !status.ok())
      return absl::Status(
          status.code(),
          absl::StrCat("rank ", context.rank.rank, ", ",
                       instructionPlace(*context.rank.rankClass, program, i),
                       ": ", status.message()));
  }
  return prepared;
}

} // namespace orrery::runtime
