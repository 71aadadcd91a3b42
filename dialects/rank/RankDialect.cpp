// Registration and verifiers of the rank dialect.
#include "dialects/rank/RankDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::rank;

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

int64_t BufferOp::getByteSize() {
  auto type = cast<MemRefType>(getType());
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}
