// Collectives over device memory.
#include "runtime/comm/nccl/DeviceGroup.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

namespace orrery::runtime {
namespace {

ncclRedOp_t operation(Reduction reduction) {
  return reduction == Reduction::Sum ? ncclSum : ncclMax;
}

absl::Status ncclType(plan::ElementType type, ncclDataType_t &out) {
  switch (type) {
  case plan::F32:
    out = ncclFloat32;
    return absl::OkStatus();
  case plan::F16:
    out = ncclFloat16;
    return absl::OkStatus();
  case plan::BF16:
    out = ncclBfloat16;
    return absl::OkStatus();
  case plan::F64:
    out = ncclFloat64;
    return absl::OkStatus();
  case plan::I32:
    out = ncclInt32;
    return absl::OkStatus();
  case plan::I64:
    out = ncclInt64;
    return absl::OkStatus();
  default:
    return absl::InvalidArgumentError(
        absl::StrCat("no collective has elements of type ", elementName(type)));
  }
}

} // namespace

absl::Status DeviceGroup::check(ncclResult_t result,
                                absl::string_view call) const {
  return nccl->toStatus(result, call, label, self, members, handle);
}

absl::Status DeviceGroup::copy(const void *in, void *out, int64_t count,
                               plan::ElementType type,
                               cudaStream_t stream) const {
  if (in == out)
    return absl::OkStatus();
  const int64_t bytes = count * elementBytes(type);
  cudaError_t error =
      cudaMemcpyAsync(out, in, bytes, cudaMemcpyDeviceToDevice, stream);
  if (error != cudaSuccess)
    return absl::InternalError(absl::StrCat("copying ", bytes,
                                            " bytes within group '", label,
                                            "': ", cudaGetErrorString(error)));
  return absl::OkStatus();
}

absl::Status DeviceGroup::allReduce(const void *in, void *out, int64_t count,
                                    plan::ElementType type, Reduction reduction,
                                    cudaStream_t stream) const {
  ncclDataType_t elements;
  if (absl::Status status = ncclType(type, elements); !status.ok())
    return status;
  if (count == 0)
    return absl::OkStatus();
  if (members == 1)
    return copy(in, out, count, type, stream);
  return check(nccl->allReduce(in, out, count, elements, operation(reduction),
                               handle, stream),
               "ncclAllReduce");
}

absl::Status DeviceGroup::allGather(const void *in, void *out, int64_t count,
                                    plan::ElementType type,
                                    cudaStream_t stream) const {
  ncclDataType_t elements;
  if (absl::Status status = ncclType(type, elements); !status.ok())
    return status;
  if (count == 0)
    return absl::OkStatus();
  if (members == 1)
    return copy(in, out, count, type, stream);
  if (peers)
    return exchange(in, 0, out, count, count, type, stream);
  return check(nccl->allGather(in, out, count, elements, handle, stream),
               "ncclAllGather");
}

absl::Status DeviceGroup::reduceScatter(const void *in, void *out,
                                        int64_t count, plan::ElementType type,
                                        Reduction reduction,
                                        cudaStream_t stream) const {
  ncclDataType_t elements;
  if (absl::Status status = ncclType(type, elements); !status.ok())
    return status;
  if (count == 0)
    return absl::OkStatus();
  if (members == 1)
    return copy(in, out, count, type, stream);
  if (peers)
    return peers->reduceScatter(
        static_cast<std::byte *>(const_cast<void *>(in)),
        static_cast<std::byte *>(out), count, type, reduction, stream);
  return check(nccl->reduceScatter(in, out, count, elements,
                                   operation(reduction), handle, stream),
               "ncclReduceScatter");
}

absl::Status DeviceGroup::exchange(const void *in, int64_t inDistance,
                                   void *out, int64_t outDistance,
                                   int64_t count, plan::ElementType type,
                                   cudaStream_t stream) const {
  ncclDataType_t elements;
  if (absl::Status status = ncclType(type, elements); !status.ok())
    return status;
  if (count == 0)
    return absl::OkStatus();
  if (members == 1)
    return copy(in, out, count, type, stream);
  const int64_t bytes = elementBytes(type);
  if (peers)
    return peers->exchange(static_cast<const std::byte *>(in),
                           inDistance * bytes, static_cast<std::byte *>(out),
                           outDistance * bytes, count * bytes, stream);
  if (absl::Status status = check(nccl->groupStart(), "ncclGroupStart");
      !status.ok())
    return status;
  // An open group must be ended whatever happens inside.
  absl::Status inside;
  for (int m = 0; m < members && inside.ok(); ++m) {
    const std::byte *from =
        static_cast<const std::byte *>(in) + m * inDistance * bytes;
    std::byte *to = static_cast<std::byte *>(out) + m * outDistance * bytes;
    if (from == to)
      continue; // the own part, in place
    inside =
        check(nccl->send(from, count, elements, m, handle, stream), "ncclSend");
    if (inside.ok())
      inside =
          check(nccl->recv(to, count, elements, m, handle, stream), "ncclRecv");
  }
  absl::Status ended = check(nccl->groupEnd(), "ncclGroupEnd");
  return inside.ok() ? ended : inside;
}

absl::Status DeviceGroup::allGatherApart(const void *in, void *out,
                                         int64_t count, int64_t distance,
                                         plan::ElementType type,
                                         cudaStream_t stream) const {
  return exchange(in, 0, out, distance, count, type, stream);
}

absl::Status DeviceGroup::allToAll(const void *in, void *out, int64_t count,
                                   plan::ElementType type,
                                   cudaStream_t stream) const {
  return exchange(in, count, out, count, count, type, stream);
}

} // namespace orrery::runtime
