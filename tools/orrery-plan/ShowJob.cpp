// The part of `show` that holds for all ranks: job, mesh, communicators.
#include "runtime/plan/Mesh.h"
#include "tools/orrery-plan/Show.h"
#include "tools/orrery-plan/Table.h"
#include "tools/orrery-plan/Traffic.h"
#include "tools/orrery-plan/Units.h"

#include <fmt/format.h>

using namespace orrery;

static std::string describeModel(const job::JobSpec &job) {
  const job::Model &model = job.model();
  const job::Parallel &parallel = job.parallel();
  std::string type = job::DataType_Name(model.dtype());
  for (char &c : type)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return fmt::format("job      {} {}: {} layers, hidden {}, heads {}, sequence "
                     "{}, vocabulary {} (padded {}), {}\n",
                     job.source(), job.program(), model.num_layers(),
                     model.hidden_size(), model.num_attention_heads(),
                     model.seq_length(), model.vocab_size(),
                     model.padded_vocab_size(), type) +
         fmt::format("batch    {} samples a step, {} a microbatch and "
                     "replica\n",
                     parallel.global_batch_size(), parallel.micro_batch_size());
}

/// "pp 2 × dp 1 × tp 4 = 8 ranks; rank = (pp * 1 + dp) * 4 + tp".
static std::string describeMesh(const plan::Mesh &mesh) {
  std::string sizes, order;
  int64_t ranks = 1;
  for (int i = 0; i < mesh.axes_size(); ++i) {
    const plan::Mesh::Axis &axis = mesh.axes(i);
    sizes += fmt::format("{}{} {}", i ? " × " : "", axis.name(), axis.size());
    if (i > 1)
      order = "(" + order + ")";
    order +=
        i ? fmt::format(" * {} + {}", axis.size(), axis.name()) : axis.name();
    ranks *= axis.size();
  }
  return fmt::format("mesh     {} = {} ranks; rank = {}\n", sizes,
                     grouped(ranks), order);
}

static std::string describeCommunicators(const plan::Plan &plan) {
  absl::StatusOr<runtime::Mesh> mesh = runtime::Mesh::create(plan.mesh());
  if (!mesh.ok())
    return "";
  Table table({"communicator", "axes", ">groups", ">ranks", "first group"});
  for (const plan::Communicator &communicator : plan.communicators()) {
    // Counted, not listed: there may be thousands of groups.
    int64_t size = mesh->groupSize(communicator), members = mesh->worldSize();
    if (communicator.only_size())
      members = members / mesh->axisSize(communicator.axes(0)) *
                communicator.only_size();
    int32_t first = 0;
    while (mesh->groupOf(communicator, first).empty())
      ++first;
    std::vector<int32_t> group = mesh->groupOf(communicator, first);
    bool cut = group.size() > 8;
    group.resize(std::min<size_t>(group.size(), 8));
    table.add({communicator.name(), axesText(communicator),
               grouped(members / size), grouped(size),
               fmt::format("{}{}", fmt::join(group, " "), cut ? " …" : "")});
  }
  return table.str();
}

std::string orrery::describeJob(const plan::Plan &plan) {
  const plan::Target &target = plan.target();
  std::string text = describeModel(plan.job()) + describeMesh(plan.mesh());
  text += fmt::format("target   {} {} {}\n", target.name(), target.triple(),
                      target.cpu());
  text +=
      fmt::format("kernels  {} generated, {} of code\n", plan.kernels_size(),
                  bytesText(static_cast<double>(plan.kernel_object().size())));
  text += fmt::format("step     {} microbatches at the full batch size\n",
                      grouped(getMicrobatches(plan)));
  return text + "\ncommunicators\n" + describeCommunicators(plan);
}
