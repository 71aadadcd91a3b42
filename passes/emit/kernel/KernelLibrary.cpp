// The kernels of one plan: equal regions share one.
#include "passes/emit/kernel/KernelGen.h"

#include "passes/emit/kernel/KernelWriter.h"
#include "passes/emit/kernel/NativeCode.h"
#include "passes/emit/kernel/gpu/PtxCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

KernelTarget KernelTarget::forGpu(StringRef name) {
  unsigned capability = 0;
  if (!name.substr(3).consumeInteger(10, capability) && capability >= 100)
    return {"nvptx64-nvidia-cuda", name.str(), "+ptx88"};
  return {"nvptx64-nvidia-cuda", name.str(), "+ptx80"};
}

KernelLibrary::KernelLibrary(MLIRContext *context, KernelDevice device)
    : device(device), module(ModuleOp::create(UnknownLoc::get(context))) {
  context->loadDialect<arith::ArithDialect, func::FuncDialect,
                       LLVM::LLVMDialect, math::MathDialect, NVVM::NVVMDialect,
                       scf::SCFDialect, vector::VectorDialect>();
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

/// Alignments of the buffers on a GPU, at most those of its widest access;
/// single numbers need none.
static SmallVector<int64_t> alignmentsOf(FusedOp fused,
                                         ArrayRef<int64_t> given) {
  constexpr int64_t kWidest = 16;
  SmallVector<int64_t> alignments(
      fused->getNumOperands() + fused->getNumResults(), kWidest);
  SmallVector<Value> buffers(fused->getOperands());
  llvm::append_range(buffers, fused->getResults());
  for (auto [alignment, bytes, buffer] : llvm::zip(alignments, given, buffers))
    if (cast<RankedTensorType>(buffer.getType()).getNumElements() > 1)
      alignment = std::min(bytes, kWidest);
  return alignments;
}

FailureOr<KernelCall> KernelLibrary::generate(FusedOp fused,
                                              ArrayRef<int64_t> alignments) {
  FailureOr<KernelSpace> space = KernelSpace::get(fused);
  if (failed(space))
    return failure();
  KernelInfo info{"kernel" + std::to_string(kernels.size()),
                  fused->getNumOperands() + fused->getNumResults(),
                  unsigned(collectScalars(fused).size()), listOps(fused)};
  int64_t rows = space->rows;
  RegionCode code(fused, *space);
  if (device == KernelDevice::Cpu) {
    if (space->parts)
      return fused.emitOpError("sums over rows, which has no code on CPUs");
    writeCpuKernel(code, info.symbol, *module);
  } else {
    FailureOr<GpuShape> chosen = GpuShape::choose(fused, *space);
    if (failed(chosen))
      return failure();
    GpuShape shape = *chosen;
    if (space->parts)
      rows = space->parts;
    if (shape.kind == GpuShape::Kind::Elements)
      rows = space->rows * space->columns;
    if (shape.kind == GpuShape::Kind::Streaming)
      space->joinSoftmax(fused);
    code.alignments.assign(alignments.begin(), alignments.end());
    code.shortDivision = space->rows * space->columns <= INT32_MAX;
    code.shortColumns = space->columns <= INT32_MAX / 2;
    writeGpuKernel(code, shape, info.symbol, *module);
    info.threads = shape.threads;
    info.rowsPerBlock = shape.rowsPerBlock();
  }
  if (code.hasFailed())
    return failure();
  kernels.push_back(info);
  return KernelCall{unsigned(kernels.size() - 1), {}, rows, code.findInPlace()};
}

FailureOr<KernelCall> KernelLibrary::add(FusedOp fused,
                                         ArrayRef<int64_t> alignments) {
  std::string key = describe(fused);
  SmallVector<int64_t> own;
  if (device == KernelDevice::Gpu) {
    own = alignmentsOf(fused, alignments);
    for (int64_t alignment : own)
      key += " " + std::to_string(alignment);
  }
  auto entry = known.find(key);
  if (entry == known.end()) {
    FailureOr<KernelCall> call = generate(fused, own);
    if (failed(call))
      return failure();
    entry = known.insert({key, *call}).first;
  }
  KernelCall result = entry->second;
  result.scalars = collectScalars(fused);
  return result;
}

FailureOr<std::string> KernelLibrary::compile(const KernelTarget &target) {
  if (kernels.empty())
    return std::string();
  OwningOpRef<ModuleOp> copy(module->clone());
  if (device == KernelDevice::Cpu)
    return compileNative(*copy, target);
  FailureOr<std::string> ptx = compilePtx(*copy, target);
  std::string ptxas = findPtxas();
  if (failed(ptx) || ptxas.empty())
    return ptx;
  return assemblePtx(*copy, *ptx, target, ptxas);
}
