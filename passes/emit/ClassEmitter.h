// Writes one rank class: buffers, parameters, instructions, schedules.
#ifndef ORRERY_PASSES_EMIT_CLASSEMITTER_H
#define ORRERY_PASSES_EMIT_CLASSEMITTER_H

#include "passes/emit/Emit.h"

namespace orrery::passes {

class ClassEmitter {
public:
  /// `communicators` maps names to indices in the plan's list.
  ClassEmitter(rank::ClassOp rankClass, KernelLibrary &kernels,
               const llvm::StringMap<unsigned> &communicators,
               plan::RankClass &out)
      : rankClass(rankClass), kernels(kernels), communicators(communicators),
        out(out) {}

  mlir::LogicalResult run();

private:
  void emitMembers();
  void emitBuffers();
  void emitBuckets();
  void emitParameters();
  mlir::LogicalResult emitProgram(rank::ProgramOp program);
  void emitSchedule(rank::ScheduleOp schedule);

  // Instructions (EmitInstructions.cpp).
  mlir::LogicalResult emitInstruction(mlir::Operation *op,
                                      plan::Instruction &instruction);
  mlir::LogicalResult emitLaunch(rank::LaunchOp op, plan::Launch &launch);
  void emitGemm(rank::GemmOp op, plan::Gemm &gemm);
  void emitCollective(rank::CollectiveOp op, plan::Collective &collective);
  void emitView(mlir::Value value, plan::View &view);
  template <typename Op> void emitShape(Op op, plan::AttentionShape &shape);
  template <typename Op> void emitTransfer(Op op, plan::Transfer &transfer);

  rank::ClassOp rankClass;
  KernelLibrary &kernels;
  const llvm::StringMap<unsigned> &communicators;
  plan::RankClass &out;
  llvm::StringMap<unsigned> buffers;
  llvm::StringMap<unsigned> buckets;
};

plan::ElementType toElementType(mlir::Type type);
void writeIndex(dfg::IndexAttr from, plan::Index &to);

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_CLASSEMITTER_H
