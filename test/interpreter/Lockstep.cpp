// One run of one function on all ranks.
#include "test/interpreter/Lockstep.h"

#include "test/interpreter/Collectives.h"
#include "test/interpreter/State.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

LogicalResult Lockstep::begin() {
  cursors.resize(owner.getNumRanks());
  for (auto [rank, cursor] : llvm::enumerate(cursors)) {
    ModuleOp program = owner.getProgram(rank);
    auto body = program.lookupSymbol<func::FuncOp>(function);
    if (!body)
      return program.emitError() << "has no function @" << function;
    if (body.getNumArguments() != inputs[rank].size())
      return body.emitError()
             << "has " << body.getNumArguments() << " arguments, rank " << rank
             << " was given " << inputs[rank].size();
    for (auto [argument, input] :
         llvm::zip_equal(body.getArguments(), inputs[rank])) {
      if (cast<RankedTensorType>(argument.getType()).getShape() !=
          ArrayRef<int64_t>(input.shape))
        return body.emitError() << "argument " << argument.getArgNumber()
                                << " is given another shape";
      cursor.values[argument] = input;
    }
    cursor.next = &body.getBody().front().front();
  }
  return success();
}

FailureOr<SmallVector<Tensors>> Lockstep::run() {
  if (failed(begin()))
    return failure();
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t rank = 0; rank < cursors.size(); ++rank)
      while (cursors[rank].next) {
        Step result = step(rank);
        if (result == Step::Failed)
          return failure();
        if (result == Step::Waits)
          break;
        moved = true;
      }
  }
  SmallVector<Tensors> results;
  for (Cursor &cursor : cursors) {
    if (cursor.next)
      return reportDeadlock();
    results.push_back(std::move(cursor.results));
  }
  return results;
}

LogicalResult Lockstep::reportDeadlock() {
  for (auto [rank, cursor] : llvm::enumerate(cursors))
    if (cursor.next)
      cursor.next->emitError() << "rank " << rank << " waits here for ever";
  return failure();
}

SmallVector<const Tensor *> Lockstep::operandsOf(int64_t rank) {
  SmallVector<const Tensor *> operands;
  for (Value operand : cursors[rank].next->getOperands())
    operands.push_back(&cursors[rank].values.at(operand));
  return operands;
}

void Lockstep::finish(int64_t rank, Tensors results) {
  Cursor &cursor = cursors[rank];
  for (auto [value, result] :
       llvm::zip_equal(cursor.next->getResults(), results))
    cursor.values[value] = std::move(result);
  cursor.next = cursor.next->getNextNode();
}

Lockstep::Step Lockstep::step(int64_t rank) {
  Operation *op = cursors[rank].next;
  if (isCollective(op))
    return stepCollective(rank, op);
  if (isa<dfg::SendOp, dfg::ReceiveOp>(op))
    return stepExchange(rank, op);
  SmallVector<const Tensor *> operands = operandsOf(rank);
  if (isa<func::ReturnOp>(op)) {
    for (const Tensor *operand : operands)
      cursors[rank].results.push_back(*operand);
    cursors[rank].next = nullptr;
    return Step::Done;
  }
  Interpreter::Rank &self = owner.ranks[rank];
  FailureOr<std::optional<Tensors>> remembered =
      runStateOp(op, operands, self.program, self.state, owner.scalars);
  if (failed(remembered))
    return Step::Failed;
  if (*remembered) {
    finish(rank, std::move(**remembered));
    return Step::Done;
  }
  FailureOr<Tensors> results = evaluate(op, operands, self.context);
  if (failed(results))
    return Step::Failed;
  for (auto [value, result] : llvm::zip_equal(op->getResults(), *results))
    if (cast<RankedTensorType>(value.getType()).getShape() !=
        ArrayRef<int64_t>(result.shape)) {
      op->emitError("the interpreter's result has another shape");
      return Step::Failed;
    }
  finish(rank, std::move(*results));
  return Step::Done;
}

Lockstep::Step Lockstep::stepCollective(int64_t rank, Operation *op) {
  SmallVector<int64_t> group = groupOf(op, owner.getMesh(), rank);
  SmallVector<const Tensor *> operands;
  for (int64_t member : group) {
    Operation *other = cursors[member].next;
    if (!other || other->getName() != op->getName() ||
        other->getPropertiesAsAttribute() != op->getPropertiesAsAttribute() ||
        other->getOperandTypes() != op->getOperandTypes())
      return Step::Waits;
    operands.push_back(operandsOf(member)[0]);
  }
  Tensors results =
      group.size() == 1 ? Tensors{*operands[0]} : runCollective(op, operands);
  for (auto [member, result] : llvm::zip_equal(group, results))
    finish(member, {std::move(result)});
  return Step::Done;
}

Lockstep::Step Lockstep::stepExchange(int64_t rank, Operation *op) {
  dfg::MeshAttr mesh = owner.getMesh();
  int64_t stageStride = mesh.getNumRanks();
  for (auto [name, size] : llvm::zip_equal(mesh.getNames(), mesh.getSizes())) {
    stageStride /= size;
    if (name == "pp")
      break;
  }
  if (auto send = dyn_cast<dfg::SendOp>(op)) {
    int64_t to = rank + static_cast<int64_t>(send.getDelta()) * stageStride;
    mail[{rank, to}].push_back(*operandsOf(rank)[0]);
    finish(rank, {});
    return Step::Done;
  }
  int64_t delta = static_cast<int64_t>(cast<dfg::ReceiveOp>(op).getDelta());
  std::deque<Tensor> &box = mail[{rank + delta * stageStride, rank}];
  if (box.empty())
    return Step::Waits;
  Tensor message = std::move(box.front());
  box.pop_front();
  if (ArrayRef<int64_t>(message.shape) !=
      cast<RankedTensorType>(op->getResult(0).getType()).getShape()) {
    op->emitError() << "rank " << rank << " receives another shape";
    return Step::Failed;
  }
  finish(rank, {std::move(message)});
  return Step::Done;
}
