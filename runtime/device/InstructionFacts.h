// What log lines and traces say of an instruction.
#ifndef ORRERY_RUNTIME_DEVICE_INSTRUCTIONFACTS_H
#define ORRERY_RUNTIME_DEVICE_INSTRUCTIONFACTS_H

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/RandomKey.h"
#include "runtime/plan/RankPlan.h"

#include <string>

namespace orrery::runtime {

/// The operation of the IR, and the layer of the whole model where it has one:
/// "matmul sbi,oi->sbo layer 3".
inline std::string labelOf(const plan::Instruction &instruction,
                           const plan::Member &member) {
  const int64_t layer = member.first_layer() + instruction.layer();
  std::string label = fillLayer(instruction.label(), layer);
  if (instruction.layer() >= 0)
    absl::StrAppend(&label, " layer ", layer);
  return label;
}

/// Bytes of all operands, each counted once for a read or a write.
inline uint64_t operandBytes(const plan::Instruction &instruction) {
  uint64_t bytes = 0;
  for (const Operand &operand : operandsOf(instruction)) {
    uint64_t own = static_cast<uint64_t>(elementBytes(operand.view->type()));
    for (int64_t size : operand.view->shape())
      own *= static_cast<uint64_t>(size);
    bytes += own;
  }
  return bytes;
}

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_INSTRUCTIONFACTS_H
