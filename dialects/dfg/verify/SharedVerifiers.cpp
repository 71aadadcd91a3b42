// What holds for all ops: factor rules fit the shapes; discardable attributes
// of the dialect are of the right kind and name axes of the mesh.
#include "dialects/dfg/DfgDialect.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace orrery::dfg;

LogicalResult orrery::dfg::detail::verifyShardable(Operation *op) {
  std::string problem = cast<ShardableOpInterface>(op).getShardingRule().check(
      op->getOperandTypes(), op->getResultTypes());
  if (problem.empty())
    return success();
  return op->emitOpError() << "does not fit its sharding rule: " << problem;
}

/// A sharding of one value: as many dimensions, only axes of the mesh.
static LogicalResult checkSharding(Operation *op, Attribute attribute,
                                   Type type) {
  auto sharding = dyn_cast<ShardingAttr>(attribute);
  if (!sharding)
    return op->emitOpError() << "'" << kShardingAttr << "' holds " << attribute
                             << ", must hold #dfg.sharding";
  Sharding state = Sharding::get(sharding);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() != static_cast<int64_t>(state.dims.size()))
    return op->emitOpError()
           << "sharding " << sharding << " has " << state.dims.size()
           << " dimensions, the value is of type " << type;
  MeshAttr mesh = getMesh(op);
  if (!mesh)
    return success();
  auto check = [&](const Axes &axes) -> LogicalResult {
    for (StringAttr axis : axes)
      if (!mesh.hasAxis(axis))
        return op->emitOpError()
               << "sharding " << sharding << " names axis " << axis
               << ", which the mesh " << mesh << " lacks";
    return success();
  };
  for (const Axes &dim : state.dims)
    if (failed(check(dim)))
      return failure();
  return check(state.partial);
}

/// `dfg.sharding` on an op: one entry per result, or one for the operand of an
/// op without results; a unit entry says nothing.
static LogicalResult checkShardings(Operation *op, Attribute attribute) {
  auto all = dyn_cast<ArrayAttr>(attribute);
  SmallVector<Type> types(op->getResultTypes());
  if (types.empty())
    types.append(op->operand_type_begin(), op->operand_type_end());
  if (!all || all.size() != types.size())
    return op->emitOpError() << "'" << kShardingAttr << "' is " << attribute
                             << ", must be an array of " << types.size();
  for (auto [one, type] : llvm::zip_equal(all, types))
    if (!isa<UnitAttr>(one) && failed(checkSharding(op, one, type)))
      return failure();
  return success();
}

LogicalResult DfgDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  auto mustBe = [&](bool holds, StringRef what) -> LogicalResult {
    if (holds)
      return success();
    return op->emitOpError() << "'" << attribute.getName().strref() << "' is "
                             << attribute.getValue() << ", must be " << what;
  };
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  if (name == kMeshAttr)
    return mustBe(isa<MeshAttr>(value), "#dfg.mesh");
  if (name == kLayerAttr)
    return mustBe(isa<IntegerAttr>(value), "an integer");
  if (name == kStagesAttr || name == kFirstLayersAttr)
    return mustBe(isa<DenseI64ArrayAttr>(value), "array<i64: …>");
  if (name == kShardingAttr)
    return checkShardings(op, value);
  return success();
}

LogicalResult DfgDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                   unsigned index,
                                                   NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == kInputAttr && !isa<StringAttr>(attribute.getValue()))
    return op->emitOpError()
           << "'" << name << "' of argument " << index << " is "
           << attribute.getValue() << ", must be a string";
  if (name != kShardingAttr)
    return success();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError()
           << "only arguments of functions have '" << name << "'";
  return checkSharding(op, attribute.getValue(),
                       function.getArgumentTypes()[index]);
}
