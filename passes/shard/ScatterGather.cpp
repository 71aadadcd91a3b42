// dfg-scatter-gather: sends a part per tensor-parallel rank over stage cuts.
#include "passes/shard/Passes.h"

namespace orrery::passes {
#define GEN_PASS_DEF_SCATTERGATHERPASS
#include "passes/shard/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

/// The dimension to cut, or -1: the first that tp divides, of a value that
/// does not lie on tp yet. Both ends of a cut see the same type and state.
static int64_t cutDimension(const std::optional<Sharding> &state,
                            RankedTensorType type, StringAttr tp,
                            int64_t parts) {
  if (!state || state->uses(tp))
    return -1;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.getDimSize(dim) % parts == 0)
      return dim;
  return -1;
}

namespace {
struct ScatterGatherPass
    : orrery::passes::impl::ScatterGatherPassBase<ScatterGatherPass> {
  void runOnOperation() override;

private:
  void scatter(SendOp send);
  void gather(ReceiveOp receive);

  /// A value's type and state once dimension `dim` is cut over tp.
  std::pair<RankedTensorType, Sharding> cut(RankedTensorType type,
                                            Sharding state, int64_t dim) {
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] /= parts;
    state.dims[dim].push_back(tp);
    return {RankedTensorType::get(shape, type.getElementType()), state};
  }
  ArrayAttr axes() { return ArrayAttr::get(&getContext(), {tp}); }

  StringAttr tp;
  int64_t parts = 1;
};
} // namespace

void ScatterGatherPass::scatter(SendOp send) {
  auto type = cast<RankedTensorType>(send.getOperand().getType());
  std::optional<Sharding> state = getSharding(send.getOperand());
  int64_t dim = cutDimension(state, type, tp, parts);
  if (dim < 0)
    return;
  auto [partType, partState] = cut(type, *state, dim);
  OpBuilder builder(send);
  Value part =
      AllSliceOp::create(builder, send.getLoc(), partType, send.getOperand(),
                         axes(), builder.getI64IntegerAttr(dim));
  if (Attribute layer = send->getAttr(kLayerAttr))
    part.getDefiningOp()->setAttr(kLayerAttr, layer);
  setSharding(part, partState);
  send->setOperand(0, part);
  send->setAttr(kShardingAttr,
                builder.getArrayAttr({partState.toAttr(&getContext())}));
}

void ScatterGatherPass::gather(ReceiveOp receive) {
  Value whole = receive.getResult();
  auto type = cast<RankedTensorType>(whole.getType());
  std::optional<Sharding> state = getSharding(whole);
  int64_t dim = cutDimension(state, type, tp, parts);
  if (dim < 0)
    return;
  auto [partType, partState] = cut(type, *state, dim);
  OpBuilder builder(receive);
  builder.setInsertionPointAfter(receive);
  auto gathered = AllGatherOp::create(builder, receive.getLoc(), type, whole,
                                      axes(), builder.getI64IntegerAttr(dim));
  if (Attribute layer = receive->getAttr(kLayerAttr))
    gathered->setAttr(kLayerAttr, layer);
  whole.replaceAllUsesExcept(gathered, gathered);
  whole.setType(partType);
  setSharding(gathered, *state);
  setSharding(whole, partState);
}

void ScatterGatherPass::runOnOperation() {
  MeshAttr mesh = getMesh(getOperation());
  tp = StringAttr::get(&getContext(), "tp");
  parts = mesh ? mesh.getSize(tp) : 1;
  if (parts == 1)
    return;
  getOperation().walk([&](Operation *op) {
    if (auto send = dyn_cast<SendOp>(op))
      scatter(send);
    else if (auto receive = dyn_cast<ReceiveOp>(op))
      gather(receive);
  });
}
