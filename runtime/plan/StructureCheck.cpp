// Checks of communicators, kernels, classes and their buffers.
#include "runtime/plan/ElementType.h"
#include "runtime/plan/ParameterCheck.h"
#include "runtime/plan/PlanCheck.h"
#include "runtime/plan/RankPlan.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace orrery::runtime {
namespace {

using Wide = unsigned __int128;

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat("plan: ", parts...));
}

absl::Status checkOnly(const plan::Communicator &communicator,
                       const Mesh &mesh) {
  if (communicator.only_size() == 0)
    return absl::OkStatus();
  if (communicator.axes_size() != 1)
    return fault("communicator '", communicator.name(),
                 "': `only` needs exactly one axis, found ",
                 communicator.axes_size());
  int32_t size = mesh.axisSize(communicator.axes(0));
  for (int i = 0; i < communicator.only_size(); ++i) {
    int32_t position = communicator.only(i);
    if (position < 0 || position >= size)
      return fault("communicator '", communicator.name(), "': `only` has ",
                   position, ", axis '", communicator.axes(0), "' has 0..",
                   size - 1);
    if (i > 0 && communicator.only(i - 1) >= position)
      return fault("communicator '", communicator.name(),
                   "': `only` must ascend, found ", communicator.only(i - 1),
                   " before ", position);
  }
  return absl::OkStatus();
}

absl::Status checkCommunicators(const plan::Plan &plan, const Mesh &mesh) {
  std::set<std::string> names;
  for (const plan::Communicator &communicator : plan.communicators()) {
    if (!names.insert(communicator.name()).second)
      return fault("communicator '", communicator.name(), "' is listed twice");
    if (communicator.axes().empty())
      return fault("communicator '", communicator.name(), "' has no axis");
    std::set<std::string> axes;
    for (const std::string &axis : communicator.axes()) {
      if (mesh.findAxis(axis) < 0)
        return fault("communicator '", communicator.name(), "': axis '", axis,
                     "' is not in the mesh");
      if (!axes.insert(axis).second)
        return fault("communicator '", communicator.name(), "': axis '", axis,
                     "' is listed twice");
    }
    if (absl::Status status = checkOnly(communicator, mesh); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status checkKernels(const plan::Plan &plan) {
  std::set<std::string> symbols;
  for (int i = 0; i < plan.kernels_size(); ++i) {
    const plan::Kernel &kernel = plan.kernels(i);
    if (kernel.symbol().empty())
      return fault("kernel ", i, " has no symbol");
    if (!symbols.insert(kernel.symbol()).second)
      return fault("kernel ", i, ": symbol '", kernel.symbol(),
                   "' is listed twice");
  }
  // Plans for other targets may be read and checked; the runtime of a target
  // refuses a plan without code for it.
  const std::string &target = plan.target().name();
  if ((target.empty() || target == "cpu") && plan.kernels_size() > 0 &&
      plan.kernel_object().empty())
    return fault("has ", plan.kernels_size(), " kernels and no kernel object");
  return absl::OkStatus();
}

/// Every stage is a member of exactly one class.
absl::Status checkMembers(const plan::Plan &plan, const Mesh &mesh) {
  int32_t stages = mesh.axisSize("pp");
  std::set<int32_t> covered;
  for (const plan::RankClass &rankClass : plan.classes()) {
    if (rankClass.members().empty())
      return fault("class '", rankClass.name(), "' has no member");
    for (const plan::Member &member : rankClass.members()) {
      if (member.stage() < 0 || member.stage() >= stages)
        return fault("class '", rankClass.name(), "': stage ", member.stage(),
                     " is not in 0..", stages - 1);
      if (!covered.insert(member.stage()).second)
        return fault("class '", rankClass.name(), "': stage ", member.stage(),
                     " is in two classes");
      if (member.first_layer() < 0)
        return fault("class '", rankClass.name(), "': stage ", member.stage(),
                     " has first layer ", member.first_layer());
    }
  }
  for (int32_t stage = 0; stage < stages; ++stage)
    if (!covered.count(stage))
      return fault("stage ", stage, " of ", stages, " is in no class");
  return absl::OkStatus();
}

/// First byte after the last slot.
Wide endOf(const plan::Buffer &buffer, const plan::Member &member) {
  return Wide{buffer.offset()} +
         Wide{buffer.slot_stride()} * (slotsOf(buffer, member) - 1) +
         buffer.bytes();
}

/// Every slot of the buffer lies in the member's arena.
absl::Status checkSlots(const plan::Buffer &buffer, const plan::Member &member,
                        const std::string &place, int64_t element) {
  uint32_t slots = slotsOf(buffer, member);
  if (slots < 1)
    return fault(place, "has 0 slots on stage ", member.stage(),
                 ", expected at least 1");
  if (slots > 1 && buffer.slot_stride() < buffer.bytes())
    return fault(place, "slot stride ", buffer.slot_stride(),
                 " is below the slot's ", buffer.bytes(), " bytes");
  if (buffer.offset() % element ||
      (slots > 1 && buffer.slot_stride() % element))
    return fault(place, "offset ", buffer.offset(), " and slot stride ",
                 buffer.slot_stride(), " must be multiples of ", element);
  if (endOf(buffer, member) > member.arena_bytes())
    return fault(place, "offset ", buffer.offset(), " + ", slots - 1, " * ",
                 buffer.slot_stride(), " + ", buffer.bytes(),
                 " bytes end beyond the arena of ", member.arena_bytes(),
                 " on stage ", member.stage());
  return absl::OkStatus();
}

absl::Status checkBuffer(const plan::RankClass &rankClass, int number) {
  const plan::Buffer &buffer = rankClass.buffers(number);
  std::string place = absl::StrCat("class '", rankClass.name(), "', buffer ",
                                   number, " '", buffer.name(), "': ");
  if (buffer.kind() == plan::Buffer::KIND_UNSPECIFIED ||
      !plan::Buffer::Kind_IsValid(buffer.kind()))
    return fault(place, "kind ", buffer.kind(), " is not known");
  int64_t element = elementBytes(buffer.type());
  if (element == 0)
    return fault(place, "element type ", elementName(buffer.type()),
                 " is not known");
  for (const plan::Member &member : rankClass.members())
    if (absl::Status status = checkSlots(buffer, member, place, element);
        !status.ok())
      return status;
  Wide needed = element;
  for (int64_t size : buffer.shape()) {
    if (size < 1)
      return fault(place, "shape [", absl::StrJoin(buffer.shape(), ", "),
                   "] has a size below 1");
    needed *= static_cast<uint64_t>(size);
    if (needed > buffer.bytes())
      return fault(place, "shape [", absl::StrJoin(buffer.shape(), ", "),
                   "] of ", elementName(buffer.type()), " exceeds its ",
                   buffer.bytes(), " bytes");
  }
  return absl::OkStatus();
}

/// Bytes [begin, end) of the arena that one slot of a buffer takes, or several
/// slots without gaps.
struct Range {
  uint64_t begin, end;
  int buffer;
};

/// Ranges of one member beyond which a plan is refused: a hundred times what
/// large models need, and little enough to sort.
constexpr uint64_t kMaxRanges = uint64_t{1} << 22;

/// All ranges that a member's buffers take, by their begin.
absl::StatusOr<std::vector<Range>> rangesOf(const plan::RankClass &rankClass,
                                            const plan::Member &member) {
  std::vector<Range> ranges;
  for (int i = 0; i < rankClass.buffers_size(); ++i) {
    const plan::Buffer &buffer = rankClass.buffers(i);
    if (buffer.bytes() == 0)
      continue;
    uint64_t slots = slotsOf(buffer, member), bytes = buffer.bytes();
    if (buffer.slot_stride() == bytes) {
      bytes *= slots;
      slots = 1;
    }
    if (slots > kMaxRanges - ranges.size())
      return fault("class '", rankClass.name(), "': stage ", member.stage(),
                   " has more than ", kMaxRanges, " slots up to buffer ", i,
                   " '", buffer.name(), "' with ", slots);
    for (uint64_t slot = 0; slot < slots; ++slot) {
      const uint64_t begin = buffer.offset() + slot * buffer.slot_stride();
      ranges.push_back({begin, begin + bytes, i});
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) {
    return std::pair(a.begin, a.buffer) < std::pair(b.begin, b.buffer);
  });
  return ranges;
}

/// Work buffers may share their place; nothing may lie over a slot of any
/// other buffer, whose content is used by the host, by a later program or by
/// another rank. Expects slots inside the arena (checkSlots).
absl::Status checkOverlap(const plan::RankClass &rankClass,
                          const plan::Member &member) {
  absl::StatusOr<std::vector<Range>> ranges = rangesOf(rankClass, member);
  if (!ranges.ok())
    return ranges.status();
  // Of the ranges before, those that reach furthest: of all and of the kept.
  const Range *furthest = nullptr, *furthestKept = nullptr;
  for (const Range &range : *ranges) {
    const plan::Buffer &buffer = rankClass.buffers(range.buffer);
    const bool kept = buffer.kind() != plan::Buffer::WORK;
    const Range *before = kept ? furthest : furthestKept;
    if (before && before->end > range.begin)
      return fault("class '", rankClass.name(), "': buffer ", range.buffer,
                   " '", buffer.name(), "' at ", range.begin,
                   " lies over buffer ", before->buffer, " '",
                   rankClass.buffers(before->buffer).name(), "' at ",
                   before->begin, " on stage ", member.stage(),
                   ", and one of them must keep its content");
    if (!furthest || range.end > furthest->end)
      furthest = &range;
    if (kept)
      furthestKept = &range;
  }
  return absl::OkStatus();
}

absl::Status checkClass(const plan::RankClass &rankClass) {
  for (int i = 0; i < rankClass.buffers_size(); ++i)
    if (absl::Status status = checkBuffer(rankClass, i); !status.ok())
      return status;
  std::set<std::string> scalars;
  for (const plan::Buffer &buffer : rankClass.buffers()) {
    if (buffer.kind() != plan::Buffer::SCALAR)
      continue;
    if (!scalars.insert(buffer.name()).second)
      return fault("class '", rankClass.name(), "': scalar '", buffer.name(),
                   "' is listed twice");
    if (buffer.type() != plan::F32 && buffer.type() != plan::F64 &&
        buffer.type() != plan::I32)
      return fault("class '", rankClass.name(), "': scalar '", buffer.name(),
                   "' has element type ", elementName(buffer.type()),
                   ", expected F32, F64 or I32");
    if (buffer.slots() != 1 ||
        buffer.bytes() < static_cast<uint64_t>(elementBytes(buffer.type())))
      return fault("class '", rankClass.name(), "': scalar '", buffer.name(),
                   "' must have one slot and one element, found ",
                   buffer.slots(), " slots of ", buffer.bytes(), " bytes");
  }
  for (const plan::Member &member : rankClass.members())
    if (absl::Status status = checkOverlap(rankClass, member); !status.ok())
      return status;
  return absl::OkStatus();
}

} // namespace

absl::Status checkStructure(const plan::Plan &plan, const Mesh &mesh) {
  if (absl::Status status = checkCommunicators(plan, mesh); !status.ok())
    return status;
  if (absl::Status status = checkKernels(plan); !status.ok())
    return status;
  if (absl::Status status = checkMembers(plan, mesh); !status.ok())
    return status;
  std::set<std::string> names;
  for (const plan::RankClass &rankClass : plan.classes()) {
    if (!names.insert(rankClass.name()).second)
      return fault("class '", rankClass.name(), "' is listed twice");
    if (absl::Status status = checkClass(rankClass); !status.ok())
      return status;
    if (absl::Status status = checkParameters(rankClass, mesh); !status.ok())
      return status;
  }
  return checkOwnership(plan);
}

} // namespace orrery::runtime
