// That products which overwrite gradients are the first to touch them.
#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/ViewCheck.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace orrery::runtime {
namespace {

/// Bytes [begin, end) of a buffer, gaps of the view included.
struct Extent {
  uint32_t buffer;
  __int128 begin, end;
};

Extent extentOf(const plan::View &view) {
  __int128 begin = view.offset();
  return {view.buffer(), begin,
          begin + viewReach(view) * elementBytes(view.type())};
}

using Phase = plan::Schedule::Phase;

/// The programs of the train schedule in the order of their first runs, where
/// phases that run so often have no run: FIRST without a warm-up, REST with few
/// microbatches.
std::vector<const plan::Program *>
trainPrograms(const plan::RankClass &rankClass,
              std::optional<Phase::Count> without) {
  std::vector<const plan::Program *> order;
  for (const Phase &phase : rankClass.train().phases())
    for (const std::string &name : phase.programs())
      for (const plan::Program &program : rankClass.programs())
        if (program.name() == name && phase.count() != without &&
            std::find(order.begin(), order.end(), &program) == order.end())
          order.push_back(&program);
  return order;
}

class OverwriteChecker {
public:
  explicit OverwriteChecker(const plan::RankClass &rankClass)
      : rankClass(rankClass) {}
  absl::Status check();

private:
  struct Touch {
    Extent extent;
    const plan::Program *program;
    int instruction;
  };
  absl::Status fault(const plan::Program &program, int number,
                     const std::string &what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("plan: ", instructionPlace(rankClass, program, number),
                     ": overwrites c in the first run, but ", what));
  }
  bool isGradient(uint32_t buffer) const {
    return rankClass.buffers(static_cast<int>(buffer)).kind() ==
           plan::Buffer::GRADIENT;
  }
  absl::Status checkProduct(const plan::Program &program, int number) const;
  absl::Status checkOrder(const std::vector<const plan::Program *> &order);

  const plan::RankClass &rankClass;
  std::vector<Touch> touches; // of gradients, so far
};

absl::Status OverwriteChecker::checkProduct(const plan::Program &program,
                                            int number) const {
  const plan::View &c = program.instructions(number).gemm().c();
  if (!isGradient(c.buffer()))
    return fault(
        program, number,
        absl::StrCat("c lies in buffer ", c.buffer(), " '",
                     rankClass.buffers(static_cast<int>(c.buffer())).name(),
                     "', which is no gradient"));
  if (program.instructions(number).last_run_only())
    return fault(program, number, "runs in the last run only");
  if (viewReach(c) != viewElements(c))
    return fault(program, number, "c has gaps");
  const Extent own = extentOf(c);
  for (const Touch &touch : touches)
    if (touch.extent.buffer == own.buffer && touch.extent.begin < own.end &&
        own.begin < touch.extent.end)
      return fault(program, number,
                   absl::StrCat("instruction ", touch.instruction, " of '",
                                touch.program->name(), "' touches it before"));
  return absl::OkStatus();
}

absl::Status
OverwriteChecker::checkOrder(const std::vector<const plan::Program *> &order) {
  touches.clear();
  for (const plan::Program *program : order)
    for (int i = 0; i < program->instructions_size(); ++i) {
      const plan::Instruction &instruction = program->instructions(i);
      if (instruction.gemm().first_run_overwrites())
        if (absl::Status status = checkProduct(*program, i); !status.ok())
          return status;
      for (const Operand &operand : operandsOf(instruction))
        if (isGradient(operand.view->buffer()))
          touches.push_back({extentOf(*operand.view), program, i});
    }
  return absl::OkStatus();
}

absl::Status OverwriteChecker::check() {
  for (std::optional<Phase::Count> without :
       {std::optional<Phase::Count>(), std::optional(Phase::FIRST),
        std::optional(Phase::REST)})
    if (absl::Status status = checkOrder(trainPrograms(rankClass, without));
        !status.ok())
      return status;
  const std::vector<const plan::Program *> trained =
      trainPrograms(rankClass, std::nullopt);
  for (const plan::Program &program : rankClass.programs())
    if (std::find(trained.begin(), trained.end(), &program) == trained.end())
      for (int i = 0; i < program.instructions_size(); ++i)
        if (program.instructions(i).gemm().first_run_overwrites())
          return fault(program, i, "its program is not in the train schedule");
  return absl::OkStatus();
}

} // namespace

absl::Status checkOverwrites(const plan::RankClass &rankClass) {
  return OverwriteChecker(rankClass).check();
}

} // namespace orrery::runtime
