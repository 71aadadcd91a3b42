// The tables of `orrery-plan show --rank`: schedule and instructions.
#include "runtime/plan/ElementType.h"
#include "runtime/plan/InstructionViews.h"
#include "runtime/plan/RankPlan.h"
#include "runtime/plan/ScheduleEvents.h"
#include "tools/orrery-plan/Show.h"
#include "tools/orrery-plan/Table.h"
#include "tools/orrery-plan/Traffic.h"
#include "tools/orrery-plan/Units.h"

#include <fmt/format.h>

#include <map>

using namespace orrery;

/// The schedule as words: F0 F1 B0 F2 B1 …; other programs with their names.
/// A step of more than 12 microbatches is cut behind the first dozen forwards.
static std::string describeSchedule(const plan::Schedule &schedule,
                                    const plan::Member &member,
                                    int64_t microbatches) {
  std::string text;
  std::map<std::string, int64_t> runs;
  for (const plan::Schedule::Phase &phase : schedule.phases()) {
    int64_t count =
        runtime::runsOf(phase.count(), member.warmup(), microbatches);
    for (int64_t i = 0; i < count; ++i)
      for (const std::string &program : phase.programs()) {
        int64_t run = runs[program]++;
        if (phase.count() == plan::Schedule::Phase::ONCE)
          text += " " + program;
        else if (run < 12)
          text += fmt::format(" {}{}",
                              program == "forward"    ? "F"
                              : program == "backward" ? "B"
                                                      : program,
                              run);
        else if (run == 12)
          text += " …";
      }
  }
  return text;
}

/// "h.4[64, 2, 64]", with "+256" for a view behind the buffer's start.
static std::string describeView(const plan::RankClass &rankClass,
                                const plan::View &view) {
  const plan::Buffer &buffer =
      rankClass.buffers(static_cast<int>(view.buffer()));
  std::string text = buffer.name();
  if (view.offset())
    text += fmt::format("+{}", view.offset());
  text += shapeText(view.shape());
  if (view.type() != plan::F32)
    text += runtime::elementName(view.type());
  return text;
}

static std::string describeGroup(const plan::Plan &plan,
                                 const plan::Instruction &instruction) {
  if (instruction.has_collective())
    return plan
        .communicators(
            static_cast<int>(instruction.collective().communicator()))
        .name();
  if (!instruction.has_send() && !instruction.has_receive())
    return "";
  const plan::Transfer &transfer =
      instruction.has_send() ? instruction.send() : instruction.receive();
  return fmt::format(
      "{} {:+d}",
      plan.communicators(static_cast<int>(transfer.communicator())).name(),
      transfer.delta());
}

static std::string lowerCase(std::string text) {
  for (char &c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// "gemm", "gemm+bias_gelu", "all_reduce", "stage0_fused3".
static std::string describeKind(const plan::Plan &plan,
                                const plan::Instruction &instruction) {
  if (instruction.has_launch())
    return plan.kernels(static_cast<int>(instruction.launch().kernel()))
        .symbol();
  if (instruction.has_collective())
    return lowerCase(plan::Collective::Op_Name(instruction.collective().op()));
  std::string name = runtime::kindName(instruction);
  if (instruction.gemm().epilogue() != plan::Gemm::NONE)
    name += "+" +
            lowerCase(plan::Gemm::Epilogue_Name(instruction.gemm().epilogue()));
  return name;
}

static constexpr const char *kOverwrites = "first run overwrites";

/// Where it came from, and where and when it runs if that is special: "reduce
/// (stream 1, last run)".
static std::string describeOperation(const plan::Instruction &instruction) {
  std::string when;
  if (instruction.stream() != 0)
    when = fmt::format("stream {}", instruction.stream());
  if (instruction.last_run_only())
    when += when.empty() ? "last run" : ", last run";
  if (instruction.gemm().first_run_overwrites())
    when += fmt::format("{}{}", when.empty() ? "" : ", ", kOverwrites);
  return when.empty() ? instruction.label()
                      : fmt::format("{} ({})", instruction.label(), when);
}

static std::string describeProgram(const runtime::RankPlan &rank,
                                   const plan::Program &program) {
  Table table({">#", ">layer", "instruction", "operation", "group", ">work",
               "operands"});
  int64_t number = 0;
  for (const plan::Instruction &instruction : program.instructions()) {
    std::string operands;
    for (const runtime::Operand &operand : runtime::operandsOf(instruction))
      operands +=
          fmt::format("{}{} {}", operands.empty() ? "" : ", ",
                      operand.access == runtime::Access::READ ? "<" : ">",
                      describeView(*rank.rankClass, *operand.view));
    std::string layer;
    if (instruction.layer() >= 0)
      layer = std::to_string(instruction.layer() + rank.member->first_layer());
    std::string work;
    if (instruction.flops())
      work = flopsText(static_cast<double>(instruction.flops()));
    table.add({std::to_string(number++), layer,
               describeKind(*rank.plan, instruction),
               describeOperation(instruction),
               describeGroup(*rank.plan, instruction), work, operands});
  }
  return fmt::format("\nprogram {}: {} instructions\n", program.name(),
                     program.instructions_size()) +
         table.str();
}

absl::StatusOr<std::string> orrery::describeRank(const plan::Plan &plan,
                                                 int64_t number) {
  if (number > INT32_MAX)
    return absl::OutOfRangeError(
        fmt::format("rank {} is beyond the mesh", number));
  absl::StatusOr<runtime::RankPlan> rank =
      runtime::RankPlan::create(plan, static_cast<int32_t>(number));
  if (!rank.ok())
    return rank.status();
  std::string place;
  for (size_t axis = 0; axis < rank->mesh.numAxes(); ++axis)
    place += fmt::format("{}{} {}", axis ? ", " : "", rank->mesh.axisName(axis),
                         rank->coordinate[axis]);
  int64_t microbatches = getMicrobatches(plan);
  std::string text = fmt::format(
      "rank {}: {}; class {}, stage {}, arena {}\n"
      "operands: < read, > written or updated; +n: bytes behind the buffer's "
      "start; F32 unless told otherwise\n"
      "step of {} microbatches:{}\n",
      number, place, rank->rankClass->name(), rank->member->stage(),
      bytesText(static_cast<double>(rank->member->arena_bytes())), microbatches,
      describeSchedule(rank->rankClass->train(), *rank->member, microbatches));
  std::string programs;
  for (const plan::Program &program : rank->rankClass->programs())
    programs += describeProgram(*rank, program);
  if (programs.find(kOverwrites) != std::string::npos)
    text += fmt::format("{}: C = A B in a step's first run of the program, "
                        "C += A B in later ones; other gradients are zero when "
                        "a step begins, and added to\n",
                        kOverwrites);
  return text + programs;
}
