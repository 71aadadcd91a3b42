// Programs, and the instructions that are one kernel.
#include "runtime/device/cuda/Prepare.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/cuda/Reductions.h"
#include "runtime/device/InstructionFacts.h"
#include "runtime/device/cuda/ColumnSumRuns.h"

#include <array>
#include <utility>

namespace orrery::runtime::cuda {
namespace {

// Parameters of a generated kernel (Plan.proto, message Kernel): 8 bytes each.
class LaunchOperation : public Operation {
public:
  struct Scalar {
    IndexValue index;
    int32_t stream = -1; // of StepKeys; -1: the index
  };

  LaunchOperation(const LoadedKernel &kernel, int64_t rows,
                  std::vector<Place> buffers, std::vector<Scalar> scalars)
      : kernel(kernel), rows(rows), buffers(std::move(buffers)),
        scalars(std::move(scalars)),
        values(this->buffers.size() + this->scalars.size() + 1),
        parameters(values.size()) {
    for (size_t i = 0; i < values.size(); ++i)
      parameters[i] = &values[i];
  }

  absl::Status enqueue(const Site &site) override {
    if (rows == 0)
      return absl::OkStatus();
    uint64_t *value = values.data();
    for (const Place &buffer : buffers)
      *value++ =
          reinterpret_cast<uint64_t>(buffer.in(site.arena, site.microbatch));
    for (const Scalar &scalar : scalars)
      *value++ = scalar.stream >= 0
                     ? reinterpret_cast<uint64_t>(site.keys + scalar.stream)
                     : static_cast<uint64_t>(scalar.index.at(site.microbatch));
    *value = static_cast<uint64_t>(rows);
    const int64_t blocks =
        gridBlocks(rows, kernel.rowsPerBlock, kernel.resident);
    return toStatus(
        cudaLaunchKernel(reinterpret_cast<const void *>(kernel.kernel),
                         dim3(static_cast<unsigned>(blocks)),
                         dim3(kernel.threads), parameters.data(), 0,
                         site.stream),
        "cannot launch the kernel");
  }

private:
  LoadedKernel kernel;
  int64_t rows;
  std::vector<Place> buffers;
  std::vector<Scalar> scalars;
  std::vector<uint64_t> values; // filled in for each launch
  std::vector<void *> parameters;
};

// What the first instruction of a run does: all of the run, or of none nothing.
Prepared prepareRun(std::span<const plan::Instruction *const> run,
                    PrepareContext &context) {
  if (run.empty())
    return makeOperation(0, [](const Site &) { return cudaSuccess; });
  const plan::Instruction &instruction = *run.front();
  switch (instruction.kind_case()) {
  case plan::Instruction::kLaunch:
    return prepareLaunch(instruction.launch(), context);
  case plan::Instruction::kGemm:
    return prepareGemm(instruction.gemm(), context);
  case plan::Instruction::kAttention:
    return prepareAttention(instruction.attention(), context);
  case plan::Instruction::kAttentionGrad:
    return prepareAttentionGrad(instruction.attention_grad(), context);
  case plan::Instruction::kEmbedding:
    return prepareEmbedding(instruction.embedding(), context);
  case plan::Instruction::kEmbeddingGrad:
    return prepareEmbeddingGrad(instruction.embedding_grad(), context);
  case plan::Instruction::kColumnSum:
    return prepareColumnSums(run, context);
  case plan::Instruction::kFlatReduce:
    return prepareFlatReduce(instruction.flat_reduce(), context);
  case plan::Instruction::kCollective:
    return prepareCollective(instruction.collective(), context);
  case plan::Instruction::kSend:
    return prepareTransfer(instruction.send(), true, context);
  case plan::Instruction::kReceive:
    return prepareTransfer(instruction.receive(), false, context);
  case plan::Instruction::kCopy:
    return prepareCopy(instruction.copy(), context);
  case plan::Instruction::kFill:
    return prepareFill(instruction.fill(), context);
  case plan::Instruction::KIND_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError("instruction of an unknown kind");
}

} // namespace

absl::Status checkContiguous(const plan::View &view, const char *operand) {
  int64_t expected = 1;
  for (int d = view.shape_size() - 1; d >= 0; --d) {
    if (view.shape(d) != 1 && view.strides(d) != expected)
      return absl::UnimplementedError(absl::StrCat(
          "operand ", operand, " with strides [",
          absl::StrJoin(view.strides(), ", "), "] must be contiguous"));
    expected *= view.shape(d);
  }
  return absl::OkStatus();
}

Prepared prepareLaunch(const plan::Launch &op, PrepareContext &context) {
  const LoadedKernel &kernel = context.kernels.kernel(op.kernel());
  if (kernel.threads == 0 || kernel.rowsPerBlock < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel ", op.kernel(), " has ", kernel.threads, " threads and ",
        kernel.rowsPerBlock, " rows a block: it is not for GPUs"));
  std::vector<Place> buffers;
  for (const plan::View &view : op.buffers())
    buffers.push_back(context.place(view));
  std::vector<LaunchOperation::Scalar> scalars;
  for (const plan::Launch::Scalar &scalar : op.scalars())
    scalars.push_back(
        scalar.has_stream()
            ? LaunchOperation::Scalar{{}, context.keys.add(scalar.stream())}
            : LaunchOperation::Scalar{context.index(scalar.index()), -1});
  return std::make_unique<LaunchOperation>(
      kernel, op.rows(), std::move(buffers), std::move(scalars));
}

Prepared prepareColumnSums(std::span<const plan::Instruction *const> run,
                           PrepareContext &context) {
  const plan::ColumnSum &op = run.front()->column_sum();
  const plan::View &in = op.in();
  kernels::cuda::ColumnSumArguments arguments;
  arguments.rows = in.shape(0);
  arguments.columns = in.shape(1);
  arguments.rowStride = in.strides(0);
  arguments.columnStride = in.strides(1);
  arguments.outStride = outStrideOf(op);
  arguments.accumulate = op.accumulate();
  arguments.count = static_cast<int>(run.size());
  std::array<std::pair<Place, Place>, kernels::cuda::kMaxColumnSums> places;
  for (size_t i = 0; i < run.size(); ++i)
    places[i] = {context.place(run[i]->column_sum().in()),
                 context.place(run[i]->column_sum().out())};
  return makeOperation(
      kernels::cuda::columnSumScratchBytes(in.shape(0), in.shape(1),
                                           arguments.count),
      [type = kernelType(in), places, arguments](const Site &site) mutable {
        for (size_t i = 0; i < static_cast<size_t>(arguments.count); ++i)
          arguments.sums[i] = {places[i].first.in(site.arena, site.microbatch),
                               reinterpret_cast<float *>(places[i].second.in(
                                   site.arena, site.microbatch))};
        return kernels::cuda::columnSum(type, arguments, site.scratch,
                                        site.stream);
      });
}

Prepared prepareFlatReduce(const plan::FlatReduce &op,
                           PrepareContext &context) {
  if (absl::Status status = checkContiguous(op.in(), "in"); !status.ok())
    return status;
  kernels::FlatReduction reduction = kernels::FlatReduction::SquareSum;
  if (op.op() == plan::FlatReduce::COUNT_ZEROS)
    reduction = kernels::FlatReduction::CountZeros;
  else if (op.op() == plan::FlatReduce::COUNT_NOT_FINITE)
    reduction = kernels::FlatReduction::CountNotFinite;
  return makeOperation(
      kernels::cuda::kFlatReduceScratchBytes,
      [=, type = kernelType(op.in()), from = context.place(op.in()),
       to = context.place(op.out()),
       count = elementsOf(op.in())](const Site &site) {
        return kernels::cuda::flatReduce(
            reduction, type, from.in(site.arena, site.microbatch), count,
            reinterpret_cast<double *>(to.in(site.arena, site.microbatch)),
            site.scratch, site.stream);
      });
}

absl::StatusOr<PreparedProgram> prepareProgram(const plan::Program &program,
                                               PrepareContext &context) {
  PreparedProgram prepared;
  prepared.name = program.name();
  const std::vector<int> counts = columnSumRuns(program, context.rank);
  for (int i = 0; i < program.instructions_size(); ++i) {
    const plan::Instruction &instruction = program.instructions(i);
    const std::span<const plan::Instruction *const> run(
        program.instructions().data() + i,
        static_cast<size_t>(counts[static_cast<size_t>(i)]));
    Prepared operation = prepareRun(run, context);
    if (!operation.ok())
      return absl::Status(
          operation.status().code(),
          absl::StrCat("rank ", context.rank.rank, ", ",
                       instructionPlace(*context.rank.rankClass, program, i),
                       ": ", operation.status().message()));
    uint64_t flops = 0, bytes = 0;
    for (const plan::Instruction *done : run) {
      flops += done->flops();
      bytes += operandBytes(*done);
    }
    prepared.instructions.push_back(
        {labelOf(instruction, *context.rank.member), kindName(instruction),
         flops, bytes, context.lanes.laneOf(instruction),
         instruction.has_send() || instruction.has_receive(),
         instruction.has_collective() &&
             instruction.collective().op() != plan::Collective::ALL_SLICE,
         *std::move(operation)});
  }
  return prepared;
}

} // namespace orrery::runtime::cuda
