// Lowering of collectives and messages, and the communicators they need.
#include "passes/schedule/ClassLowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

/// The communicator over `axes`, declared in the plan on first use.
FlatSymbolRefAttr ClassLowering::communicator(ArrayAttr axes,
                                              DenseI64ArrayAttr only) {
  std::string name;
  for (Attribute axis : axes)
    name += (name.empty() ? "" : "_") + cast<StringAttr>(axis).getValue().str();
  if (only)
    for (int64_t coordinate : only.asArrayRef())
      name += "_" + std::to_string(coordinate);
  auto symbol = FlatSymbolRefAttr::get(builder.getContext(), name);
  if (!plan.lookupSymbol(symbol.getAttr())) {
    OpBuilder head = OpBuilder::atBlockBegin(plan.getBody());
    for (Operation &op : *plan.getBody())
      if (isa<rank::CommunicatorOp>(op))
        head.setInsertionPointAfter(&op);
    rank::CommunicatorOp::create(head, plan.getLoc(), name, axes, only);
  }
  return symbol;
}

/// An all-reduce works in place when nobody reads its operand's bytes behind
/// it, and when these bytes are scratch or will be overwritten with the result.
bool ClassLowering::mayReduceInPlace(Operation *op, const Place &in) {
  Value operand = op->getOperand(0);
  if (!operand.hasOneUse() || in.buffer != places.at(operand).buffer ||
      crossesToBackward(op->getResult(0)) || isReadLater(op, in))
    return false;
  auto buffer = target.lookupSymbol<rank::BufferOp>(in.buffer.getAttr());
  return buffer.getKind() == rank::BufferKind::Work ||
         isOverwrittenLater(op, in);
}

LogicalResult ClassLowering::lowerCollective(Operation *op) {
  using Kind = rank::CollectiveKind;
  Value operand = op->getOperand(0), result = op->getResult(0);
  auto axes = op->getAttrOfType<ArrayAttr>("axes");
  auto reduction = dfg::Reduction::Sum;
  int64_t dim = 0, concat = 0;
  DenseI64ArrayAttr only;
  Kind kind = TypeSwitch<Operation *, Kind>(op)
                  .Case([&](dfg::AllReduceOp reduce) {
                    reduction = reduce.getKind();
                    only = reduce.getOnlyAttr();
                    return Kind::AllReduce;
                  })
                  .Case([&](dfg::AllGatherOp gather) {
                    dim = gather.getDim();
                    return Kind::AllGather;
                  })
                  .Case([&](dfg::ReduceScatterOp scatter) {
                    dim = scatter.getDim();
                    return Kind::ReduceScatter;
                  })
                  .Case([&](dfg::AllSliceOp slice) {
                    dim = slice.getDim();
                    return Kind::AllSlice;
                  })
                  .Case([&](dfg::AllToAllOp exchange) {
                    dim = exchange.getSplit();
                    concat = exchange.getConcat();
                    return Kind::AllToAll;
                  });
  Place in = contiguous(operand);
  if (kind == Kind::AllReduce && mayReduceInPlace(op, in))
    places[result] = destinationInUser(result).value_or(in);
  Place out = destinationFor(result);
  Value from = view(in), to = view(out);
  auto instruction = rank::CollectiveOp::create(
      builder, op->getLoc(), kind, reduction,
      communicator(axes, only).getValue(), from, to, dim, concat);
  note(instruction, op);
  return success();
}

LogicalResult ClassLowering::lowerTransfer(Operation *op) {
  auto pp = builder.getStrArrayAttr({"pp"});
  FlatSymbolRefAttr group = communicator(pp, {});
  if (auto receive = dyn_cast<dfg::ReceiveOp>(op)) {
    Place place = allocate(receive, rank::BufferKind::Boundary, 2);
    places[receive] = place;
    auto instruction = rank::ReceiveOp::create(
        builder, op->getLoc(), group.getValue(), view(place),
        receive.getDelta(),
        /*tag=*/int64_t(receive.getDelta()) < 0 ? 0 : 1);
    note(instruction, op);
    return success();
  }
  auto send = cast<dfg::SendOp>(op);
  Place place = contiguous(send.getOperand());
  auto buffer = target.lookupSymbol<rank::BufferOp>(place.buffer.getAttr());
  // The bytes must outlive the program: only slotted buffers do.
  if (buffer.getSlots() == 1) {
    Place outgoing = Place::whole(
        createBuffer(rank::BufferKind::Boundary,
                     MemRefType::get(place.shape, place.elementType), 2),
        cast<RankedTensorType>(send.getOperand().getType()));
    copy(place, outgoing);
    place = outgoing;
  }
  auto instruction = rank::SendOp::create(
      builder, op->getLoc(), group.getValue(), view(place), send.getDelta(),
      /*tag=*/int64_t(send.getDelta()) > 0 ? 0 : 1);
  note(instruction, op);
  return success();
}
