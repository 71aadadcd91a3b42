// From a plan's programs to operations on this GPU.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_PREPARE_H
#define ORRERY_RUNTIME_DEVICE_CUDA_PREPARE_H

#include "absl/status/statusor.h"
#include "kernels/ElementType.h"
#include "runtime/comm/nccl/DeviceCall.h"
#include "runtime/device/SlotAddress.h"
#include "runtime/device/StepKeys.h"
#include "runtime/device/cuda/CudnnOnDemand.h"
#include "runtime/device/cuda/KernelLibrary.h"
#include "runtime/device/cuda/Lanes.h"
#include "runtime/device/cuda/Operation.h"
#include "runtime/device/cuda/Place.h"
#include "runtime/device/cuda/PlanGemms.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orrery::runtime::cuda {

struct PreparedInstruction {
  std::string label; // with the layer filled in
  std::string kindName;
  uint64_t flops = 0, bytes = 0;
  int lane = 0;
  bool transfer = false, collective = false; // needs other ranks
  std::unique_ptr<Operation> operation;
};

struct PreparedProgram {
  std::string name;
  // As in the plan. Of column sums that one launch does, the first does all and
  // has the flops and bytes of all; the others do nothing.
  std::vector<PreparedInstruction> instructions;
};

/// What preparing needs to know of the rank, and what it finds.
struct PrepareContext {
  const RankPlan &rank;
  const KernelLibrary &kernels;
  const Lanes &lanes;
  // By index into Plan.communicators; nothing where the rank is in no group.
  const std::vector<std::optional<DeviceGroup>> &groups;
  const std::vector<PeerChannel> &channels; // as Lanes::channels
  StepKeys &keys;
  PlanGemms &gemms;
  CudnnOnDemand &cudnn;
  std::vector<DeviceCall> calls = {}; // of collectives, in order

  Place place(const plan::View &view) const { return placeOf(view, rank); }
  IndexValue index(const plan::Index &index) const {
    return {rank.mesh.evaluate(index, rank.coordinate, 0),
            index.per_microbatch()};
  }
};

inline kernels::ElementType kernelType(const plan::View &view) {
  return static_cast<kernels::ElementType>(view.type());
}

/// Unimplemented unless the elements lie without gaps in row-major order.
absl::Status checkContiguous(const plan::View &view, const char *operand);

/// Requires a plan that passed checkPlan. Unimplemented where this device has
/// no form for an instruction; names class, program and instruction.
absl::StatusOr<PreparedProgram> prepareProgram(const plan::Program &program,
                                               PrepareContext &context);

// One function for each kind of instruction.
using Prepared = absl::StatusOr<std::unique_ptr<Operation>>;
Prepared prepareLaunch(const plan::Launch &op, PrepareContext &context);
Prepared prepareGemm(const plan::Gemm &op, PrepareContext &context);
Prepared prepareAttention(const plan::Attention &op, PrepareContext &context);
Prepared prepareAttentionGrad(const plan::AttentionGrad &op,
                              PrepareContext &context);
Prepared prepareEmbedding(const plan::Embedding &op, PrepareContext &context);
Prepared prepareEmbeddingGrad(const plan::EmbeddingGrad &op,
                              PrepareContext &context);
/// Of one or more instructions that ColumnSumRuns.h puts together.
Prepared prepareColumnSums(std::span<const plan::Instruction *const> run,
                           PrepareContext &context);
Prepared prepareFlatReduce(const plan::FlatReduce &op, PrepareContext &context);
Prepared prepareCollective(const plan::Collective &op, PrepareContext &context);
Prepared prepareTransfer(const plan::Transfer &op, bool send,
                         PrepareContext &context);
Prepared prepareCopy(const plan::Copy &op, PrepareContext &context);
Prepared prepareFill(const plan::Fill &op, PrepareContext &context);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_PREPARE_H
