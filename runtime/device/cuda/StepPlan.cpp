// Walking the timeline with the tracker of conflicts.
#include "runtime/device/cuda/StepPlan.h"

#include "runtime/device/cuda/ColumnSumRuns.h"
#include "runtime/device/cuda/ConflictTracker.h"
#include "runtime/device/cuda/Place.h"
#include "runtime/plan/InstructionViews.h"

#include <algorithm>

namespace orrery::runtime::cuda {
namespace {

struct PlacedOperand {
  Place place; // of the first byte touched
  int64_t bytes = 0;
  bool write = false;
};

struct PlacedInstruction {
  int lane = 0;
  bool receive = false, lastRunOnly = false;
  bool elsewhere = false; // an earlier instruction does it, too
  std::vector<PlacedOperand> operands;
};

// The keys of random streams lie outside the arena; instructions that read them
// name this range behind every arena.
constexpr int64_t kKeys = int64_t(1) << 62;
// And calls of a communicator, which come one behind the other on whatever
// streams they are, one byte for each.
constexpr int64_t kCommunicators = kKeys + 1;

bool readsKeys(const plan::Instruction &instruction) {
  if (instruction.has_attention())
    return instruction.attention().shape().dropout() > 0;
  if (instruction.has_attention_grad())
    return instruction.attention_grad().shape().dropout() > 0;
  return std::any_of(instruction.launch().scalars().begin(),
                     instruction.launch().scalars().end(),
                     [](const auto &scalar) { return scalar.has_stream(); });
}

void placeOperands(const plan::Instruction &instruction, const RankPlan &rank,
                   PlacedInstruction &placed) {
  for (const Operand &operand : operandsOf(instruction))
    for (const ByteExtent &extent : extentsOf(*operand.view)) {
      Place place = placeOf(*operand.view, rank);
      place.offset += extent.begin;
      const int64_t bytes = extent.end - extent.begin;
      placed.operands.push_back({place, bytes, operand.access != Access::READ});
    }
  if (readsKeys(instruction))
    placed.operands.push_back({{kKeys, 0, 1}, 1, false});
  if (instruction.has_collective() &&
      instruction.collective().op() != plan::Collective::ALL_SLICE)
    placed.operands.push_back(
        {{kCommunicators + instruction.collective().communicator(), 0, 1},
         1,
         true});
}

std::vector<PlacedInstruction> placeProgram(const plan::Program &program,
                                            const RankPlan &rank,
                                            const Lanes &lanes) {
  const std::vector<int> counts = columnSumRuns(program, rank);
  std::vector<PlacedInstruction> placed(counts.size());
  for (size_t i = 0; i < placed.size(); ++i) {
    const plan::Instruction &instruction =
        program.instructions(static_cast<int>(i));
    placed[i].lane = lanes.laneOf(instruction);
    placed[i].receive = instruction.has_receive();
    placed[i].lastRunOnly = instruction.last_run_only();
    placed[i].elsewhere = counts[i] == 0;
    for (int done = 0; done < counts[i]; ++done)
      placeOperands(program.instructions(static_cast<int>(i) + done), rank,
                    placed[i]);
  }
  return placed;
}

class Planner {
public:
  Planner(const RankPlan &rank, const Lanes &lanes)
      : rank(rank), lanes(lanes), tracker(lanes.count()) {
    for (const plan::Program &program : rank.rankClass->programs())
      programs.push_back(placeProgram(program, rank, lanes));
  }

  StepPlan plan(bool train, int64_t microbatches);

private:
  void add(StepAction action);
  void addRanges(StepAction::Kind kind, std::span<const ArenaRange> ranges,
                 bool write);
  void addInputs(int64_t microbatch);
  void addInstruction(const TimelineRun &run, uint32_t instruction);
  void addRun(const std::vector<TimelineRun> &timeline, const TimelineRun &run);

  const RankPlan &rank;
  const Lanes &lanes;
  std::vector<std::vector<PlacedInstruction>> programs;
  std::vector<ScheduledProgram> scheduled;
  ConflictTracker tracker;
  StepPlan result;
  bool clearsGradients = false;     // still to come
  std::vector<ByteAccess> accesses; // of the action that is added
  std::vector<uint32_t> waits;
};

void Planner::add(StepAction action) {
  tracker.add(action.lane, accesses, waits);
  action.firstWait = static_cast<uint32_t>(result.waits.size());
  action.waits = static_cast<uint32_t>(waits.size());
  for (uint32_t awaited : waits)
    if (int32_t &event = result.actions[awaited].event; event < 0)
      event = result.events++;
  result.waits.insert(result.waits.end(), waits.begin(), waits.end());
  result.actions.push_back(action);
}

void Planner::addRanges(StepAction::Kind kind,
                        std::span<const ArenaRange> ranges, bool write) {
  accesses.clear();
  for (const ArenaRange &range : ranges)
    accesses.push_back({range.begin, range.end, write});
  if (!accesses.empty())
    add({.kind = kind, .lane = lanes.setup()});
}

void Planner::addInputs(int64_t microbatch) {
  accesses.clear();
  for (const plan::Buffer &buffer : rank.rankClass->buffers()) {
    if (buffer.kind() != plan::Buffer::INPUT)
      continue;
    const uint64_t slot =
        static_cast<uint64_t>(microbatch) % slotsOf(buffer, *rank.member);
    const uint64_t begin = buffer.offset() + slot * buffer.slot_stride();
    accesses.push_back({begin, begin + buffer.bytes(), true});
  }
  add({.kind = StepAction::Kind::CopyInputs,
       .lane = lanes.setup(),
       .microbatch = microbatch});
}

void Planner::addInstruction(const TimelineRun &run, uint32_t instruction) {
  const PlacedInstruction &placed = programs[run.program][instruction];
  if (placed.elsewhere || (placed.lastRunOnly && !run.last))
    return;
  accesses.clear();
  for (const PlacedOperand &operand : placed.operands) {
    const int64_t begin = operand.place.at(run.microbatch);
    accesses.push_back({static_cast<uint64_t>(begin),
                        static_cast<uint64_t>(begin + operand.bytes),
                        operand.write});
  }
  add({.lane = placed.lane,
       .program = static_cast<uint32_t>(run.program),
       .instruction = instruction,
       .microbatch = run.microbatch});
}

void Planner::addRun(const std::vector<TimelineRun> &timeline,
                     const TimelineRun &run) {
  for (const Posting &posting : run.postings) {
    const TimelineRun &receiving = timeline[posting.run];
    const ScheduledProgram &program = scheduled[receiving.program];
    addInstruction(
        receiving,
        static_cast<uint32_t>(program.transfers[posting.transfer].instruction));
  }
  if (run.fillsInput)
    addInputs(run.microbatch);
  if (clearsGradients) // behind the inputs that the first run waits for
    addRanges(StepAction::Kind::ClearGradients, rangesToClear(rank), true);
  clearsGradients = false;
  const std::vector<PlacedInstruction> &program = programs[run.program];
  for (size_t i = 0; i < program.size(); ++i)
    if (!program[i].receive)
      addInstruction(run, static_cast<uint32_t>(i));
}

StepPlan Planner::plan(bool train, int64_t microbatches) {
  scheduled = scheduledPrograms(rank);
  const std::vector<TimelineRun> timeline = unrollSchedule(
      train ? rank.rankClass->train() : rank.rankClass->evaluate(),
      rank.member->warmup(), microbatches, scheduled);
  const std::vector<ArenaRange> scalars = rangesOf(rank, plan::Buffer::SCALAR);
  const ArenaRange keys = {kKeys, kKeys + 1};
  addRanges(StepAction::Kind::CopyKeys, {&keys, 1}, true);
  addRanges(StepAction::Kind::CopyScalars, scalars, true);
  clearsGradients = train;
  for (const TimelineRun &run : timeline)
    addRun(timeline, run);
  addRanges(StepAction::Kind::ReadScalars, scalars, false);
  return std::move(result);
}

} // namespace

StepPlan planStep(const RankPlan &rank, const Lanes &lanes, bool train,
                  int64_t microbatches) {
  return Planner(rank, lanes).plan(train, microbatches);
}

} // namespace orrery::runtime::cuda
