// Compiles the fused op of a small program and runs it on tensors of doubles.
#include "test/passes/emit/kernel/KernelRun.h"

#include "mlir/Pass/PassManager.h"
#include "passes/fuse/Passes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <dlfcn.h>
#include <numeric>
#include <random>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

[[noreturn]] void orrery::passes::stop(const std::string &why) {
  llvm::errs() << why << "\n";
  std::abort();
}

LoadedObject::LoadedObject(const std::string &bytes) {
  llvm::SmallString<128> path;
  int file = -1;
  if (llvm::sys::fs::createTemporaryFile("kernel-test", "so", file, path))
    stop("no temporary file");
  llvm::raw_fd_ostream(file, /*shouldClose=*/true) << bytes;
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  if (!handle)
    stop(dlerror());
}

LoadedObject::~LoadedObject() { dlclose(handle); }

void *LoadedObject::find(const std::string &symbol) const {
  return dlsym(handle, symbol.c_str());
}

namespace {
struct CpuRunner : KernelRunner {
  LoadedObject object;
  void (*function)(void *const *, const uint64_t *, int64_t, int64_t);

  CpuRunner(const std::string &bytes, const std::string &symbol)
      : object(bytes),
        function(reinterpret_cast<decltype(function)>(object.find(symbol))) {}

  void run(const Launch &launch) override {
    std::vector<void *> pointers;
    for (std::vector<char> *buffer : launch.buffers)
      pointers.push_back(buffer->data());
    SmallVector<int64_t> bounds{0, launch.rows};
    if (!launch.bounds.empty())
      bounds = launch.bounds;
    for (size_t i = 0; i + 1 < bounds.size(); ++i)
      function(pointers.data(), launch.scalars.data(), bounds[i],
               bounds[i + 1]);
  }
};
} // namespace

Backend orrery::passes::cpuBackend() {
  return {KernelDevice::Cpu,
          [](KernelLibrary &library, const KernelInfo &info) -> MadeRunner {
            FailureOr<std::string> bytes = library.compile({});
            if (failed(bytes))
              return mlir::failure();
            return {std::make_unique<CpuRunner>(*bytes, info.symbol)};
          }};
}

//===----------------------------------------------------------------------===//
// Doubles to and from the bytes of a type
//===----------------------------------------------------------------------===//

static std::vector<char> encode(const Tensor &tensor, Type element) {
  unsigned width = element.getIntOrFloatBitWidth() / 8;
  std::vector<char> bytes(tensor.data.size() * width);
  for (auto [i, number] : llvm::enumerate(tensor.data)) {
    llvm::APInt bits(64, static_cast<int64_t>(number), /*isSigned=*/true);
    if (auto type = dyn_cast<FloatType>(element)) {
      llvm::APFloat value(number);
      bool losesInfo;
      value.convert(type.getFloatSemantics(),
                    llvm::APFloat::rmNearestTiesToEven, &losesInfo);
      bits = value.bitcastToAPInt();
    }
    std::memcpy(&bytes[i * width], bits.getRawData(), width);
  }
  return bytes;
}

static Tensor decode(const std::vector<char> &bytes, RankedTensorType type) {
  Type element = type.getElementType();
  unsigned width = element.getIntOrFloatBitWidth() / 8;
  Tensor tensor(type.getShape(), 0);
  for (auto [i, number] : llvm::enumerate(tensor.data)) {
    uint64_t bits = 0;
    std::memcpy(&bits, &bytes[i * width], width);
    llvm::APFloat value(cast<FloatType>(element).getFloatSemantics(),
                        llvm::APInt(width * 8, bits));
    bool losesInfo;
    value.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    number = value.convertToDouble();
  }
  return tensor;
}

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

FusedProgram::FusedProgram(StringRef signature, StringRef body,
                           RankContext context, const Backend &backend,
                           int64_t misalignment)
    : module(("func.func @f(" + signature + ") {\n" + body + "\nreturn }\n")
                 .str()) {
  PassManager passes(module.getContext());
  buildFusePipeline(passes);
  if (failed(passes.run(*module)))
    stop(module.getDiagnostics());
  SmallVector<dfg::FusedOp> all;
  (*module).walk([&](dfg::FusedOp op) { all.push_back(op); });
  if (all.size() != 1) {
    (*module).dump();
    stop("expected one fused op");
  }
  kernel = std::make_unique<FusedKernel>(all.front(), context, backend,
                                         misalignment);
}

FusedKernel::FusedKernel(dfg::FusedOp fused, RankContext context,
                         const Backend &backend, int64_t misalignment)
    : context(context), fused(fused), misalignment(misalignment) {
  std::string why;
  ScopedDiagnosticHandler handler(fused.getContext(), [&](Diagnostic &found) {
    why += found.str() + "\n";
  });
  KernelLibrary library(fused.getContext(), backend.device);
  SmallVector<int64_t> alignments(
      fused->getNumOperands() + fused->getNumResults(),
      misalignment ? misalignment & -misalignment : 16);
  FailureOr<KernelCall> added = library.add(fused, alignments);
  if (failed(added))
    stop("no kernel: " + why);
  call = *added;
  info = library.getKernels()[call.kernel];
  MadeRunner made = backend.makeRunner(library, info);
  if (failed(made))
    stop("the kernel does not compile: " + why);
  runner = std::move(*made);
}

Tensors FusedKernel::makeInputs(unsigned seed, double low, double high) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> real(low, high);
  std::uniform_int_distribution<int> id(-2, fused.getShape().back() + 1);
  Tensors inputs;
  for (Value input : fused.getInputs()) {
    Type element = typeOf(input).getElementType();
    Tensor tensor(typeOf(input).getShape(), 0);
    for (double &number : tensor.data)
      number = isa<FloatType>(element) ? real(random) : id(random);
    // What the type can hold.
    inputs.push_back(isa<FloatType>(element)
                         ? decode(encode(tensor, element), typeOf(input))
                         : tensor);
  }
  return inputs;
}

Tensors FusedKernel::expected(const Tensors &inputs) {
  SmallVector<const Tensor *> operands;
  for (const Tensor &input : inputs)
    operands.push_back(&input);
  FailureOr<Tensors> results = evaluate(fused, operands, context);
  if (failed(results))
    stop("the interpreter fails");
  return *results;
}

Tensors FusedKernel::run(const Tensors &inputs, ArrayRef<int64_t> bounds,
                         bool inPlace, int64_t blocks) {
  std::vector<std::vector<char>> memory;
  for (auto [value, tensor] : llvm::zip(fused.getInputs(), inputs))
    memory.push_back(encode(tensor, typeOf(value).getElementType()));
  for (Value value : fused.getOutputs())
    memory.push_back(encode(Tensor(typeOf(value).getShape(), -7),
                            typeOf(value).getElementType()));
  std::vector<unsigned> place(memory.size());
  std::iota(place.begin(), place.end(), 0);
  std::vector<bool> taken(memory.size());
  for (auto [input, output] : call.inPlace)
    if (unsigned o = inputs.size() + output;
        inPlace && !taken[input] && place[o] == o) {
      place[o] = input;
      taken[input] = true;
    }

  Launch launch;
  for (unsigned i : place) {
    launch.buffers.push_back(&memory[i]);
    Value value = i < inputs.size()
                      ? Value(fused.getInputs()[i])
                      : Value(fused.getOutputs()[i - inputs.size()]);
    int64_t element =
        llvm::divideCeil(typeOf(value).getElementTypeBitWidth(), 8);
    launch.misalignments.push_back(
        misalignment ? std::max(misalignment, element) : 0);
  }
  for (const KernelScalar &scalar : call.scalars) {
    launch.isKey.push_back(scalar.isStream());
    launch.scalars.push_back(
        scalar.isStream() ? context.streamKey(scalar.stream, scalar.layer)
                          : context.value(scalar.index) +
                                context.microbatch * scalar.perMicrobatch);
  }
  launch.rows = call.rows;
  launch.bounds.assign(bounds.begin(), bounds.end());
  launch.blocks = blocks;
  if (blocks == 0 && info.rowsPerBlock > 0)
    launch.blocks = llvm::divideCeil(call.rows, info.rowsPerBlock);
  runner->run(launch);

  Tensors results;
  for (auto [i, value] : llvm::enumerate(fused.getOutputs()))
    results.push_back(decode(memory[place[inputs.size() + i]], typeOf(value)));
  return results;
}
