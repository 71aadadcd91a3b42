// Extracts events, unrolls phases.
#include "runtime/plan/ScheduleEvents.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <optional>

namespace orrery::runtime {

template <typename... Parts> static absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat("plan: ", parts...));
}

std::string payloadText(const Payload &payload) {
  std::string what =
      payload.op < 0
          ? ""
          : absl::StrCat(plan::Collective::Op_Name(
                             static_cast<plan::Collective::Op>(payload.op)),
                         " ");
  return absl::StrCat(what, payload.elements, " x ", elementName(payload.type));
}

namespace {

Payload payloadOf(const plan::View &view) {
  int64_t elements = 1;
  for (int64_t size : view.shape())
    elements *= size;
  return {view.type(), elements};
}

std::optional<Event> eventOf(const plan::Plan &plan,
                             const plan::Instruction &instruction, int number) {
  if (instruction.has_send() || instruction.has_receive()) {
    const plan::Transfer &op =
        instruction.has_send() ? instruction.send() : instruction.receive();
    return Event{instruction.has_send() ? Event::SEND : Event::RECEIVE,
                 op.communicator(),
                 op.delta(),
                 op.tag(),
                 payloadOf(op.view()),
                 number,
                 op.view().buffer()};
  }
  if (!instruction.has_collective() ||
      instruction.collective().op() == plan::Collective::ALL_SLICE)
    return std::nullopt;
  const plan::Collective &op = instruction.collective();
  const auto &axes =
      plan.communicators(static_cast<int>(op.communicator())).axes();
  if (std::find(axes.begin(), axes.end(), "pp") == axes.end())
    return std::nullopt;
  Payload payload = payloadOf(op.in());
  payload.op = op.op();
  payload.reduction = op.reduction();
  payload.dimension = op.dimension();
  payload.concatDimension = op.concat_dimension();
  return Event{Event::COLLECTIVE, op.communicator(), 0, 0, payload, number,
               op.in().buffer()};
}

ProgramEvents eventsOf(const plan::Plan &plan, const plan::RankClass &rankClass,
                       const plan::Program &program) {
  ProgramEvents result{&program, {}, {}};
  for (int i = 0; i < program.instructions_size(); ++i) {
    const plan::Instruction &instruction = program.instructions(i);
    if (std::optional<Event> event = eventOf(plan, instruction, i))
      result.events.push_back(*event);
    for (const Operand &operand : operandsOf(instruction)) {
      plan::Buffer::Kind kind =
          rankClass.buffers(static_cast<int>(operand.view->buffer())).kind();
      if (kind == plan::Buffer::STASH || kind == plan::Buffer::INPUT ||
          kind == plan::Buffer::BOUNDARY)
        result.slotted.insert(operand.view->buffer());
    }
  }
  return result;
}

} // namespace

absl::StatusOr<EventTable> eventTable(const plan::Plan &plan,
                                      const plan::RankClass &rankClass) {
  EventTable table;
  for (const plan::Program &program : rankClass.programs())
    if (!table.try_emplace(program.name(), eventsOf(plan, rankClass, program))
             .second)
      return fault("class '", rankClass.name(), "': program '", program.name(),
                   "' is listed twice");
  return table;
}

int64_t runsOf(plan::Schedule::Phase::Count count, int64_t warmup,
               int64_t microbatches) {
  int64_t first = std::min(warmup, microbatches);
  switch (count) {
  case plan::Schedule::Phase::FIRST:
    return first;
  case plan::Schedule::Phase::REST:
    return microbatches - first;
  case plan::Schedule::Phase::ALL:
    return microbatches;
  default:
    return 1;
  }
}

absl::StatusOr<std::vector<Run>>
unroll(const plan::RankClass &rankClass, const plan::Member &member,
       const EventTable &table, const plan::Schedule &schedule,
       absl::string_view scheduleName, int64_t microbatches) {
  std::string place = absl::StrCat("class '", rankClass.name(), "', schedule '",
                                   scheduleName, "': ");
  if (member.warmup() < 0)
    return fault(place, "warm-up of ", member.warmup(), " microbatches");
  std::map<std::string, int64_t> runs;
  std::set<std::string> once;
  std::vector<Run> order;
  for (const plan::Schedule::Phase &phase : schedule.phases()) {
    if (!plan::Schedule::Phase::Count_IsValid(phase.count()))
      return fault(place, "count ", phase.count(), " is not known");
    bool isOnce = phase.count() == plan::Schedule::Phase::ONCE;
    for (const std::string &name : phase.programs()) {
      if (!table.count(name))
        return fault(place, "program '", name, "' does not exist");
      runs.try_emplace(name, 0);
      if (isOnce)
        once.insert(name);
    }
    int64_t count = runsOf(phase.count(), member.warmup(), microbatches);
    for (int64_t i = 0; i < count; ++i)
      for (const std::string &name : phase.programs())
        order.push_back({&table.at(name), runs[name]++, !isOnce});
  }
  for (const auto &[name, count] : runs)
    if (count != (once.count(name) ? 1 : microbatches))
      return fault(place, "program '", name, "' runs ", count,
                   " times in a step of ", microbatches, " microbatches");
  return order;
}

} // namespace orrery::runtime
