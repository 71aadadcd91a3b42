// Interfaces that passes use instead of knowing ops.
#ifndef ORRERY_DIALECTS_DFG_INTERFACES
#define ORRERY_DIALECTS_DFG_INTERFACES

include "mlir/IR/OpBase.td"

def ShardableOpInterface : OpInterface<"ShardableOpInterface"> {
  let cppNamespace = "::orrery::dfg";
  let description = [{
    An op that states once which dimensions of which operand and result are the
    same *factor* (`ShardingRule.h`). Everything that the partitioner does
    follows from this rule. The verifier checks it against the shapes.
  }];
  let verify = "return ::orrery::dfg::detail::verifyShardable($_op);";
  // Behind the op's own verifier, on which rules rely.
  let verifyWithRegions = 1;
  let methods = [
    InterfaceMethod<"The op's factor rule, for its current shapes.",
      "::orrery::dfg::ShardingRule", "getShardingRule", (ins)>,
    InterfaceMethod<[{
        Called when the op becomes local, before its types change: the axes
        that split each factor. An op whose meaning depends on the position of
        its shard adds that position to its index attributes here.
      }], "void", "addShardOffsets",
      (ins "::llvm::ArrayRef<::orrery::dfg::Axes>":$factorAxes,
           "::orrery::dfg::MeshAttr":$mesh), "", [{ return; }]>,
  ];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::orrery::dfg";
  let description = "An op that builds its own backward.";
  let methods = [
    InterfaceMethod<[{
        Appends to `operandGrads` one value per operand: the gradient of the
        objective with respect to it, or null where none flows (integers).
        `resultGrads` has one value per result, null where no gradient arrives;
        at least one is not null. May use operands and results of the op.
      }], "void", "buildBackward",
      (ins "::mlir::OpBuilder &":$builder,
           "::llvm::ArrayRef<::mlir::Value>":$resultGrads,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>,
  ];
}

def CostedOpInterface : OpInterface<"CostedOpInterface"> {
  let cppNamespace = "::orrery::dfg";
  let description = "An op whose floating-point work is worth counting.";
  let methods = [
    InterfaceMethod<"Multiplications plus additions, for the current shapes.",
      "int64_t", "getFlops", (ins)>,
  ];
}

#endif
