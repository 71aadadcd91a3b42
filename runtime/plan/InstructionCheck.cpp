// Checks of instructions: views inside buffers, then the shapes of each kind.
#include "runtime/plan/CommunicationCheck.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/ViewCheck.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <cmath>

namespace orrery::runtime {
namespace {

using Wide = __int128;

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

/// Checks of one instruction; messages carry no place, the caller adds it.
class InstructionChecker {
public:
  InstructionChecker(const plan::Plan &plan, const Mesh &mesh,
                     const plan::RankClass &rankClass)
      : plan(plan), mesh(mesh), rankClass(rankClass) {}

  absl::Status check(const plan::Instruction &instruction);

private:
  absl::Status checkLaunch(const plan::Launch &op);
  absl::Status checkGemm(const plan::Gemm &op);
  absl::Status checkEpilogue(const plan::Gemm &op);
  absl::Status checkMatrix(absl::string_view name, const plan::View &view,
                           bool transpose, int64_t rows, int64_t columns,
                           int64_t leading, int64_t batch, int64_t stride);
  absl::Status checkAttention(const plan::View &q, const plan::View &k,
                              const plan::View &v, const plan::View &o,
                              const plan::View &lse,
                              const plan::AttentionShape &shape);
  absl::Status checkAttentionGrad(const plan::AttentionGrad &op);
  absl::Status checkHeads(const plan::AttentionShape &shape, int64_t heads);
  absl::Status checkRows(const plan::View &table, const plan::View &ids,
                         const plan::View &rows, const plan::Index &first);
  absl::Status checkColumnSum(const plan::ColumnSum &op);
  absl::Status checkFlatReduce(const plan::FlatReduce &op);
  absl::Status checkCopy(const plan::Copy &op);

  const plan::Plan &plan;
  const Mesh &mesh;
  const plan::RankClass &rankClass;
};

absl::Status InstructionChecker::checkLaunch(const plan::Launch &op) {
  if (op.kernel() >= static_cast<uint32_t>(plan.kernels_size()))
    return fault("kernel ", op.kernel(), " does not exist, the plan has ",
                 plan.kernels_size());
  const plan::Kernel &kernel = plan.kernels(static_cast<int>(op.kernel()));
  if (static_cast<uint32_t>(op.buffers_size()) != kernel.buffers())
    return fault("kernel '", kernel.symbol(), "' takes ", kernel.buffers(),
                 " buffers, found ", op.buffers_size());
  if (static_cast<uint32_t>(op.scalars_size()) != kernel.scalars())
    return fault("kernel '", kernel.symbol(), "' takes ", kernel.scalars(),
                 " scalars, found ", op.scalars_size());
  if (op.inputs() > kernel.buffers())
    return fault("has ", op.inputs(), " inputs, but ", kernel.buffers(),
                 " buffers");
  if (op.rows() < 1)
    return fault("has ", op.rows(), " rows, expected at least 1");
  for (int i = 0; i < op.scalars_size(); ++i) {
    const plan::Launch::Scalar &scalar = op.scalars(i);
    absl::Status status = fault("is empty");
    if (scalar.has_index())
      status = checkIndex(mesh, scalar.index());
    else if (scalar.has_stream())
      status = checkStream(scalar.stream());
    if (!status.ok())
      return fault("scalar ", i, ": ", status.message());
  }
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkMatrix(absl::string_view name,
                                             const plan::View &view,
                                             bool transpose, int64_t rows,
                                             int64_t columns, int64_t leading,
                                             int64_t batch, int64_t stride) {
  if (transpose)
    std::swap(rows, columns);
  if (leading < columns)
    return fault("operand ", name, ": leading dimension ", leading,
                 " is below its ", columns, " columns");
  if (batch > 1 && stride < 0)
    return fault("operand ", name, ": batch stride ", stride);
  Wide last = Wide{batch - 1} * stride + Wide{rows - 1} * leading + columns;
  bool beyond = last > viewReach(view);
  if (beyond ||
      joined({{stride, batch}, {leading, rows}, {1, columns}}) != joined(view))
    return fault("operand ", name, ": ", batch, " x [", rows, ", ", columns,
                 "] with leading dimension ", leading, " and batch stride ",
                 stride, beyond ? " goes beyond " : " are not the elements of ",
                 viewText(view), " with strides [",
                 absl::StrJoin(view.strides(), ", "), "]");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkGemm(const plan::Gemm &op) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  for (int64_t size : {op.m(), op.n(), op.k(), op.batch()})
    if (size < 1 || size >= kLimit)
      return fault("m ", op.m(), ", n ", op.n(), ", k ", op.k(), ", batch ",
                   op.batch(), " must be in 1..2^31-1");
  if (!std::isfinite(op.alpha()) || !std::isfinite(op.beta()))
    return fault("alpha ", op.alpha(), ", beta ", op.beta());
  if (!isFloat(op.a()) || op.a().type() != op.b().type())
    return fault("operands a ", viewText(op.a()), " and b ", viewText(op.b()),
                 " must have one floating-point type");
  if (op.c().type() != plan::F32 && op.c().type() != op.a().type())
    return fault("operand c ", viewText(op.c()), " must be F32 or as a ",
                 viewText(op.a()));
  absl::Status status =
      checkMatrix("a", op.a(), op.transpose_a(), op.m(), op.k(), op.lda(),
                  op.batch(), op.stride_a());
  if (status.ok())
    status = checkMatrix("b", op.b(), op.transpose_b(), op.k(), op.n(),
                         op.ldb(), op.batch(), op.stride_b());
  if (status.ok())
    status = checkMatrix("c", op.c(), false, op.m(), op.n(), op.ldc(),
                         op.batch(), op.stride_c());
  if (!status.ok())
    return status;
  if (op.first_run_overwrites() && op.beta() != 1)
    return fault("overwrites c in the first run only and has beta ", op.beta(),
                 ", expected 1");
  // Of products that all write one place.
  if (Wide{op.batch()} * op.m() * op.n() != viewElements(op.c()))
    return fault("operand c: ", op.batch(), " x [", op.m(), ", ", op.n(),
                 "] elements are written to ", viewText(op.c()));
  return checkEpilogue(op);
}

absl::Status InstructionChecker::checkEpilogue(const plan::Gemm &op) {
  if (!plan::Gemm::Epilogue_IsValid(op.epilogue()))
    return fault("epilogue ", op.epilogue(), " is not known");
  const std::string &name = plan::Gemm::Epilogue_Name(op.epilogue());
  if (op.epilogue() != plan::Gemm::NONE && op.beta() != 0)
    return fault("epilogue ", name, " with beta ", op.beta(), ", expected 0");
  bool usesBias = op.epilogue() == plan::Gemm::BIAS ||
                  op.epilogue() == plan::Gemm::BIAS_GELU;
  bool usesAux = op.epilogue() == plan::Gemm::BIAS_GELU ||
                 op.epilogue() == plan::Gemm::GELU_GRAD;
  if (op.has_bias() != usesBias)
    return fault("epilogue ", name, usesBias ? " needs" : " has no use for",
                 " operand bias");
  if (op.has_aux() != usesAux)
    return fault("epilogue ", name, usesAux ? " needs" : " has no use for",
                 " operand aux");
  if (usesBias &&
      (op.bias().type() != op.c().type() || viewElements(op.bias()) != op.n() ||
       viewReach(op.bias()) != op.n()))
    return fault("operand bias ", viewText(op.bias()), " must be ", op.n(),
                 " elements of ", viewText(op.c()), " in a row");
  if (!usesAux)
    return absl::OkStatus();
  if (op.aux().type() != op.c().type() ||
      viewElements(op.aux()) != viewElements(op.c()))
    return fault("operand aux ", viewText(op.aux()), " must be as c ",
                 viewText(op.c()));
  return checkMatrix("aux", op.aux(), false, op.m(), op.n(), op.ldc(),
                     op.batch(), op.stride_c());
}

absl::Status InstructionChecker::checkHeads(const plan::AttentionShape &shape,
                                            int64_t heads) {
  if (absl::Status status = checkIndex(mesh, shape.sample()); !status.ok())
    return fault("sample: ", status.message());
  if (absl::Status status = checkIndex(mesh, shape.head()); !status.ok())
    return fault("head: ", status.message());
  Wide least = shape.head().constant(), most = least;
  for (const plan::Index::Term &term : shape.head().terms()) {
    Wide far = Wide{term.stride()} * (mesh.axisSize(term.axis()) - 1);
    (far < 0 ? least : most) += far;
  }
  if (least < 0 || most + heads > shape.total_heads())
    return fault("heads ", static_cast<int64_t>(least), "..",
                 static_cast<int64_t>(most + heads) - 1, " exceed the ",
                 shape.total_heads(), " of the model");
  return absl::OkStatus();
}

absl::Status
InstructionChecker::checkAttention(const plan::View &q, const plan::View &k,
                                   const plan::View &v, const plan::View &o,
                                   const plan::View &lse,
                                   const plan::AttentionShape &shape) {
  if (q.shape_size() != 4)
    return fault("operand q ", viewText(q), " must be [s, b, n, d]");
  int64_t s = q.shape(0), b = q.shape(1), n = q.shape(2);
  if (!sameShape(k, q) || !sameShape(v, q))
    return fault("operands k ", viewText(k), " and v ", viewText(v),
                 " must be shaped as q ", viewText(q));
  if (!sameShape(o, q))
    return fault("operand o ", viewText(o), " must be shaped as q ",
                 viewText(q));
  if (!isFloat(q) || k.type() != q.type() || v.type() != q.type() ||
      o.type() != q.type())
    return fault("operands q ", viewText(q), ", k ", viewText(k), ", v ",
                 viewText(v), ", o ", viewText(o),
                 " must have one floating-point type");
  if (lse.type() != plan::F32 || lse.shape_size() != 3 || lse.shape(0) != b ||
      lse.shape(1) != n || lse.shape(2) != s)
    return fault("operand lse ", viewText(lse), " must be F32[", b, ", ", n,
                 ", ", s, "]");
  if (!std::isfinite(shape.scale()))
    return fault("scale ", shape.scale());
  if (!(shape.dropout() >= 0 && shape.dropout() < 1))
    return fault("dropout ", shape.dropout(), " is not in [0, 1)");
  if (shape.dropout() > 0)
    if (absl::Status status = checkStream(shape.stream()); !status.ok())
      return status;
  if (shape.has_document_start()) {
    const plan::View &start = shape.document_start();
    if (start.type() != plan::I32 || start.shape_size() != 2 ||
        start.shape(0) != s || start.shape(1) != b)
      return fault("operand document_start ", viewText(start), " must be I32[",
                   s, ", ", b, "]");
  }
  return checkHeads(shape, n);
}

absl::Status
InstructionChecker::checkAttentionGrad(const plan::AttentionGrad &op) {
  if (absl::Status status =
          checkAttention(op.q(), op.k(), op.v(), op.o(), op.lse(), op.shape());
      !status.ok())
    return status;
  struct Pair {
    absl::string_view name;
    const plan::View &grad, &value;
  };
  for (const Pair &pair : {Pair{"grad_o", op.grad_o(), op.o()},
                           Pair{"grad_q", op.grad_q(), op.q()},
                           Pair{"grad_k", op.grad_k(), op.k()},
                           Pair{"grad_v", op.grad_v(), op.v()}})
    if (!sameShape(pair.grad, pair.value) ||
        pair.grad.type() != pair.value.type())
      return fault("operand ", pair.name, " ", viewText(pair.grad),
                   " must be as its value ", viewText(pair.value));
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkRows(const plan::View &table,
                                           const plan::View &ids,
                                           const plan::View &rows,
                                           const plan::Index &first) {
  if (table.shape_size() != 2)
    return fault("table ", viewText(table), " must be [rows, columns]");
  if (ids.type() != plan::I32)
    return fault("operand ids ", viewText(ids), " must be I32");
  if (rows.shape_size() != ids.shape_size() + 1 ||
      !std::equal(ids.shape().begin(), ids.shape().end(),
                  rows.shape().begin()) ||
      rows.shape(ids.shape_size()) != table.shape(1))
    return fault("rows ", viewText(rows), " must have the shape of ids ",
                 viewText(ids), " and the columns of ", viewText(table));
  return checkIndex(mesh, first);
}

absl::Status InstructionChecker::checkColumnSum(const plan::ColumnSum &op) {
  if (op.in().shape_size() != 2 || !isFloat(op.in()))
    return fault("operand in ", viewText(op.in()),
                 " must be a floating-point [rows, columns]");
  if (op.out().type() != plan::F32 ||
      viewElements(op.out()) != op.in().shape(1))
    return fault("operand out ", viewText(op.out()), " must be F32[",
                 op.in().shape(1), "]");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkFlatReduce(const plan::FlatReduce &op) {
  if (!plan::FlatReduce::Op_IsValid(op.op()))
    return fault("operation ", op.op(), " is not known");
  if (!isFloat(op.in()))
    return fault("operand in ", viewText(op.in()), " must be floating-point");
  if (op.out().type() != plan::F64 || viewElements(op.out()) != 1)
    return fault("operand out ", viewText(op.out()), " must be one F64");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkCopy(const plan::Copy &op) {
  if (op.in().type() != op.out().type() || !sameShape(op.in(), op.out()))
    return fault("operand out ", viewText(op.out()), " must be as in ",
                 viewText(op.in()));
  return absl::OkStatus();
}

absl::Status InstructionChecker::check(const plan::Instruction &instruction) {
  for (const Operand &operand : operandsOf(instruction)) {
    // Of a launch without a number of inputs nothing says what it writes.
    bool written =
        operand.access == Access::WRITE ||
        (operand.access == Access::READ_WRITE && !instruction.has_launch());
    if (absl::Status status = checkView(rankClass, *operand.view, written);
        !status.ok())
      return fault("operand ", operand.name, ": ", status.message());
  }
  switch (instruction.kind_case()) {
  case plan::Instruction::kLaunch:
    return checkLaunch(instruction.launch());
  case plan::Instruction::kGemm:
    return checkGemm(instruction.gemm());
  case plan::Instruction::kAttention: {
    const plan::Attention &op = instruction.attention();
    return checkAttention(op.q(), op.k(), op.v(), op.o(), op.lse(), op.shape());
  }
  case plan::Instruction::kAttentionGrad:
    return checkAttentionGrad(instruction.attention_grad());
  case plan::Instruction::kEmbedding: {
    const plan::Embedding &op = instruction.embedding();
    if (!isFloat(op.table()) || !isFloat(op.out()))
      return fault("operands table ", viewText(op.table()), " and out ",
                   viewText(op.out()), " must be floating-point");
    return checkRows(op.table(), op.ids(), op.out(), op.first_row());
  }
  case plan::Instruction::kEmbeddingGrad: {
    const plan::EmbeddingGrad &op = instruction.embedding_grad();
    if (op.grad().type() != plan::F32 || !isFloat(op.grad_out()))
      return fault("operand grad ", viewText(op.grad()), " must be F32 and ",
                   viewText(op.grad_out()), " floating-point");
    return checkRows(op.grad(), op.ids(), op.grad_out(), op.first_row());
  }
  case plan::Instruction::kColumnSum:
    return checkColumnSum(instruction.column_sum());
  case plan::Instruction::kCollective:
    return checkCollective(plan, mesh, rankClass, instruction.collective());
  case plan::Instruction::kSend:
    return checkTransfer(plan, mesh, rankClass, instruction.send());
  case plan::Instruction::kReceive:
    return checkTransfer(plan, mesh, rankClass, instruction.receive());
  case plan::Instruction::kCopy:
    return checkCopy(instruction.copy());
  case plan::Instruction::kFlatReduce:
    return checkFlatReduce(instruction.flat_reduce());
  case plan::Instruction::kFill:
    return absl::OkStatus();
  case plan::Instruction::KIND_NOT_SET:
    break;
  }
  return fault("does nothing: its kind is not set or not known");
}

} // namespace

absl::Status checkInstructions(const plan::Plan &plan, const Mesh &mesh,
                               const plan::RankClass &rankClass) {
  InstructionChecker checker(plan, mesh, rankClass);
  for (const plan::Program &program : rankClass.programs())
    for (int i = 0; i < program.instructions_size(); ++i)
      if (absl::Status status = checker.check(program.instructions(i));
          !status.ok())
        return absl::InvalidArgumentError(
            absl::StrCat("plan: ", instructionPlace(rankClass, program, i),
                         ": ", status.message()));
  return absl::OkStatus();
}

} // namespace orrery::runtime
