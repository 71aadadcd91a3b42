// Packing and unpacking around flat collectives.
#include "runtime/comm/DimensionCollective.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

#include <cstring>

namespace orrery::runtime {
namespace {

int64_t product(std::span<const int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    result *= size;
  return result;
}

} // namespace

void DimensionCollective::Interleave::pack(const std::byte *in,
                                           std::byte *out) const {
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t row = 0; row < outer; ++row)
      std::memcpy(out + (part * outer + row) * run,
                  in + (row * parts + part) * run, run);
}

void DimensionCollective::Interleave::unpack(const std::byte *in,
                                             std::byte *out) const {
  for (int64_t row = 0; row < outer; ++row)
    for (int64_t part = 0; part < parts; ++part)
      std::memcpy(out + (row * parts + part) * run,
                  in + (part * outer + row) * run, run);
}

absl::Status DimensionCollective::create(Kind kind, Reduction reduction,
                                         plan::ElementType type,
                                         std::span<const int64_t> shape,
                                         int dimension, int concatDimension,
                                         int members,
                                         DimensionCollective &out) {
  out = DimensionCollective();
  Steps &todo = out.todo;
  todo.kind = kind;
  todo.reduction = reduction;
  todo.type = type;
  const int64_t bytes = elementBytes(type);
  const int64_t elements = product(shape);
  todo.count = elements;
  if (kind == Kind::AllReduce)
    return absl::OkStatus();
  const int rank = static_cast<int>(shape.size());
  const bool all = kind == Kind::AllToAll;
  if (dimension < 0 || dimension >= rank ||
      (all && (concatDimension < 0 || concatDimension >= rank)))
    return absl::InvalidArgumentError(
        absl::StrCat("collective along dimension ", dimension,
                     all ? absl::StrCat(" and ", concatDimension) : "",
                     " of a tensor with ", rank, " dimensions"));
  const int64_t size = shape[dimension];
  if (kind != Kind::AllGather && size % members != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("dimension ", dimension, " of size ", size,
                     " does not divide evenly over ", members, " members"));
  if (kind == Kind::AllGather) {
    const int64_t outer = product(shape.first(dimension));
    todo.after = {outer, elements / outer * bytes, members};
  } else {
    todo.count = elements / members;
    const int64_t outer = product(shape.first(dimension));
    todo.before = {outer, todo.count / outer * bytes, members};
  }
  if (all) {
    std::vector<int64_t> block(shape.begin(), shape.end());
    block[dimension] /= members;
    const int64_t outer =
        product(std::span<const int64_t>(block).first(concatDimension));
    todo.after = {outer, todo.count / outer * bytes, members};
  }
  return absl::OkStatus();
}

absl::Status DimensionCollective::spread(int64_t distance) {
  if (todo.kind != Kind::AllGather || todo.after.outer != 1)
    return absl::InvalidArgumentError(
        "only parts of an all-gather along dimension 0 may lie apart");
  if (distance < todo.count)
    return absl::InvalidArgumentError(
        absl::StrCat("parts of ", todo.count, " elements overlap ", distance,
                     " elements apart"));
  todo.distance = distance == todo.count ? 0 : distance;
  return absl::OkStatus();
}

absl::Status DimensionCollective::run(Communicator &group, const void *in,
                                      void *out, void *scratchMemory) const {
  const auto &[kind, reduction, type, count, before, after, distance] = todo;
  if (kind == Kind::AllReduce)
    return group.allReduce(in, out, count, type, reduction);
  std::byte *memory = static_cast<std::byte *>(scratchMemory);
  const void *from = in;
  void *to = out;
  if (before.needed()) {
    before.pack(static_cast<const std::byte *>(in), memory);
    from = memory;
    memory += before.bytes();
  }
  if (after.needed() || distance)
    to = memory;
  absl::Status status;
  switch (kind) {
  case Kind::AllGather:
    status = group.allGather(from, to, count, type);
    break;
  case Kind::ReduceScatter:
    status = group.reduceScatter(from, to, count, type, reduction);
    break;
  case Kind::AllToAll:
    status = group.allToAll(from, to, count, type);
    break;
  case Kind::AllReduce:
    break;
  }
  if (status.ok() && after.needed())
    after.unpack(memory, static_cast<std::byte *>(out));
  if (status.ok() && distance)
    for (int64_t part = 0; part < after.parts; ++part)
      std::memcpy(static_cast<std::byte *>(out) +
                      part * distance * elementBytes(type),
                  memory + part * after.run, after.run);
  return status;
}

} // namespace orrery::runtime
