// Registration and verifiers of the rank dialect.
#include "dialects/rank/RankDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::rank;
namespace dfg = orrery::dfg;

#include "dialects/rank/RankDialect.cpp.inc"
#include "dialects/rank/RankEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/rank/RankAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/rank/RankOps.cpp.inc"

void RankDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/rank/RankAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/rank/RankOps.cpp.inc"
      >();
}

LogicalResult CommunicatorOp::verify() {
  if (getOnly() && getAxes().size() != 1) // C1
    return emitOpError("restricts coordinates of one axis but names ")
           << getAxes().size() << " axes";
  return success();
}

LogicalResult ClassOp::verify() {
  size_t members = getStages().size();
  if (members == 0 || getFirstLayers().size() != members || // C1
      getWarmups().size() != members || getSlots().size() != members)
    return emitOpError("needs one entry per member in each of stages (")
           << members << "), first_layers (" << getFirstLayers().size()
           << "), warmups (" << getWarmups().size() << "), slots ("
           << getSlots().size() << ")";
  return success();
}

LogicalResult BucketOp::verify() {
  if (getFields().size() != getBuffers().size()) // C1
    return emitOpError("has ") << getFields().size() << " fields but "
                               << getBuffers().size() << " buffers";
  return success();
}

int64_t ClassOp::getArenaBytes(int64_t slots) {
  return *getFixedBytes() + slots * *getSlotBytes();
}

int64_t ClassOp::getPeakBytes() {
  return getArenaBytes(*llvm::max_element(getSlots()));
}

int64_t BufferOp::getByteSize() {
  auto type = cast<MemRefType>(getType());
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

dfg::FusedOp LaunchOp::getFused() {
  return cast<dfg::FusedOp>(getBody().front().front());
}

LogicalResult LaunchOp::verify() {
  Block &block = getBody().front();
  if (block.getOperations().size() != 1 || // C1
      !isa<dfg::FusedOp>(block.front()))
    return emitOpError("holds ")
           << block.getOperations().size() << " ops, expected one 'dfg.fused'";
  auto agree = [&](StringRef what, TypeRange views,
                   TypeRange tensors) -> LogicalResult {
    if (views.size() != tensors.size()) // C2
      return emitOpError("has ") << views.size() << " " << what
                                 << "s, its region " << tensors.size();
    for (auto [index, view, tensor] : llvm::enumerate(views, tensors)) {
      auto memref = cast<MemRefType>(view);
      auto type = cast<RankedTensorType>(tensor);
      if (memref.getShape() != type.getShape() ||
          memref.getElementType() != type.getElementType()) // C2
        return emitOpError() << what << " " << index << " is " << view
                             << ", its region has " << tensor;
    }
    return success();
  };
  if (failed(agree("input", getInputs().getTypes(), block.getArgumentTypes())))
    return failure();
  return agree("output", getOutputs().getTypes(), getFused().getResultTypes());
}

LogicalResult GemmOp::verify() {
  Epilogue epilogue = getEpilogue();
  if (epilogue != Epilogue::None && !getBeta().isZero()) // C1
    return emitOpError("with epilogue ")
           << stringifyEpilogue(epilogue) << " has beta "
           << getBeta().convertToDouble() << ", expected 0";
  if (getFirstRunOverwrites() && !getBeta().isExactlyValue(1.0)) // C5
    return emitOpError("overwrites C in the first run only and has beta ")
           << getBeta().convertToDouble() << ", expected 1";
  auto present = [&](StringRef what, Value operand,
                     bool used) -> LogicalResult {
    if (static_cast<bool>(operand) == used) // C2
      return success();
    return emitOpError("with epilogue ")
           << stringifyEpilogue(epilogue)
           << (used ? " needs " : " has no use for ") << what;
  };
  if (failed(present("bias", getBias(),
                     epilogue == Epilogue::Bias ||
                         epilogue == Epilogue::BiasGelu)) ||
      failed(present("aux", getAux(),
                     epilogue == Epilogue::BiasGelu ||
                         epilogue == Epilogue::GeluGrad)))
    return failure();
  auto c = cast<MemRefType>(getC().getType());
  if (getBias()) {
    auto bias = cast<MemRefType>(getBias().getType());
    if (bias.getElementType() != c.getElementType() ||
        bias.getNumElements() != static_cast<int64_t>(getN()) ||
        !bias.getLayout().isIdentity()) // C3
      return emitOpError("bias is ") << bias << ", expected " << getN() << " x "
                                     << c.getElementType() << " in a row";
  }
  if (getAux() && getAux().getType() != c) // C4
    return emitOpError("aux is ") << getAux().getType() << ", C is " << c;
  return success();
}
