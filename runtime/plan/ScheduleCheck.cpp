// Walks the schedules of all stages together and proves that none waits for
// ever and no slot is reused too early.
//
// Ranks of one stage run the same instructions in the same order, so that what
// they exchange among themselves matches by construction; one actor per stage
// is enough. The walk uses the executor that waits most, so that a plan that
// passes here passes with any other:
//
//   send        does not wait for its receive; but a run of a program begins
//               only when earlier sends from the slots that its own sends use
//               have been received
//   receive     waits for the send: in order per (communicator, tag, sender)
//   collective  on a communicator with axis pp: waits for all its stages
//
// What actors do depends only on what they received, so that the order in
// which the walk advances them does not change the outcome.
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/RankPlan.h"
#include "runtime/plan/ScheduleEvents.h"

#include "absl/strings/str_cat.h"

#include <deque>
#include <map>
#include <tuple>

namespace orrery::runtime {
namespace {

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat("plan: ", parts...));
}

/// A stage on its way through its schedule.
struct Actor {
  const plan::RankClass *rankClass;
  const plan::Member *member;
  std::vector<Run> runs;
  size_t run = 0;
  size_t event = 0;
  bool begun = false;
  std::map<const ProgramEvents *, int64_t> finished; ///< runs, per program
  std::map<uint32_t, int64_t> collectives;           ///< done, per communicator
  bool arrived = false; ///< waits for its peers at a collective

  bool done() const { return run == runs.size(); }
};

class Walk {
public:
  Walk(const plan::Plan &plan, const Mesh &mesh, absl::string_view name)
      : plan(plan), mesh(mesh), name(name) {}

  void add(const plan::RankClass &rankClass, const plan::Member &member,
           std::vector<Run> runs) {
    actors.push_back({&rankClass, &member, std::move(runs)});
  }
  absl::Status run();

private:
  // Sender, receiver, communicator, tag.
  using ChannelKey = std::tuple<int32_t, int32_t, uint32_t, int32_t>;
  struct Channel {
    std::deque<std::pair<Payload, std::string>> waiting;
    int64_t sent = 0;
    int64_t received = 0;
  };
  struct Meeting {
    Payload payload;
    std::string first;
    int32_t arrived = 0;
  };

  ChannelKey keyOf(const Actor &actor, const Event &event) const;
  uint64_t slotOf(const Actor &actor, const Run &run, uint32_t buffer) const;
  std::string place(const Actor &actor) const;
  absl::Status checkSlots(const Actor &actor) const;
  bool slotsFree(const Actor &actor) const;
  absl::StatusOr<bool> advance(Actor &actor);
  absl::StatusOr<bool> pass(Actor &actor, const Event &event);
  absl::StatusOr<bool> meet(Actor &actor, const Event &event);
  absl::Status reportHang() const;
  absl::Status reportLeftovers() const;

  const plan::Plan &plan;
  const Mesh &mesh;
  std::string name;
  std::vector<Actor> actors;
  std::map<ChannelKey, Channel> channels;
  /// Per (stage, buffer, slot): the channel and number of its last send.
  std::map<std::tuple<int32_t, uint32_t, uint64_t>,
           std::pair<ChannelKey, int64_t>>
      lastSend;
  /// Per communicator: collectives in progress, the oldest first. An actor
  /// stays at one until all stages arrived, so there is at most one.
  std::map<uint32_t, std::deque<Meeting>> meetings;
  std::map<uint32_t, int64_t> meetingsClosed;
};

Walk::ChannelKey Walk::keyOf(const Actor &actor, const Event &event) const {
  int32_t other = actor.member->stage() + event.delta;
  return event.kind == Event::SEND ? ChannelKey{actor.member->stage(), other,
                                                event.communicator, event.tag}
                                   : ChannelKey{other, actor.member->stage(),
                                                event.communicator, event.tag};
}

uint64_t Walk::slotOf(const Actor &actor, const Run &run,
                      uint32_t buffer) const {
  return static_cast<uint64_t>(run.microbatch) %
         slotsOf(actor.rankClass->buffers(static_cast<int>(buffer)),
                 *actor.member);
}

std::string Walk::place(const Actor &actor) const {
  const Run &run = actor.runs[actor.run];
  std::string result = absl::StrCat(
      "schedule '", name, "', stage ", actor.member->stage(), ", class '",
      actor.rankClass->name(), "', program '", run.program->program->name(),
      "', microbatch ", run.microbatch);
  if (actor.begun && actor.event < run.program->events.size()) {
    const Event &event = run.program->events[actor.event];
    const plan::Instruction &instruction =
        run.program->program->instructions(event.instruction);
    absl::StrAppend(&result, ", instruction ", event.instruction, " (",
                    kindName(instruction), " '", instruction.label(), "')");
  }
  return result;
}

/// A slot may be used for microbatch i when every program that shares the
/// buffer is done with microbatch i - slots.
absl::Status Walk::checkSlots(const Actor &actor) const {
  const Run &run = actor.runs[actor.run];
  if (!run.perMicrobatch)
    return absl::OkStatus();
  for (const auto &[other, finished] : actor.finished) {
    if (other == run.program)
      continue;
    for (uint32_t number : run.program->slotted) {
      if (!other->slotted.count(number))
        continue;
      const plan::Buffer &buffer =
          actor.rankClass->buffers(static_cast<int>(number));
      int64_t slots = slotsOf(buffer, *actor.member);
      if (finished <= run.microbatch - slots)
        return fault(place(actor), ": buffer ", number, " '", buffer.name(),
                     "' has ", slots, " slots, but program '",
                     other->program->name(), "' still needs microbatch ",
                     run.microbatch - slots);
    }
  }
  return absl::OkStatus();
}

bool Walk::slotsFree(const Actor &actor) const {
  const Run &run = actor.runs[actor.run];
  for (const Event &event : run.program->events) {
    if (event.kind != Event::SEND)
      continue;
    auto it = lastSend.find({actor.member->stage(), event.buffer,
                             slotOf(actor, run, event.buffer)});
    if (it != lastSend.end() &&
        channels.at(it->second.first).received < it->second.second)
      return false;
  }
  return true;
}

absl::StatusOr<bool> Walk::pass(Actor &actor, const Event &event) {
  ChannelKey key = keyOf(actor, event);
  Channel &channel = channels[key];
  if (event.kind == Event::SEND) {
    channel.waiting.push_back({event.payload, place(actor)});
    lastSend[{actor.member->stage(), event.buffer,
              slotOf(actor, actor.runs[actor.run], event.buffer)}] = {
        key, ++channel.sent};
    return true;
  }
  if (channel.waiting.empty())
    return false;
  auto [payload, sender] = channel.waiting.front();
  if (!(payload == event.payload))
    return fault(place(actor), ": receives ", payloadText(event.payload),
                 ", but the matching send has ", payloadText(payload), ": ",
                 sender);
  channel.waiting.pop_front();
  ++channel.received;
  return true;
}

absl::StatusOr<bool> Walk::meet(Actor &actor, const Event &event) {
  const plan::Communicator &communicator =
      plan.communicators(static_cast<int>(event.communicator));
  int32_t stages = communicator.only_size() > 0 ? communicator.only_size()
                                                : mesh.axisSize("pp");
  std::deque<Meeting> &open = meetings[event.communicator];
  int64_t &closed = meetingsClosed[event.communicator];
  int64_t &passed = actor.collectives[event.communicator];
  if (!actor.arrived) {
    size_t index = static_cast<size_t>(passed - closed);
    if (index == open.size())
      open.push_back({event.payload, place(actor), 0});
    Meeting &meeting = open[index];
    if (!(meeting.payload == event.payload))
      return fault(place(actor), ": takes part with ",
                   payloadText(event.payload), " on communicator '",
                   communicator.name(), "', but the other side has ",
                   payloadText(meeting.payload), ": ", meeting.first);
    actor.arrived = true;
    if (++meeting.arrived == stages) {
      open.pop_front();
      ++closed;
    }
  }
  if (passed >= closed)
    return false;
  actor.arrived = false;
  ++passed;
  return true;
}

/// Goes on with one stage until it must wait; true when it moved.
absl::StatusOr<bool> Walk::advance(Actor &actor) {
  bool moved = false;
  while (!actor.done()) {
    const Run &run = actor.runs[actor.run];
    if (!actor.begun) {
      if (absl::Status status = checkSlots(actor); !status.ok())
        return status;
      if (!slotsFree(actor))
        return moved;
      actor.begun = true;
    }
    for (; actor.event < run.program->events.size(); ++actor.event) {
      const Event &event = run.program->events[actor.event];
      absl::StatusOr<bool> passed = event.kind == Event::COLLECTIVE
                                        ? meet(actor, event)
                                        : pass(actor, event);
      if (!passed.ok() || !*passed)
        return passed.ok() ? absl::StatusOr<bool>(moved) : passed;
      moved = true;
    }
    ++actor.finished[run.program];
    ++actor.run;
    actor.event = 0;
    actor.begun = false;
    moved = true;
  }
  return moved;
}

absl::Status Walk::reportHang() const {
  for (const Actor &actor : actors)
    if (!actor.done())
      return fault("would hang: ", place(actor), " waits for ever for ",
                   actor.begun ? "the other side"
                               : "earlier sends from its slots");
  return absl::OkStatus();
}

absl::Status Walk::reportLeftovers() const {
  for (const auto &[key, channel] : channels)
    if (!channel.waiting.empty())
      return fault("a message of ", payloadText(channel.waiting.front().first),
                   " is never received by stage ", std::get<1>(key), ": ",
                   channel.waiting.front().second);
  return absl::OkStatus();
}

absl::Status Walk::run() {
  // Every per-microbatch program counts as not yet run.
  for (Actor &actor : actors)
    for (const Run &run : actor.runs)
      if (run.perMicrobatch)
        actor.finished.try_emplace(run.program, 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (Actor &actor : actors) {
      absl::StatusOr<bool> advanced = advance(actor);
      if (!advanced.ok())
        return advanced.status();
      moved |= *advanced;
    }
  }
  if (absl::Status status = reportHang(); !status.ok())
    return status;
  return reportLeftovers();
}

} // namespace

absl::Status checkSchedules(const plan::Plan &plan, const Mesh &mesh,
                            int64_t microbatches) {
  std::vector<EventTable> tables;
  for (const plan::RankClass &rankClass : plan.classes()) {
    absl::StatusOr<EventTable> table = eventTable(plan, rankClass);
    if (!table.ok())
      return table.status();
    tables.push_back(*std::move(table));
  }
  for (absl::string_view name : {"train", "evaluate"}) {
    Walk walk(plan, mesh, name);
    for (int i = 0; i < plan.classes_size(); ++i) {
      const plan::RankClass &rankClass = plan.classes(i);
      const plan::Schedule &schedule =
          name == "train" ? rankClass.train() : rankClass.evaluate();
      for (const plan::Member &member : rankClass.members()) {
        absl::StatusOr<std::vector<Run>> runs =
            unroll(rankClass, member, tables[i], schedule, name, microbatches);
        if (!runs.ok())
          return runs.status();
        walk.add(rankClass, member, *std::move(runs));
      }
    }
    if (absl::Status status = walk.run(); !status.ok())
      return absl::Status(
          status.code(),
          absl::StrCat(status.message(), " (", microbatches, " microbatches)"));
  }
  return absl::OkStatus();
}

} // namespace orrery::runtime
