// Kernels, operands and the interpreter's results for CarriedKernelTest:
//
//   write-kernel-cases FOLDER TARGET [COLUMNS…]
//
// writes a file for each case of KernelCases.h, each number of columns and each
// element type, and for each case of SumCases.h with such a number, with code
// for TARGET, such as sm_90.
#include "test/passes/emit/kernel/KernelCase.pb.h"
#include "test/passes/emit/kernel/KernelCases.h"
#include "test/passes/emit/kernel/KernelRun.h"
#include "test/passes/emit/kernel/SumCases.h"

#include <filesystem>
#include <fstream>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;

namespace {

/// What a kernel would be given, in place of a run.
struct Recording {
  std::string code;
  KernelInfo info;
  std::vector<std::vector<char>> buffers;
  std::vector<uint64_t> scalars;
  std::vector<bool> isKey;
};

struct Recorder : KernelRunner {
  std::shared_ptr<Recording> to;
  explicit Recorder(std::shared_ptr<Recording> to) : to(std::move(to)) {}

  void run(const Launch &launch) override {
    to->buffers.clear();
    for (const std::vector<char> *buffer : launch.buffers)
      to->buffers.push_back(*buffer);
    to->scalars.assign(launch.scalars.begin(), launch.scalars.end());
    to->isKey.assign(launch.isKey.begin(), launch.isKey.end());
  }
};

Backend recordingBackend(std::shared_ptr<Recording> to, std::string target) {
  return {KernelDevice::Gpu,
          [=](KernelLibrary &library, const KernelInfo &info) -> MadeRunner {
            FailureOr<std::string> code =
                library.compile(KernelTarget::forGpu(target));
            if (failed(code))
              return mlir::failure();
            to->code = *code;
            to->info = info;
            return {std::make_unique<Recorder>(to)};
          }};
}

plan::ElementType elementOf(Value value) {
  Type type = cast<RankedTensorType>(value.getType()).getElementType();
  if (type.isF32())
    return plan::F32;
  if (type.isF16())
    return plan::F16;
  if (type.isBF16())
    return plan::BF16;
  if (type.isInteger(32))
    return plan::I32;
  stop("a buffer's type is not of a kernel case");
}

void setCode(const Recording &from, const std::string &target,
             plan::Plan &code) {
  code.mutable_target()->set_name(target);
  code.set_kernel_object(from.code);
  plan::Kernel &kernel = *code.add_kernels();
  kernel.set_symbol(from.info.symbol);
  kernel.set_buffers(from.info.buffers);
  kernel.set_scalars(from.info.scalars);
  kernel.set_description(from.info.description);
  kernel.set_threads(from.info.threads);
  kernel.set_rows_per_block(from.info.rowsPerBlock);
}

void setOperands(const Recording &from, const Tensors &expected,
                 FusedKernel &kernel, test::KernelCase &to) {
  dfg::FusedOp fused = kernel.getFused();
  const size_t inputs = fused.getInputs().size();
  for (auto [i, value] : llvm::enumerate(fused.getInputs())) {
    test::KernelCase::Buffer &buffer = *to.add_buffers();
    buffer.set_type(elementOf(value));
    buffer.set_input(from.buffers[i].data(), from.buffers[i].size());
  }
  for (auto [value, tensor] : llvm::zip(fused.getOutputs(), expected)) {
    test::KernelCase::Buffer &buffer = *to.add_buffers();
    buffer.set_type(elementOf(value));
    for (double number : tensor.data)
      buffer.add_expected(static_cast<float>(number));
  }
  for (size_t i = 0; i < from.scalars.size(); ++i) {
    test::KernelCase::Scalar &scalar = *to.add_scalars();
    scalar.set_value(from.scalars[i]);
    scalar.set_is_key(from.isKey[i]);
  }
  for (auto [input, output] : kernel.getCall().inPlace) {
    test::KernelCase::InPlace &pair = *to.add_in_place();
    pair.set_input(input);
    pair.set_output(inputs + output);
  }
  to.set_rows(kernel.getCall().rows);
}

test::KernelCase record(const std::string &signature, const std::string &body,
                        const std::string &element, const std::string &target) {
  RankContext context;
  context.microbatch = 2;
  test::KernelCase result;
  result.set_misalignment(element == "f32" ? 4 : 2);
  result.set_tolerance(tolerance(element));
  for (bool aligned : {true, false}) {
    auto recording = std::make_shared<Recording>();
    FusedProgram program(signature, body, context,
                         recordingBackend(recording, target),
                         aligned ? 0 : result.misalignment());
    setCode(*recording, target,
            aligned ? *result.mutable_aligned() : *result.mutable_misaligned());
    if (!aligned)
      continue;
    Tensors inputs = program->makeInputs(1, -1.5, 1.5); // exp stays in f16
    program->run(inputs);
    setOperands(*recording, program->expected(inputs), *program.operator->(),
                result);
  }
  return result;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    llvm::errs() << "usage: write-kernel-cases FOLDER TARGET [COLUMNS…]\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::vector<int64_t> sizes;
  for (int i = 3; i < argc; ++i)
    if (sizes.emplace_back();
        llvm::StringRef(argv[i]).getAsInteger(10, sizes.back()) ||
        sizes.back() < 1) {
      llvm::errs() << "write-kernel-cases: no number of columns: '" << argv[i]
                   << "'\n";
      return 2;
    }
  if (sizes.empty())
    sizes = {1, 7, 64, 768, 1000, 1600, 4096};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  bool isWritten = true;
  auto write = [&](const std::string &name, const std::string &signature,
                   const std::string &body, const std::string &element) {
    std::ofstream file(folder / (name + ".case"), std::ios::binary);
    if (record(signature, body, element, argv[2]).SerializeToOstream(&file) &&
        file.flush())
      return;
    llvm::errs() << "write-kernel-cases: cannot write " << name << ".case in "
                 << folder.string() << "\n";
    isWritten = false;
  };
  for (int64_t columns : sizes)
    for (const char *element : {"f32", "bf16", "f16"}) {
      for (const Case &one : kCases)
        write(one.name + std::to_string(columns) + element,
              withTypes(one.signature, columns, element),
              withTypes(one.body, columns, element), element);
      for (const SumCase &one : kSumCases)
        if (one.columns == columns)
          write(one.name + std::to_string(one.rows) + "x" +
                    std::to_string(columns) + element,
                withSizes(kSumSignature, one, element),
                withSizes(one.body, one, element), element);
    }
  return isWritten ? 0 : 1;
}
