// The plan around the rank classes: mesh, communicators, kernels.
#include "passes/emit/Emit.h"

#include "passes/emit/ClassEmitter.h"
#include "runtime/plan/PlanFile.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

/// What a CPU must offer to run code for `cpu`: of LLVM's list the vector
/// and bit instructions, which are those that code for numbers can contain.
static SmallVector<StringRef> requiredFeatures(StringRef cpu) {
  constexpr StringLiteral kPrefixes[] = {"sse4", "ssse3", "avx",   "fma",
                                         "bmi",  "f16c",  "popcnt"};
  SmallVector<StringRef> features;
  if (llvm::X86::parseArchX86(cpu) == llvm::X86::CK_None)
    return features; // another architecture, or its baseline
  llvm::X86::getFeaturesForCPU(cpu, features);
  llvm::erase_if(features, [&](StringRef name) {
    return llvm::none_of(
        kPrefixes, [&](StringRef prefix) { return name.starts_with(prefix); });
  });
  return features;
}

static void emitMesh(dfg::MeshAttr mesh, plan::Plan &plan) {
  for (auto [name, size] : llvm::zip(mesh.getNames(), mesh.getSizes())) {
    plan::Mesh::Axis &axis = *plan.mutable_mesh()->add_axes();
    axis.set_name(name.getValue().str());
    axis.set_size(size);
  }
}

static llvm::StringMap<unsigned> emitCommunicators(ModuleOp module,
                                                   plan::Plan &plan) {
  llvm::StringMap<unsigned> indices;
  for (auto op : module.getOps<rank::CommunicatorOp>()) {
    indices[op.getSymName()] = plan.communicators_size();
    plan::Communicator &communicator = *plan.add_communicators();
    communicator.set_name(op.getSymName().str());
    for (Attribute axis : op.getAxes())
      communicator.add_axes(cast<StringAttr>(axis).getValue().str());
    if (auto only = op.getOnly())
      for (int64_t coordinate : *only)
        communicator.add_only(coordinate);
  }
  return indices;
}

FailureOr<plan::Plan> orrery::passes::emitPlan(ModuleOp module,
                                               const job::JobSpec &job,
                                               StringRef targetName,
                                               const KernelTarget &target) {
  auto mesh = module->getAttrOfType<dfg::MeshAttr>(dfg::kMeshAttr);
  if (!mesh)
    return module.emitOpError("has no attribute ") << dfg::kMeshAttr;
  plan::Plan plan;
  plan.set_format(runtime::kPlanFormat);
  *plan.mutable_job() = job;
  emitMesh(mesh, plan);
  llvm::StringMap<unsigned> communicators = emitCommunicators(module, plan);
  KernelLibrary kernels(module.getContext(),
                        target.isGpu() ? KernelDevice::Gpu : KernelDevice::Cpu);
  for (auto rankClass : module.getOps<rank::ClassOp>()) {
    ClassEmitter emitter(rankClass, kernels, communicators,
                         *plan.add_classes());
    if (failed(emitter.run()))
      return failure();
  }
  for (const KernelInfo &info : kernels.getKernels()) {
    plan::Kernel &kernel = *plan.add_kernels();
    kernel.set_symbol(info.symbol);
    kernel.set_buffers(info.buffers);
    kernel.set_scalars(info.scalars);
    kernel.set_description(info.description);
    kernel.set_threads(info.threads);
    kernel.set_rows_per_block(info.rowsPerBlock);
  }
  plan.mutable_target()->set_name(targetName.str());
  FailureOr<std::string> object = kernels.compile(target);
  if (failed(object))
    return failure();
  plan.set_kernel_object(*object);
  plan.mutable_target()->set_triple(target.triple.empty()
                                        ? llvm::sys::getDefaultTargetTriple()
                                        : target.triple);
  plan.mutable_target()->set_cpu(target.cpu);
  if (target.isGpu())
    return plan;
  for (StringRef feature : requiredFeatures(target.cpu))
    plan.mutable_target()->add_features(feature.str());
  return plan;
}
