// The tables of `orrery-plan show`: rank classes and the whole job.
#include "tools/orrery-plan/Show.h"

#include "tools/orrery-plan/ArenaUse.h"
#include "tools/orrery-plan/Table.h"
#include "tools/orrery-plan/Traffic.h"
#include "tools/orrery-plan/Units.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

using namespace orrery;

static int64_t axisSize(const plan::Plan &plan, const std::string &name) {
  for (const plan::Mesh::Axis &axis : plan.mesh().axes())
    if (axis.name() == name)
      return axis.size();
  return 1;
}

/// Ranks of one pipeline stage.
static int64_t ranksPerStage(const plan::Plan &plan) {
  int64_t ranks = 1;
  for (const plan::Mesh::Axis &axis : plan.mesh().axes())
    if (axis.name() != "pp")
      ranks *= axis.size();
  return ranks;
}

static int64_t globalElements(const plan::Parameter &parameter) {
  int64_t elements = 1;
  for (int64_t size : parameter.global_shape())
    elements *= size;
  return elements;
}

static int64_t localElements(const plan::Plan &plan,
                             const plan::Parameter &parameter) {
  int64_t elements = globalElements(parameter);
  for (const plan::Sharding &sharding : parameter.sharding())
    for (const std::string &axis : sharding.axes())
      elements /= axisSize(plan, axis);
  return elements;
}

/// "stage 3, first layer 9", "62 stages, 1 to 62, first layers 3 to 186".
static std::string describeMembers(const plan::RankClass &rankClass) {
  const plan::Member &first = rankClass.members(0);
  const plan::Member &last = rankClass.members(rankClass.members_size() - 1);
  if (rankClass.members_size() == 1)
    return fmt::format("stage {}, first layer {}", first.stage(),
                       first.first_layer());
  return fmt::format("{} stages, {} to {}, first layers {} to {}",
                     rankClass.members_size(), first.stage(), last.stage(),
                     first.first_layer(), last.first_layer());
}

/// The parameters of the class; those that differ in their layer only share a
/// line.
static std::string describeParameters(const plan::Plan &plan,
                                      const plan::RankClass &rankClass) {
  struct Line {
    const plan::Parameter *parameter;
    int64_t count = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Line> lines;
  int64_t elements = 0;
  for (const plan::Parameter &parameter : rankClass.parameters()) {
    elements += localElements(plan, parameter);
    auto [entry, isNew] = lines.try_emplace(parameter.name());
    entry->second.parameter = &parameter;
    ++entry->second.count;
    if (isNew)
      order.push_back(parameter.name());
  }
  Table table({"parameter", "shape/axes", ">layers", ">elements a rank", ""});
  for (const std::string &name : order) {
    const Line &line = lines[name];
    table.add({name, shardedShapeText(*line.parameter),
               line.parameter->layer() < 0 ? "" : grouped(line.count),
               grouped(line.count * localElements(plan, *line.parameter)),
               line.parameter->owner() ? "" : "tied copy"});
  }
  return fmt::format("  parameters: {} elements a rank\n", grouped(elements)) +
         table.str();
}

/// Columns: the first and the last stage of the class where they differ.
static std::string describeBytes(const plan::RankClass &rankClass) {
  std::vector<const plan::Member *> members = {&rankClass.members(0)};
  const plan::Member &last = rankClass.members(rankClass.members_size() - 1);
  if (last.arena_bytes() != members[0]->arena_bytes())
    members.push_back(&last);
  std::vector<std::string> header = {"peak bytes a rank"}, order;
  std::map<std::string, std::vector<std::string>> rows;
  std::vector<std::string> total = {"total"}, slots = {"microbatches held"};
  for (size_t i = 0; i < members.size(); ++i) {
    header.push_back(">stage " + std::to_string(members[i]->stage()));
    for (const auto &[kind, bytes] : arenaUse(rankClass, *members[i])) {
      if (!rows.count(kind))
        order.push_back(kind);
      rows[kind].resize(members.size());
      rows[kind][i] = bytesText(static_cast<double>(bytes));
    }
    total.push_back(bytesText(static_cast<double>(members[i]->arena_bytes())));
    slots.push_back(std::to_string(members[i]->slots()));
  }
  Table table(header);
  for (const std::string &kind : order) {
    std::vector<std::string> row = {kind};
    row.insert(row.end(), rows[kind].begin(), rows[kind].end());
    table.add(row);
  }
  table.add(total);
  table.add(slots);
  return table.str();
}

static std::string describePrograms(const plan::RankClass &rankClass) {
  Table table({"program", ">instructions", ">kernels", ">products", ">messages",
               ">work of one run"});
  for (const plan::Program &program : rankClass.programs()) {
    int64_t kernels = 0, products = 0, messages = 0;
    double flops = 0;
    for (const plan::Instruction &instruction : program.instructions()) {
      kernels += instruction.has_launch();
      products += instruction.has_gemm() || instruction.has_attention() ||
                  instruction.has_attention_grad();
      messages += instruction.has_collective() || instruction.has_send() ||
                  instruction.has_receive();
      flops += static_cast<double>(instruction.flops());
    }
    table.add({program.name(), grouped(program.instructions_size()),
               grouped(kernels), grouped(products), grouped(messages),
               flopsText(flops)});
  }
  return table.str();
}

static std::string axesOf(const plan::Plan &plan, const std::string &name) {
  for (const plan::Communicator &communicator : plan.communicators())
    if (communicator.name() == name)
      return axesText(communicator);
  return "";
}

using TrafficMap = std::map<std::pair<std::string, std::string>, Traffic>;

static std::string describeTraffic(const plan::Plan &plan,
                                   const TrafficMap &traffic,
                                   const char *title) {
  Table table({title, "communicator", "axes", ">messages", ">payload",
               ">leaves the rank"});
  Traffic sum;
  for (const auto &[key, entry] : traffic) {
    table.add({key.first, key.second, axesOf(plan, key.second),
               grouped(entry.calls),
               bytesText(static_cast<double>(entry.payload)),
               bytesText(static_cast<double>(entry.wire))});
    sum.calls += entry.calls;
    sum.wire += entry.wire;
  }
  if (!table.empty())
    table.add({"total", "", "", grouped(sum.calls), "",
               bytesText(static_cast<double>(sum.wire))});
  return table.empty() ? "    no messages\n" : table.str();
}

static std::string describeClass(const plan::Plan &plan,
                                 const plan::RankClass &rankClass,
                                 int64_t microbatches) {
  const plan::Member &member = rankClass.members(0);
  std::string text =
      fmt::format("\nclass {}: {}; {} ranks\n", rankClass.name(),
                  describeMembers(rankClass),
                  grouped(rankClass.members_size() * ranksPerStage(plan)));
  text += describeParameters(plan, rankClass);
  text += describeBytes(rankClass);
  text += describePrograms(rankClass);
  text += fmt::format("  step of one rank: {}\n",
                      flopsText(static_cast<double>(
                          countFlops(rankClass, member, microbatches))));
  return text + describeTraffic(
                    plan, countTraffic(plan, rankClass, member, microbatches),
                    "each rank and step");
}

static std::string describeWhole(const plan::Plan &plan, int64_t microbatches) {
  int64_t perStage = ranksPerStage(plan), parameters = 0, ranks = 0;
  uint64_t peak = 0;
  double flops = 0;
  TrafficMap traffic;
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members()) {
      for (const plan::Parameter &parameter : rankClass.parameters())
        parameters += parameter.owner() ? globalElements(parameter) : 0;
      flops += static_cast<double>(perStage) *
               static_cast<double>(countFlops(rankClass, member, microbatches));
      peak = std::max(peak, member.arena_bytes());
      ranks += perStage;
      for (const auto &[key, entry] :
           countTraffic(plan, rankClass, member, microbatches)) {
        traffic[key].calls += entry.calls * perStage;
        traffic[key].payload += entry.payload * perStage;
        traffic[key].wire += entry.wire * perStage;
      }
    }
  return fmt::format("\nwhole job: {} ranks, {} parameters, {} a step, at most "
                     "{} a rank\n",
                     grouped(ranks), grouped(parameters), flopsText(flops),
                     bytesText(static_cast<double>(peak))) +
         describeTraffic(plan, traffic, "all ranks, a step");
}

std::string orrery::describePlan(const plan::Plan &plan) {
  int64_t microbatches = getMicrobatches(plan);
  std::string text = describeJob(plan);
  for (const plan::RankClass &rankClass : plan.classes())
    text += describeClass(plan, rankClass, microbatches);
  return text + describeWhole(plan, microbatches);
}
