// Instructions as the step loop wants them: addresses, shapes and indices
// worked out once, so that running one reads no protobuf and allocates nothing.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_PREPARED_H
#define ORRERY_RUNTIME_DEVICE_CPU_PREPARED_H

#include "kernels/cpu/Attention.h"
#include "kernels/cpu/Embedding.h"
#include "kernels/cpu/Gemm.h"
#include "kernels/cpu/Reductions.h"
#include "kernels/cpu/StridedCopy.h"
#include "runtime/comm/DimensionCollective.h"
#include "runtime/device/SlotAddress.h"
#include "runtime/device/cpu/KernelModule.h"

#include <string>
#include <variant>
#include <vector>

namespace orrery::runtime {

struct PreparedLaunch {
  struct Scalar {
    IndexValue index;
    int32_t stream = -1; // of StepKeys; -1: the index
  };
  KernelFunction function = nullptr;
  std::vector<SlotAddress> buffers;
  std::vector<Scalar> scalars;
  int64_t rows = 0;
  bool parallel = false; // enough work for more than one thread
  // Filled in for each run.
  std::vector<void *> pointers;
  std::vector<int64_t> values;
};

struct PreparedGemm {
  kernels::ElementType type;
  bool firstRunOverwrites = false;
  kernels::GemmArguments arguments;
  SlotAddress a, b, c;
};

struct AttentionOperands {
  kernels::ElementType type;
  int32_t stream = -1; // dropout's; -1: none
  IndexValue sample, head;
  SlotAddress q, k, v, o, lse, documentStart;
  bool hasDocumentStart = false;
};
struct PreparedAttention : AttentionOperands {
  kernels::AttentionForwardArguments arguments;
};
struct PreparedAttentionGrad : AttentionOperands {
  kernels::AttentionBackwardArguments arguments;
  SlotAddress gradO, gradQ, gradK, gradV;
};

struct PreparedEmbedding {
  bool gradient = false;
  kernels::ElementType type;
  kernels::EmbeddingTable table; // or its gradient
  kernels::EmbeddingTokens tokens;
  SlotAddress rows, ids, vectors;
  IndexValue firstRow;
};

struct PreparedColumnSum {
  kernels::ElementType type;
  SlotAddress in, out;
  int64_t rows, columns, rowStride, columnStride, outStride;
  bool accumulate;
};

struct PreparedFlatReduce {
  kernels::ElementType type;
  kernels::FlatReduction reduction;
  SlotAddress in, out;
  int64_t count;
};

struct PreparedCollective {
  Communicator *group;
  DimensionCollective collective;
  SlotAddress in, out;
};

struct PreparedCopy {
  kernels::CopyPlan copy;
  SlotAddress in, out;
};

struct PreparedFill {
  kernels::CopyPlan copy;
  kernels::ElementType type;
  double value;
  SlotAddress out;
};

/// A message; the schedule runner posts and awaits it (ScheduleRunner.h).
struct PreparedTransfer {
  bool send = false;
  Communicator *group = nullptr;
  int peer = 0; // member of the group
  int tag = 0;
  int64_t bytes = 0;
  SlotAddress address;
};

struct PreparedInstruction {
  std::string label;    // with the layer filled in
  std::string kindName; // "gemm", …
  uint64_t flops = 0, bytes = 0;
  bool lastRunOnly = false; // of the program in a step
  std::variant<PreparedLaunch, PreparedGemm, PreparedAttention,
               PreparedAttentionGrad, PreparedEmbedding, PreparedColumnSum,
               PreparedFlatReduce, PreparedCollective, PreparedCopy,
               PreparedFill, PreparedTransfer>
      kind;
};

struct PreparedProgram {
  std::string name;
  std::vector<PreparedInstruction> instructions;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_PREPARED_H
