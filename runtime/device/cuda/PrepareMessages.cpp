// Collectives, and transfers between stages.
#include "absl/strings/str_cat.h"
#include "runtime/comm/nccl/DeviceCollective.h"
#include "runtime/device/GatheredRows.h"
#include "runtime/device/cuda/Prepare.h"

namespace orrery::runtime::cuda {
namespace {

DeviceCollective::Kind kindOf(plan::Collective::Op op) {
  switch (op) {
  case plan::Collective::ALL_GATHER:
    return DeviceCollective::Kind::AllGather;
  case plan::Collective::REDUCE_SCATTER:
    return DeviceCollective::Kind::ReduceScatter;
  case plan::Collective::ALL_TO_ALL:
    return DeviceCollective::Kind::AllToAll;
  default:
    return DeviceCollective::Kind::AllReduce;
  }
}

// Own part of a dimension: a copy from an offset.
Prepared prepareSlice(const plan::Collective &op, int member,
                      PrepareContext &context) {
  plan::Copy copy;
  *copy.mutable_in() = op.in();
  *copy.mutable_out() = op.out();
  copy.mutable_in()->mutable_shape()->CopyFrom(op.out().shape());
  const int64_t skipped = member * op.out().shape(op.dimension()) *
                          op.in().strides(op.dimension()) *
                          elementBytes(op.in().type());
  copy.mutable_in()->set_offset(op.in().offset() +
                                static_cast<uint64_t>(skipped));
  return prepareCopy(copy, context);
}

} // namespace

Prepared prepareCollective(const plan::Collective &op,
                           PrepareContext &context) {
  const std::optional<DeviceGroup> &group = context.groups[op.communicator()];
  if (!group)
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", context.rank.rank,
                     " is in no group of communicator ", op.communicator()));
  if (op.op() == plan::Collective::ALL_SLICE)
    return prepareSlice(op, group->rank(), context);
  const CollectiveOutput output = outputOf(op);
  for (auto [view, name] : {std::pair(&op.in(), "in"), {&output.part, "out"}})
    if (absl::Status status = checkContiguous(*view, name); !status.ok())
      return status;
  DeviceCollective collective;
  absl::Status status = DeviceCollective::create(
      *group, kindOf(op.op()),
      op.reduction() == plan::Collective::MAX ? Reduction::Max : Reduction::Sum,
      op.in().type(), shapeOf(op.in()), op.dimension(), op.concat_dimension(),
      collective);
  if (status.ok() && output.distance)
    status = collective.spread(output.distance);
  if (!status.ok())
    return status;
  context.calls.push_back(collective.call());
  return makeOperation(collective.scratchBytes(),
                       [collective, in = context.place(op.in()),
                        out = context.place(op.out())](const Site &site) {
                         return collective.run(
                             in.in(site.arena, site.microbatch),
                             out.in(site.arena, site.microbatch), site.scratch,
                             site.stream);
                       });
}

Prepared prepareTransfer(const plan::Transfer &op, bool send,
                         PrepareContext &context) {
  if (absl::Status status = checkContiguous(op.view(), "view"); !status.ok())
    return status;
  const PeerChannel &channel =
      context.channels[context.lanes.channelOf(op, send)];
  const int64_t bytes = elementsOf(op.view()) * elementBytes(op.view().type());
  return makeOperation(
      0,
      [=, place = context.place(op.view())](const Site &site) -> absl::Status {
        std::byte *memory = place.in(site.arena, site.microbatch);
        return send ? channel.send(memory, bytes, site.stream)
                    : channel.receive(memory, bytes, site.stream);
      });
}

} // namespace orrery::runtime::cuda
