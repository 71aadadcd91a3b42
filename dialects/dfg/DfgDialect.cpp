// Registration of the dfg dialect and its attribute accessors.
#include "dialects/dfg/DfgDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::dfg;

#include "dialects/dfg/DfgDialect.cpp.inc"
#include "dialects/dfg/DfgEnums.cpp.inc"
#include "dialects/dfg/DfgInterfaces.cpp.inc"

//===----------------------------------------------------------------------===//
// Custom assembly pieces (used by the generated parsers below)
//===----------------------------------------------------------------------===//

static ParseResult parsePlainFloat(OpAsmParser &parser, FloatAttr &value) {
  double number;
  if (parser.parseFloat(number))
    return failure();
  value = parser.getBuilder().getF64FloatAttr(number);
  return success();
}

static void printPlainFloat(OpAsmPrinter &printer, Operation *,
                            FloatAttr value) {
  printer.printFloat(value.getValue());
}

static ParseResult parseBareShape(OpAsmParser &parser,
                                  DenseI64ArrayAttr &shape) {
  SmallVector<int64_t> sizes;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parser.parseInteger(sizes.emplace_back());
      }))
    return failure();
  shape = parser.getBuilder().getDenseI64ArrayAttr(sizes);
  return success();
}

static void printBareShape(OpAsmPrinter &printer, Operation *,
                           DenseI64ArrayAttr shape) {
  printer << '[';
  llvm::interleaveComma(shape.asArrayRef(), printer);
  printer << ']';
}

#define GET_OP_CLASSES
#include "dialects/dfg/DfgOps.cpp.inc"

void DfgDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/dfg/DfgOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Discardable attributes
//===----------------------------------------------------------------------===//

MeshAttr orrery::dfg::getMesh(Operation *op) {
  for (; op; op = op->getParentOp())
    if (auto mesh = op->getAttrOfType<MeshAttr>(kMeshAttr))
      return mesh;
  return {};
}

std::optional<Sharding> orrery::dfg::getSharding(Value value) {
  if (auto result = dyn_cast<OpResult>(value)) {
    auto all = result.getOwner()->getAttrOfType<ArrayAttr>(kShardingAttr);
    if (!all || all.size() <= result.getResultNumber())
      return std::nullopt;
    auto one = dyn_cast<ShardingAttr>(all[result.getResultNumber()]);
    return one ? std::optional(Sharding::get(one)) : std::nullopt;
  }
  auto argument = cast<BlockArgument>(value);
  auto function =
      dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function)
    return std::nullopt;
  auto one = function.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(),
                                                     kShardingAttr);
  return one ? std::optional(Sharding::get(one)) : std::nullopt;
}

void orrery::dfg::setSharding(Value value, const Sharding &sharding) {
  MLIRContext *context = value.getContext();
  if (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    SmallVector<Attribute> all(op->getNumResults(), UnitAttr::get(context));
    if (auto old = op->getAttrOfType<ArrayAttr>(kShardingAttr))
      if (old.size() == all.size())
        all.assign(old.begin(), old.end());
    all[result.getResultNumber()] = sharding.toAttr(context);
    op->setAttr(kShardingAttr, ArrayAttr::get(context, all));
    return;
  }
  auto argument = cast<BlockArgument>(value);
  cast<FunctionOpInterface>(argument.getOwner()->getParentOp())
      .setArgAttr(argument.getArgNumber(), kShardingAttr,
                  sharding.toAttr(context));
}
