// The dfg dialect: includes everything that users of its ops need.
#ifndef ORRERY_DIALECTS_DFG_DFGDIALECT_H
#define ORRERY_DIALECTS_DFG_DFGDIALECT_H

#include "dialects/dfg/ShardingRule.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace orrery::dfg::detail {
/// Verifies that the factor rule of a shardable op fits its types.
llvm::LogicalResult verifyShardable(mlir::Operation *op);
} // namespace orrery::dfg::detail

#include "dialects/dfg/DfgDialect.h.inc"
#include "dialects/dfg/DfgEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/dfg/DfgAttributes.h.inc"
#include "dialects/dfg/DfgInterfaces.h.inc"

namespace orrery::dfg {

/// Marks ops that the fuse stage may place inside `dfg.fused`.
template <typename ConcreteOp>
class Fusable : public mlir::OpTrait::TraitBase<ConcreteOp, Fusable> {};

/// The mesh of the outermost module around `op`; null when there is none.
MeshAttr getMesh(mlir::Operation *op);

/// Names of discardable attributes (see the dialect's description).
inline constexpr llvm::StringLiteral kMeshAttr = "dfg.mesh";
inline constexpr llvm::StringLiteral kShardingAttr = "dfg.sharding";
inline constexpr llvm::StringLiteral kLayerAttr = "dfg.layer";
inline constexpr llvm::StringLiteral kInputAttr = "dfg.input";
inline constexpr llvm::StringLiteral kStagesAttr = "dfg.stages";
inline constexpr llvm::StringLiteral kFirstLayersAttr = "dfg.first_layers";

/// The sharding recorded for `value` (`dfg.sharding` on its op or argument),
/// or std::nullopt.
std::optional<Sharding> getSharding(mlir::Value value);
/// Records `sharding` for `value`.
void setSharding(mlir::Value value, const Sharding &sharding);

} // namespace orrery::dfg

#define GET_OP_CLASSES
#include "dialects/dfg/DfgOps.h.inc"

#endif // ORRERY_DIALECTS_DFG_DFGDIALECT_H
