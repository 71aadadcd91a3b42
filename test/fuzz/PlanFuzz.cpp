// Fuzz target: plan files and the static check. The input is tried as a file
// and as the payload of one, so that mutations get past the checksums. Of what
// the check accepts, every view is computed once more, independently.
#include "test/fuzz/FuzzTarget.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/PlanFile.h"
#include "runtime/plan/RankPlan.h"
#include "test/runtime/plan/ToyPlan.h"

#include <google/protobuf/stubs/logging.h>

#include <cstdlib>

using namespace orrery;

namespace {

int64_t accepted = 0;

/// Aborts, so that the fuzzer reports the input.
void require(bool condition) {
  if (!condition)
    std::abort();
}

/// The last byte that any slot of the view touches lies in the arena.
void requireInside(const plan::RankClass &rankClass, const plan::Member &member,
                   const plan::View &view) {
  require(view.buffer() < static_cast<uint32_t>(rankClass.buffers_size()));
  const plan::Buffer &buffer =
      rankClass.buffers(static_cast<int>(view.buffer()));
  long double last = 0;
  for (int d = 0; d < view.shape_size(); ++d)
    last += static_cast<long double>(view.shape(d) - 1) * view.strides(d);
  long double end = static_cast<long double>(buffer.offset()) +
                    static_cast<long double>(buffer.slot_stride()) *
                        (runtime::slotsOf(buffer, member) - 1) +
                    view.offset() +
                    (last + 1) * runtime::elementBytes(view.type());
  require(end <= static_cast<long double>(member.arena_bytes()));
}

void requireSound(const plan::Plan &plan) {
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Program &program : rankClass.programs())
      for (const plan::Instruction &instruction : program.instructions())
        for (const runtime::Operand &operand : runtime::operandsOf(instruction))
          for (const plan::Member &member : rankClass.members())
            requireInside(rankClass, member, *operand.view);
}

void check(const plan::Plan &plan) {
  absl::Status status = runtime::checkPlan(plan);
  if (!status.ok()) {
    require(status.code() == absl::StatusCode::kInvalidArgument);
    require(!status.message().empty());
    return;
  }
  ++accepted;
  requireSound(plan);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char *>(data), size);
  if (absl::StatusOr<plan::Plan> plan = runtime::parsePlan(bytes, "fuzz");
      plan.ok()) {
    check(*plan);
    return 0;
  }
  plan::Plan plan;
  if (plan.ParseFromArray(data, static_cast<int>(size)))
    check(plan);
  return 0;
}

std::vector<std::string> orrery::test::fuzzSeeds() {
  // Mutated names are often not UTF-8; protobuf would print each.
  google::protobuf::SetLogHandler(nullptr);
  return {
      *runtime::framePlan(toyPlan({.tp = 2})),
      toyPlan({.pp = 2, .tp = 2, .layers = 2}).SerializeAsString(),
      toyPlan({.dp = 2, .layers = 1, .is16Bit = true}).SerializeAsString(),
      toyPlan({.pp = 3, .layers = 3, .kernels = false}).SerializeAsString()};
}

int64_t orrery::test::fuzzAccepted() { return accepted; }
