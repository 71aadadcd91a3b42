// Checks of instructions: views inside buffers, then the shapes of each kind.
#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/PlanCheck.h"

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

std::string text(const plan::View &view) {
  return absl::StrCat(elementName(view.type()), "[",
                      absl::StrJoin(view.shape(), ", "), "]");
}

/// Elements; views were checked, so that this does not overflow.
int64_t elements(const plan::View &view) {
  int64_t product = 1;
  for (int64_t size : view.shape())
    product *= size;
  return product;
}

/// Elements from the first to the last one touched, both included.
Wide reach(const plan::View &view) {
  Wide last = 0;
  for (int d = 0; d < view.shape_size(); ++d)
    last += Wide{view.shape(d) - 1} * view.strides(d);
  return last + 1;
}

bool sameShape(const plan::View &a, const plan::View &b) {
  return std::equal(a.shape().begin(), a.shape().end(), b.shape().begin(),
                    b.shape().end());
}

bool isFloat(const plan::View &view) {
  return view.type() == plan::F32 || view.type() == plan::F16 ||
         view.type() == plan::BF16;
}

/// Two index tuples of a written view must not name one element: sorted by
/// stride, every stride passes what the smaller ones reach.
bool overlapsItself(const plan::View &view) {
  std::vector<std::pair<int64_t, int64_t>> dims;
  for (int d = 0; d < view.shape_size(); ++d)
    if (view.shape(d) > 1)
      dims.push_back({view.strides(d), view.shape(d)});
  std::sort(dims.begin(), dims.end());
  Wide reached = 0;
  for (auto [stride, size] : dims) {
    if (stride <= reached)
      return true;
    reached += Wide{size - 1} * stride;
  }
  return false;
}

/// Checks of one instruction; messages carry no place, the caller adds it.
class InstructionChecker {
public:
  InstructionChecker(const plan::Plan &plan, const Mesh &mesh,
                     const plan::RankClass &rankClass)
      : plan(plan), mesh(mesh), rankClass(rankClass) {}

  absl::Status check(const plan::Instruction &instruction);

private:
  absl::Status checkView(const plan::View &view, bool written);
  absl::Status checkIndex(const plan::Index &index);
  absl::Status checkStream(const plan::RandomStream &stream);
  absl::Status checkLaunch(const plan::Launch &op);
  absl::Status checkGemm(const plan::Gemm &op);
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
  absl::Status checkCommunicator(uint32_t number);
  absl::Status checkCollective(const plan::Collective &op);
  absl::Status checkTransfer(const plan::Transfer &op);
  absl::Status checkCopy(const plan::Copy &op);

  const plan::Plan &plan;
  const Mesh &mesh;
  const plan::RankClass &rankClass;
};

absl::Status InstructionChecker::checkView(const plan::View &view,
                                           bool written) {
  if (view.buffer() >= static_cast<uint32_t>(rankClass.buffers_size()))
    return fault("buffer ", view.buffer(), " does not exist, the class has ",
                 rankClass.buffers_size());
  const plan::Buffer &buffer =
      rankClass.buffers(static_cast<int>(view.buffer()));
  int64_t element = elementBytes(view.type());
  if (element == 0)
    return fault("element type ", elementName(view.type()), " is not known");
  if (view.shape_size() != view.strides_size())
    return fault("has ", view.shape_size(), " sizes and ", view.strides_size(),
                 " strides");
  constexpr Wide kMaxElements = Wide{1} << 48;
  Wide count = 1, last = 0;
  for (int d = 0; d < view.shape_size(); ++d) {
    if (view.shape(d) < 1 || view.strides(d) < 0)
      return fault("dimension ", d, " has size ", view.shape(d), " and stride ",
                   view.strides(d));
    count *= view.shape(d);
    last += Wide{view.shape(d) - 1} * view.strides(d);
    if (count > kMaxElements || last > kMaxElements)
      return fault(text(view), " is larger than 2^48 elements");
  }
  if (view.offset() % static_cast<uint64_t>(element) ||
      buffer.offset() % static_cast<uint64_t>(element))
    return fault("offset ", view.offset(), " in buffer ", view.buffer(),
                 " is not aligned to the ", element, " bytes of ",
                 elementName(view.type()));
  if (Wide{view.offset()} + (last + 1) * element > Wide{buffer.bytes()})
    return fault(text(view), " with strides [",
                 absl::StrJoin(view.strides(), ", "), "] at byte ",
                 view.offset(), " ends at byte ",
                 view.offset() + static_cast<uint64_t>((last + 1) * element),
                 ", beyond the ", buffer.bytes(), " bytes of buffer ",
                 view.buffer(), " '", buffer.name(), "'");
  if (written && overlapsItself(view))
    return fault("is written, but strides [",
                 absl::StrJoin(view.strides(), ", "), "] of ", text(view),
                 " put several elements in one place");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkIndex(const plan::Index &index) {
  constexpr int64_t kLimit = int64_t{1} << 48;
  auto tooLarge = [](int64_t value) {
    return value > kLimit || value < -kLimit;
  };
  if (tooLarge(index.constant()) || tooLarge(index.per_microbatch()))
    return fault("index ", index.constant(), " + microbatch * ",
                 index.per_microbatch(), " is beyond 2^48");
  for (const plan::Index::Term &term : index.terms()) {
    if (mesh.findAxis(term.axis()) < 0)
      return fault("index uses axis '", term.axis(),
                   "', which is not in the mesh");
    if (tooLarge(term.stride()))
      return fault("index stride ", term.stride(), " is beyond 2^48");
  }
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkStream(const plan::RandomStream &stream) {
  if (stream.name().empty())
    return fault("random stream has no name");
  if (stream.layer() < -1)
    return fault("random stream '", stream.name(), "' has layer ",
                 stream.layer());
  return absl::OkStatus();
}

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
  if (op.rows() < 1)
    return fault("has ", op.rows(), " rows, expected at least 1");
  for (int i = 0; i < op.scalars_size(); ++i) {
    const plan::Launch::Scalar &scalar = op.scalars(i);
    absl::Status status = fault("is empty");
    if (scalar.has_index())
      status = checkIndex(scalar.index());
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
  if (last > reach(view))
    return fault("operand ", name, ": ", batch, " x [", rows, ", ", columns,
                 "] with leading dimension ", leading, " and batch stride ",
                 stride, " goes beyond ", text(view), " with strides [",
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
    return fault("operands a ", text(op.a()), " and b ", text(op.b()),
                 " must have one floating-point type");
  if (op.c().type() != plan::F32 && op.c().type() != op.a().type())
    return fault("operand c ", text(op.c()), " must be F32 or as a ",
                 text(op.a()));
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
  if (Wide{op.batch()} * op.m() * op.n() != elements(op.c()))
    return fault("operand c: ", op.batch(), " x [", op.m(), ", ", op.n(),
                 "] elements are written to ", text(op.c()));
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkHeads(const plan::AttentionShape &shape,
                                            int64_t heads) {
  if (absl::Status status = checkIndex(shape.sample()); !status.ok())
    return fault("sample: ", status.message());
  if (absl::Status status = checkIndex(shape.head()); !status.ok())
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
    return fault("operand q ", text(q), " must be [s, b, n, d]");
  int64_t s = q.shape(0), b = q.shape(1), n = q.shape(2);
  if (k.shape_size() != 4 || !sameShape(k, v) || k.shape(1) != b ||
      k.shape(3) != q.shape(3) || n % k.shape(2))
    return fault("operands k ", text(k), " and v ", text(v), " do not fit q ",
                 text(q));
  if (!sameShape(o, q))
    return fault("operand o ", text(o), " must be shaped as q ", text(q));
  if (!isFloat(q) || k.type() != q.type() || v.type() != q.type() ||
      o.type() != q.type())
    return fault("operands q ", text(q), ", k ", text(k), ", v ", text(v),
                 ", o ", text(o), " must have one floating-point type");
  if (lse.type() != plan::F32 || lse.shape_size() != 3 || lse.shape(0) != b ||
      lse.shape(1) != n || lse.shape(2) != s)
    return fault("operand lse ", text(lse), " must be F32[", b, ", ", n, ", ",
                 s, "]");
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
      return fault("operand document_start ", text(start), " must be I32[", s,
                   ", ", b, "]");
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
      return fault("operand ", pair.name, " ", text(pair.grad),
                   " must be as its value ", text(pair.value));
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkRows(const plan::View &table,
                                           const plan::View &ids,
                                           const plan::View &rows,
                                           const plan::Index &first) {
  if (table.shape_size() != 2)
    return fault("table ", text(table), " must be [rows, columns]");
  if (ids.type() != plan::I32)
    return fault("operand ids ", text(ids), " must be I32");
  if (rows.shape_size() != ids.shape_size() + 1 ||
      !std::equal(ids.shape().begin(), ids.shape().end(),
                  rows.shape().begin()) ||
      rows.shape(ids.shape_size()) != table.shape(1))
    return fault("rows ", text(rows), " must have the shape of ids ", text(ids),
                 " and the columns of ", text(table));
  return checkIndex(first);
}

absl::Status InstructionChecker::checkColumnSum(const plan::ColumnSum &op) {
  if (op.in().shape_size() != 2 || !isFloat(op.in()))
    return fault("operand in ", text(op.in()),
                 " must be a floating-point [rows, columns]");
  if (op.out().type() != plan::F32 || elements(op.out()) != op.in().shape(1))
    return fault("operand out ", text(op.out()), " must be F32[",
                 op.in().shape(1), "]");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkFlatReduce(const plan::FlatReduce &op) {
  if (!plan::FlatReduce::Op_IsValid(op.op()))
    return fault("operation ", op.op(), " is not known");
  if (!isFloat(op.in()))
    return fault("operand in ", text(op.in()), " must be floating-point");
  if (op.out().type() != plan::F64 || elements(op.out()) != 1)
    return fault("operand out ", text(op.out()), " must be one F64");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkCommunicator(uint32_t number) {
  if (number >= static_cast<uint32_t>(plan.communicators_size()))
    return fault("communicator ", number, " does not exist, the plan has ",
                 plan.communicators_size());
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(number));
  if (communicator.only_size() == 0 || communicator.axes(0) != "pp")
    return absl::OkStatus();
  for (const plan::Member &member : rankClass.members())
    if (std::find(communicator.only().begin(), communicator.only().end(),
                  member.stage()) == communicator.only().end())
      return fault("communicator '", communicator.name(),
                   "' has no part on stage ", member.stage());
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkCollective(const plan::Collective &op) {
  if (absl::Status status = checkCommunicator(op.communicator()); !status.ok())
    return status;
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(op.communicator()));
  if (!plan::Collective::Op_IsValid(op.op()) ||
      !plan::Collective::Reduction_IsValid(op.reduction()))
    return fault("operation ", op.op(), " with reduction ", op.reduction(),
                 " is not known");
  if (communicator.only_size() > 0 && communicator.axes(0) != "pp")
    return fault("communicator '", communicator.name(),
                 "' leaves out ranks of this class");
  int64_t group = mesh.groupSize(communicator);
  const plan::View &in = op.in(), &out = op.out();
  std::vector<int64_t> expected(in.shape().begin(), in.shape().end());
  auto dimension = [&](int32_t d, bool divide) -> absl::Status {
    if (d < 0 || d >= in.shape_size())
      return fault("dimension ", d, " is not one of in ", text(in));
    if (divide && expected[d] % group)
      return fault("dimension ", d, " of in ", text(in),
                   " does not divide into ", group, " equal parts");
    expected[d] = divide ? expected[d] / group : expected[d] * group;
    return absl::OkStatus();
  };
  absl::Status status;
  switch (op.op()) {
  case plan::Collective::ALL_GATHER:
    status = dimension(op.dimension(), false);
    break;
  case plan::Collective::REDUCE_SCATTER:
  case plan::Collective::ALL_SLICE:
    status = dimension(op.dimension(), true);
    break;
  case plan::Collective::ALL_TO_ALL:
    status = dimension(op.dimension(), true);
    if (status.ok())
      status = dimension(op.concat_dimension(), false);
    break;
  default:
    break;
  }
  if (!status.ok())
    return status;
  if (out.type() != in.type() ||
      !std::equal(expected.begin(), expected.end(), out.shape().begin(),
                  out.shape().end()))
    return fault("operand out ", text(out), " must be ", elementName(in.type()),
                 "[", absl::StrJoin(expected, ", "), "] in a group of ", group);
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkTransfer(const plan::Transfer &op) {
  if (absl::Status status = checkCommunicator(op.communicator()); !status.ok())
    return status;
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(op.communicator()));
  if (communicator.axes_size() != 1 || communicator.axes(0) != "pp" ||
      communicator.only_size() > 0)
    return fault("communicator '", communicator.name(), "' over {",
                 absl::StrJoin(communicator.axes(), ", "),
                 "}: transfers need all of the one axis pp");
  int32_t stages = mesh.axisSize("pp");
  if (op.delta() == 0 || op.delta() >= stages || op.delta() <= -stages)
    return fault("delta ", op.delta(), " with ", stages, " stages");
  for (const plan::Member &member : rankClass.members())
    if (member.stage() + op.delta() < 0 ||
        member.stage() + op.delta() >= stages)
      return fault("stage ", member.stage(), " has no neighbour ", op.delta(),
                   " away among ", stages, " stages");
  if (op.tag() < 0 || op.tag() > 32767)
    return fault("tag ", op.tag(), " is not in 0..32767");
  return absl::OkStatus();
}

absl::Status InstructionChecker::checkCopy(const plan::Copy &op) {
  if (op.in().type() != op.out().type() || !sameShape(op.in(), op.out()))
    return fault("operand out ", text(op.out()), " must be as in ",
                 text(op.in()));
  return absl::OkStatus();
}

absl::Status InstructionChecker::check(const plan::Instruction &instruction) {
  for (const Operand &operand : operandsOf(instruction)) {
    // Of a launch nothing says which operands it writes.
    bool written = operand.access != Access::READ && !instruction.has_launch();
    if (absl::Status status = checkView(*operand.view, written); !status.ok())
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
      return fault("operands table ", text(op.table()), " and out ",
                   text(op.out()), " must be floating-point");
    return checkRows(op.table(), op.ids(), op.out(), op.first_row());
  }
  case plan::Instruction::kEmbeddingGrad: {
    const plan::EmbeddingGrad &op = instruction.embedding_grad();
    if (op.grad().type() != plan::F32 || !isFloat(op.grad_out()))
      return fault("operand grad ", text(op.grad()), " must be F32 and ",
                   text(op.grad_out()), " floating-point");
    return checkRows(op.grad(), op.ids(), op.grad_out(), op.first_row());
  }
  case plan::Instruction::kColumnSum:
    return checkColumnSum(instruction.column_sum());
  case plan::Instruction::kCollective:
    return checkCollective(instruction.collective());
  case plan::Instruction::kSend:
    return checkTransfer(instruction.send());
  case plan::Instruction::kReceive:
    return checkTransfer(instruction.receive());
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
        return absl::InvalidArgumentError(absl::StrCat(
            "plan: class '", rankClass.name(), "', program '", program.name(),
            "', instruction ", i, " (", kindName(program.instructions(i)), " '",
            program.instructions(i).label(), "'): ", status.message()));
  return absl::OkStatus();
}

} // namespace orrery::runtime
