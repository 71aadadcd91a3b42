// Buckets, parameters, and who owns which tensor.
#include "runtime/plan/ParameterCheck.h"

#include "runtime/plan/ElementType.h"
#include "runtime/plan/RandomKey.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace orrery::runtime {
namespace {

using Wide = unsigned __int128;

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat("plan: ", parts...));
}

absl::Status checkBucketBuffer(const plan::RankClass &rankClass,
                               const plan::Bucket &bucket, uint32_t number,
                               absl::string_view role,
                               plan::Buffer::Kind kind) {
  std::string place = absl::StrCat("class '", rankClass.name(), "', bucket '",
                                   bucket.name(), "', ", role, ": ");
  if (number >= static_cast<uint32_t>(rankClass.buffers_size()))
    return fault(place, "buffer ", number, " does not exist, the class has ",
                 rankClass.buffers_size());
  const plan::Buffer &buffer = rankClass.buffers(static_cast<int>(number));
  if (buffer.kind() != kind)
    return fault(place, "buffer ", number, " has kind ",
                 plan::Buffer::Kind_Name(buffer.kind()), ", expected ",
                 plan::Buffer::Kind_Name(kind));
  bool isFloat = buffer.type() == plan::F32 || buffer.type() == plan::F16 ||
                 buffer.type() == plan::BF16;
  if (kind == plan::Buffer::WEIGHT ? !isFloat : buffer.type() != plan::F32)
    return fault(place, "buffer ", number, " has element type ",
                 elementName(buffer.type()), ", expected ",
                 kind == plan::Buffer::WEIGHT ? "F32, F16 or BF16" : "F32");
  if (buffer.slots() != 1)
    return fault(place, "buffer ", number, " has ", buffer.slots(),
                 " slots, expected 1");
  if (Wide{bucket.elements()} * elementBytes(buffer.type()) > buffer.bytes())
    return fault(place, bucket.elements(), " elements of ",
                 elementName(buffer.type()), " exceed the ", buffer.bytes(),
                 " bytes of buffer ", number);
  return absl::OkStatus();
}

absl::Status checkBucket(const plan::RankClass &rankClass,
                         const plan::Bucket &bucket) {
  if (absl::Status status = checkBucketBuffer(
          rankClass, bucket, bucket.weight(), "weight", plan::Buffer::WEIGHT);
      !status.ok())
    return status;
  if (absl::Status status =
          checkBucketBuffer(rankClass, bucket, bucket.gradient(), "gradient",
                            plan::Buffer::GRADIENT);
      !status.ok())
    return status;
  std::set<std::string> names;
  for (const plan::Bucket::State &state : bucket.states()) {
    if (state.name().empty() || !names.insert(state.name()).second)
      return fault("class '", rankClass.name(), "', bucket '", bucket.name(),
                   "': state '", state.name(), "' is unnamed or listed twice");
    if (absl::Status status = checkBucketBuffer(
            rankClass, bucket, state.buffer(),
            absl::StrCat("state ", state.name()), plan::Buffer::OPTIMIZER);
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

/// Elements of the local shard; also that the sharding is well formed.
absl::StatusOr<uint64_t> localElements(const plan::Parameter &parameter,
                                       const Mesh &mesh) {
  if (parameter.sharding_size() != parameter.global_shape_size())
    return fault("has ", parameter.sharding_size(), " shardings for ",
                 parameter.global_shape_size(), " dimensions");
  std::set<std::string> used;
  Wide elements = 1;
  for (int d = 0; d < parameter.global_shape_size(); ++d) {
    int64_t size = parameter.global_shape(d), parts = 1;
    if (size < 1)
      return fault("global shape [",
                   absl::StrJoin(parameter.global_shape(), ", "),
                   "] has a size below 1");
    for (const std::string &axis : parameter.sharding(d).axes()) {
      if (mesh.findAxis(axis) < 0)
        return fault("dimension ", d, " is sharded on axis '", axis,
                     "', which is not in the mesh");
      if (axis == "pp")
        return fault("dimension ", d,
                     " is sharded on 'pp'; stages hold whole parameters");
      if (!used.insert(axis).second)
        return fault("axis '", axis, "' shards twice");
      parts *= mesh.axisSize(axis);
    }
    if (size % parts)
      return fault("dimension ", d, " of size ", size, " does not divide into ",
                   parts, " equal parts");
    elements *= static_cast<uint64_t>(size / parts);
    if (elements > (Wide{1} << 62))
      return fault("shape [", absl::StrJoin(parameter.global_shape(), ", "),
                   "] is too large");
  }
  return static_cast<uint64_t>(elements);
}

absl::Status checkParameter(const plan::RankClass &rankClass,
                            const plan::Parameter &parameter,
                            uint64_t elements) {
  if (parameter.name().empty())
    return fault("has no name");
  bool perLayer = absl::StrContains(parameter.name(), "{layer}");
  if (perLayer != (parameter.layer() >= 0) || parameter.layer() < -1)
    return fault("layer ", parameter.layer(), " with a name ",
                 perLayer ? "that has" : "without", " {layer}");
  if (parameter.bucket() >= static_cast<uint32_t>(rankClass.buckets_size()))
    return fault("bucket ", parameter.bucket(),
                 " does not exist, the class has ", rankClass.buckets_size());
  const plan::Bucket &bucket =
      rankClass.buckets(static_cast<int>(parameter.bucket()));
  if (Wide{parameter.offset()} + elements > bucket.elements())
    return fault("elements ", parameter.offset(), " + ", elements,
                 " end beyond the ", bucket.elements(), " elements of bucket '",
                 bucket.name(), "'");
  if (!plan::Initializer::Kind_IsValid(parameter.init().kind()) ||
      !std::isfinite(parameter.init().value()))
    return fault("initializer ", parameter.init().kind(), " of value ",
                 parameter.init().value(), " is not known");
  return absl::OkStatus();
}

/// A range of a bucket that a parameter occupies.
struct Range {
  uint32_t bucket;
  uint64_t begin, end;
  std::string name;
};

} // namespace

absl::Status checkParameters(const plan::RankClass &rankClass,
                             const Mesh &mesh) {
  for (const plan::Bucket &bucket : rankClass.buckets())
    if (absl::Status status = checkBucket(rankClass, bucket); !status.ok())
      return status;
  std::vector<Range> ranges;
  for (const plan::Parameter &parameter : rankClass.parameters()) {
    absl::StatusOr<uint64_t> elements = localElements(parameter, mesh);
    absl::Status status = elements.ok()
                              ? checkParameter(rankClass, parameter, *elements)
                              : elements.status();
    if (!status.ok())
      return fault(
          "class '", rankClass.name(), "', parameter '", parameter.name(),
          "': ", status.message().substr(absl::string_view("plan: ").size()));
    ranges.push_back({parameter.bucket(), parameter.offset(),
                      parameter.offset() + *elements, parameter.name()});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) {
    return std::tie(a.bucket, a.begin) < std::tie(b.bucket, b.begin);
  });
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].bucket == ranges[i - 1].bucket &&
        ranges[i].begin < ranges[i - 1].end)
      return fault("class '", rankClass.name(), "': parameters '",
                   ranges[i - 1].name, "' and '", ranges[i].name,
                   "' overlap at element ", ranges[i].begin, " of bucket ",
                   ranges[i].bucket);
  return absl::OkStatus();
}

namespace {

struct Held {
  std::vector<int64_t> shape;
  int owners = 0;
  std::set<int32_t> stages;
};

absl::Status recordParameter(std::map<std::string, Held> &held,
                             const plan::RankClass &rankClass,
                             const plan::Member &member,
                             const plan::Parameter &parameter) {
  std::string name = fillLayer(parameter.name(), int64_t{member.first_layer()} +
                                                     parameter.layer());
  std::vector<int64_t> shape(parameter.global_shape().begin(),
                             parameter.global_shape().end());
  auto [it, isNew] = held.try_emplace(name);
  if (isNew)
    it->second.shape = shape;
  if (it->second.shape != shape)
    return fault("parameter '", name, "' has global shape [",
                 absl::StrJoin(shape, ", "), "] in class '", rankClass.name(),
                 "' and [", absl::StrJoin(it->second.shape, ", "),
                 "] elsewhere");
  if (!it->second.stages.insert(member.stage()).second)
    return fault("parameter '", name, "' is listed twice on stage ",
                 member.stage());
  it->second.owners += parameter.owner();
  return absl::OkStatus();
}

} // namespace

absl::Status checkOwnership(const plan::Plan &plan) {
  std::map<std::string, Held> held;
  std::set<std::string> perLayer;
  for (const plan::RankClass &rankClass : plan.classes())
    for (const plan::Member &member : rankClass.members())
      for (const plan::Parameter &parameter : rankClass.parameters()) {
        if (parameter.layer() >= 0)
          perLayer.insert(parameter.name());
        if (absl::Status status =
                recordParameter(held, rankClass, member, parameter);
            !status.ok())
          return status;
      }
  for (const auto &[name, entry] : held)
    if (entry.owners != 1)
      return fault("parameter '", name, "' has ", entry.owners,
                   " owning stages, expected exactly 1");
  for (const std::string &name : perLayer)
    for (int64_t layer = 0; layer < plan.job().model().num_layers(); ++layer)
      if (!held.count(fillLayer(name, layer)))
        return fault("layer ", layer, " of ", plan.job().model().num_layers(),
                     " of '", name, "' is on no stage");
  return absl::OkStatus();
}

} // namespace orrery::runtime
