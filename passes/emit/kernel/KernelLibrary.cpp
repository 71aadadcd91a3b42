// The kernels of one plan: equal regions share one.
#include "passes/emit/kernel/KernelGen.h"

#include "passes/emit/kernel/KernelWriter.h"
#include "passes/emit/kernel/NativeCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

KernelLibrary::KernelLibrary(MLIRContext *context)
    : module(ModuleOp::create(UnknownLoc::get(context))) {
  context->loadDialect<arith::ArithDialect, func::FuncDialect,
                       LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                       vector::VectorDialect>();
}

/// What generated code depends on in `index`: whether it is a multiple of 4.
static IndexAttr alignmentOf(IndexAttr index) {
  int64_t rest = index.getConstant();
  for (NamedAttribute term : index.getTerms())
    rest |= cast<IntegerAttr>(term.getValue()).getInt();
  return IndexAttr::get(index.getContext(), rest & 3);
}

/// The text of the region without what becomes a scalar, and without names.
static std::string describe(FusedOp fused) {
  MLIRContext *context = fused.getContext();
  OwningOpRef<FusedOp> copy(cast<FusedOp>(fused->clone()));
  auto zero = IndexAttr::get(context, 0);
  copy->getOperation()->walk([&](Operation *op) {
    op->setDiscardableAttrs(DictionaryAttr::get(context));
    if (auto pick = dyn_cast<PickOp>(op))
      pick.setFirstAttr(zero);
    if (auto pick = dyn_cast<PickGradOp>(op))
      pick.setFirstAttr(zero);
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      dropout.setStream("");
      dropout.setLayer(0);
      auto feature = cast<IndexAttr>(dropout.getOffset()[2]);
      dropout.setOffsetAttr(
          ArrayAttr::get(context, {zero, zero, alignmentOf(feature)}));
    }
  });
  std::string text;
  llvm::raw_string_ostream stream(text);
  copy->getOperation()->print(
      stream, OpPrintingFlags().useLocalScope().printGenericOpForm());
  return text;
}

/// "broadcast add gelu".
static std::string listOps(FusedOp fused) {
  std::string names;
  for (Operation &op : fused.getBody().front().without_terminator())
    names += (names.empty() ? "" : " ") + op.getName().stripDialect().str();
  return names;
}

FailureOr<KernelCall> KernelLibrary::add(FusedOp fused) {
  SmallVector<KernelScalar> scalars = collectScalars(fused);
  auto [entry, isNew] = known.try_emplace(describe(fused));
  KernelCall &call = entry->second;
  if (isNew) {
    FailureOr<KernelSpace> space = KernelSpace::get(fused);
    if (failed(space))
      return failure();
    std::string symbol = "kernel" + std::to_string(kernels.size());
    auto inPlace = writeKernel(fused, *space, symbol, *module);
    if (failed(inPlace))
      return failure();
    call = {unsigned(kernels.size()), {}, space->rows, *inPlace};
    kernels.push_back({symbol, fused->getNumOperands() + fused->getNumResults(),
                       unsigned(scalars.size()), listOps(fused)});
  }
  KernelCall result = call;
  result.scalars = std::move(scalars);
  return result;
}

FailureOr<std::string> KernelLibrary::compile(const KernelTarget &target) {
  if (kernels.empty())
    return std::string();
  OwningOpRef<ModuleOp> copy(module->clone());
  return compileNative(*copy, target);
}
