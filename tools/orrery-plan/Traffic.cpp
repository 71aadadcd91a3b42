// Counts messages and work by walking the training schedule's programs.
#include "tools/orrery-plan/Traffic.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/Mesh.h"
#include "runtime/plan/ScheduleEvents.h"

#include <algorithm>

using namespace orrery;

int64_t orrery::getMicrobatches(const plan::Plan &plan) {
  const job::Parallel &parallel = plan.job().parallel();
  int64_t samples = std::max<int64_t>(1, parallel.micro_batch_size());
  for (const plan::Mesh::Axis &axis : plan.mesh().axes())
    if (axis.name() == "dp")
      samples *= axis.size();
  return std::max<int64_t>(1, parallel.global_batch_size() / samples);
}

static int64_t bytesOf(const plan::View &view) {
  int64_t bytes = runtime::elementBytes(view.type());
  for (int64_t size : view.shape())
    bytes *= size;
  return bytes;
}

static int64_t groupSize(const plan::Plan &plan,
                         const plan::Communicator &communicator) {
  if (communicator.only_size())
    return communicator.only_size();
  int64_t size = 1;
  for (const std::string &name : communicator.axes())
    for (const plan::Mesh::Axis &axis : plan.mesh().axes())
      if (axis.name() == name)
        size *= axis.size();
  return size;
}

/// How often each program runs in a training step.
static std::map<std::string, int64_t>
countRuns(const plan::RankClass &rankClass, const plan::Member &member,
          int64_t microbatches) {
  std::map<std::string, int64_t> runs;
  for (const plan::Schedule::Phase &phase : rankClass.train().phases()) {
    int64_t count =
        runtime::runsOf(phase.count(), member.warmup(), microbatches);
    for (const std::string &program : phase.programs())
      runs[program] += count;
  }
  return runs;
}

/// The traffic of one call; its name in `operation`, empty when none is sent.
static Traffic countCall(const plan::Plan &plan,
                         const plan::Instruction &instruction,
                         std::string &operation, std::string &group) {
  if (instruction.has_send() || instruction.has_receive()) {
    const plan::Transfer &transfer =
        instruction.has_send() ? instruction.send() : instruction.receive();
    operation = instruction.has_send() ? "send" : "receive";
    group = plan.communicators(transfer.communicator()).name();
    int64_t bytes = bytesOf(transfer.view());
    return {1, bytes, instruction.has_send() ? bytes : 0};
  }
  const plan::Collective &collective = instruction.collective();
  const plan::Communicator &communicator =
      plan.communicators(collective.communicator());
  int64_t ranks = groupSize(plan, communicator);
  int64_t in = bytesOf(collective.in()), out = bytesOf(collective.out());
  group = communicator.name();
  switch (collective.op()) {
  case plan::Collective::ALL_REDUCE:
    operation = collective.reduction() == plan::Collective::MAX
                    ? "all_reduce max"
                    : "all_reduce";
    return {1, in, 2 * in * (ranks - 1) / ranks};
  case plan::Collective::ALL_GATHER:
    operation = "all_gather";
    return {1, out, out * (ranks - 1) / ranks};
  case plan::Collective::REDUCE_SCATTER:
    operation = "reduce_scatter";
    return {1, in, in * (ranks - 1) / ranks};
  case plan::Collective::ALL_TO_ALL:
    operation = "all_to_all";
    return {1, in, in * (ranks - 1) / ranks};
  default:
    return {};
  }
}

std::map<std::pair<std::string, std::string>, Traffic>
orrery::countTraffic(const plan::Plan &plan, const plan::RankClass &rankClass,
                     const plan::Member &member, int64_t microbatches) {
  std::map<std::pair<std::string, std::string>, Traffic> total;
  auto runs = countRuns(rankClass, member, microbatches);
  for (const plan::Program &program : rankClass.programs())
    for (const plan::Instruction &instruction : program.instructions()) {
      if (!instruction.has_collective() && !instruction.has_send() &&
          !instruction.has_receive())
        continue;
      std::string operation, group;
      Traffic call = countCall(plan, instruction, operation, group);
      int64_t times = runs[program.name()];
      if (instruction.last_run_only())
        times = std::min<int64_t>(times, 1);
      if (operation.empty() || times == 0)
        continue;
      Traffic &sum = total[{operation, group}];
      sum.calls += call.calls * times;
      sum.payload += call.payload * times;
      sum.wire += call.wire * times;
    }
  return total;
}

int64_t orrery::countFlops(const plan::RankClass &rankClass,
                           const plan::Member &member, int64_t microbatches) {
  auto runs = countRuns(rankClass, member, microbatches);
  int64_t flops = 0;
  for (const plan::Program &program : rankClass.programs())
    for (const plan::Instruction &instruction : program.instructions())
      flops += runs[program.name()] * static_cast<int64_t>(instruction.flops());
  return flops;
}
