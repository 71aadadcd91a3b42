// The operands of an instruction, by name and by how they are used.
#ifndef ORRERY_RUNTIME_PLAN_INSTRUCTIONVIEWS_H
#define ORRERY_RUNTIME_PLAN_INSTRUCTIONVIEWS_H

#include "runtime/plan/Plan.pb.h"

#include <string>
#include <vector>

namespace orrery::runtime {

enum class Access { READ, WRITE, READ_WRITE };

struct Operand {
  std::string name;       ///< of the field, e.g. "a"; "buffers[2]" of a launch
  const plan::View *view; ///< into the instruction
  Access access;
};

/// Every view of the instruction, in the order of its fields; an optional view
/// that is absent is left out.
std::vector<Operand> operandsOf(const plan::Instruction &instruction);

/// "gemm", "launch", …; "nothing" when no kind is set.
std::string kindName(const plan::Instruction &instruction);

/// For messages: "class 'stage0', program 'forward', instruction 12 (gemm
/// 'matmul sbi,oi->sbo')".
std::string instructionPlace(const plan::RankClass &rankClass,
                             const plan::Program &program, int number);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_INSTRUCTIONVIEWS_H
