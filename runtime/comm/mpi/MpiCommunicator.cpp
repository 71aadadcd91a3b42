// Collectives and messages over MPI, cut where a count exceeds an int.
#include "runtime/comm/mpi/MpiCommunicator.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/mpi/MpiStatus.h"
#include "runtime/plan/ElementType.h"

#include <algorithm>

namespace orrery::runtime {
namespace {

MPI_Op operation(Reduction reduction) {
  return reduction == Reduction::Sum ? MPI_SUM : MPI_MAX;
}

// A type of `bytes` bytes whose consecutive elements start `extent` apart: one
// slice of what a member gives or gets.
class SliceType {
public:
  SliceType(int64_t bytes, int64_t extent) {
    MPI_Datatype whole;
    code = MPI_Type_contiguous(static_cast<int>(bytes), MPI_BYTE, &whole);
    if (code != MPI_SUCCESS)
      return;
    code = MPI_Type_create_resized(whole, 0, extent, &type);
    int freed = MPI_Type_free(&whole);
    code = code == MPI_SUCCESS ? freed : code;
    if (code == MPI_SUCCESS)
      code = MPI_Type_commit(&type);
  }
  ~SliceType() {
    // Fails only for a type that does not exist.
    if (type != MPI_DATATYPE_NULL)
      MPI_Type_free(&type);
  }
  SliceType(const SliceType &) = delete;
  SliceType &operator=(const SliceType &) = delete;

  int code = MPI_SUCCESS;
  MPI_Datatype type = MPI_DATATYPE_NULL;
};

} // namespace

MpiCommunicator::MpiCommunicator(std::string name, MPI_Comm handle,
                                 int64_t countLimit)
    : label(std::move(name)), handle(handle), limit(countLimit) {
  MPI_Comm_rank(handle, &self);
  MPI_Comm_size(handle, &members);
}

MpiCommunicator::~MpiCommunicator() {
  if (handle != MPI_COMM_WORLD)
    MPI_Comm_free(&handle);
}

absl::Status MpiCommunicator::check(int code, std::string_view call) const {
  return toStatus(code, call, label, self, members);
}

absl::Status MpiCommunicator::basicType(plan::ElementType type,
                                        MPI_Datatype &out) const {
  switch (type) {
  case plan::F32:
    out = MPI_FLOAT;
    return absl::OkStatus();
  case plan::F64:
    out = MPI_DOUBLE;
    return absl::OkStatus();
  case plan::I32:
    out = MPI_INT32_T;
    return absl::OkStatus();
  default:
    return absl::UnimplementedError(absl::StrCat("communicator '", label,
                                                 "' reduces F32, F64 and I32, ",
                                                 "not ", elementName(type)));
  }
}

absl::Status MpiCommunicator::allReduce(const void *in, void *out,
                                        int64_t count, plan::ElementType type,
                                        Reduction reduction) {
  MPI_Datatype basic;
  if (absl::Status status = basicType(type, basic); !status.ok())
    return status;
  const int64_t bytes = elementBytes(type);
  for (int64_t first = 0; first < count; first += limit) {
    const int part = static_cast<int>(std::min(limit, count - first));
    std::byte *to = static_cast<std::byte *>(out) + first * bytes;
    const void *from = in == out
                           ? MPI_IN_PLACE
                           : static_cast<const std::byte *>(in) + first * bytes;
    int code =
        MPI_Allreduce(from, to, part, basic, operation(reduction), handle);
    if (code != MPI_SUCCESS)
      return check(code, "MPI_Allreduce");
  }
  return absl::OkStatus();
}

absl::Status MpiCommunicator::exchange(const void *in, void *out, int64_t bytes,
                                       bool gather) {
  for (int64_t first = 0; first < bytes; first += limit) {
    const int64_t part = std::min(limit, bytes - first);
    SliceType slice(part, bytes);
    if (slice.code != MPI_SUCCESS)
      return check(slice.code, "MPI_Type_commit");
    const std::byte *from = static_cast<const std::byte *>(in) + first;
    std::byte *to = static_cast<std::byte *>(out) + first;
    int code =
        gather ? MPI_Allgather(from, 1, slice.type, to, 1, slice.type, handle)
               : MPI_Alltoall(from, 1, slice.type, to, 1, slice.type, handle);
    if (code != MPI_SUCCESS)
      return check(code, gather ? "MPI_Allgather" : "MPI_Alltoall");
  }
  return absl::OkStatus();
}

absl::Status MpiCommunicator::allGather(const void *in, void *out,
                                        int64_t count, plan::ElementType type) {
  const int64_t bytes = count * elementBytes(type);
  if (bytes > limit)
    return exchange(in, out, bytes, true);
  return check(MPI_Allgather(in, static_cast<int>(bytes), MPI_BYTE, out,
                             static_cast<int>(bytes), MPI_BYTE, handle),
               "MPI_Allgather");
}

absl::Status MpiCommunicator::allToAll(const void *in, void *out, int64_t count,
                                       plan::ElementType type) {
  const int64_t bytes = count * elementBytes(type);
  if (bytes > limit)
    return exchange(in, out, bytes, false);
  return check(MPI_Alltoall(in, static_cast<int>(bytes), MPI_BYTE, out,
                            static_cast<int>(bytes), MPI_BYTE, handle),
               "MPI_Alltoall");
}

absl::Status MpiCommunicator::reduceScatter(const void *in, void *out,
                                            int64_t count,
                                            plan::ElementType type,
                                            Reduction reduction) {
  MPI_Datatype basic;
  if (absl::Status status = basicType(type, basic); !status.ok())
    return status;
  if (count * members <= limit)
    return check(MPI_Reduce_scatter_block(in, out, static_cast<int>(count),
                                          basic, operation(reduction), handle),
                 "MPI_Reduce_scatter_block");
  const int64_t bytes = elementBytes(type);
  for (int root = 0; root < members; ++root)
    for (int64_t first = 0; first < count; first += limit) {
      const int part = static_cast<int>(std::min(limit, count - first));
      int code = MPI_Reduce(static_cast<const std::byte *>(in) +
                                (root * count + first) * bytes,
                            static_cast<std::byte *>(out) + first * bytes, part,
                            basic, operation(reduction), root, handle);
      if (code != MPI_SUCCESS)
        return check(code, "MPI_Reduce");
    }
  return absl::OkStatus();
}

Communicator::Request MpiCommunicator::take() {
  for (size_t i = 0; i < pending.size(); ++i)
    if (!pending[i].used) {
      pending[i].used = true;
      pending[i].parts.clear();
      return static_cast<Request>(i);
    }
  pending.emplace_back();
  pending.back().used = true;
  return static_cast<Request>(pending.size() - 1);
}

absl::Status MpiCommunicator::isend(const void *data, int64_t bytes, int peer,
                                    int tag, Request &request) {
  request = take();
  for (int64_t first = 0; first < bytes; first += limit) {
    MPI_Request &part = pending[request].parts.emplace_back();
    int code = MPI_Isend(static_cast<const std::byte *>(data) + first,
                         static_cast<int>(std::min(limit, bytes - first)),
                         MPI_BYTE, peer, tag, handle, &part);
    if (code != MPI_SUCCESS)
      return check(code, "MPI_Isend");
  }
  return absl::OkStatus();
}

absl::Status MpiCommunicator::irecv(void *data, int64_t bytes, int peer,
                                    int tag, Request &request) {
  request = take();
  for (int64_t first = 0; first < bytes; first += limit) {
    MPI_Request &part = pending[request].parts.emplace_back();
    int code = MPI_Irecv(static_cast<std::byte *>(data) + first,
                         static_cast<int>(std::min(limit, bytes - first)),
                         MPI_BYTE, peer, tag, handle, &part);
    if (code != MPI_SUCCESS)
      return check(code, "MPI_Irecv");
  }
  return absl::OkStatus();
}

absl::Status MpiCommunicator::wait(Request request) {
  Pending &done = pending[request];
  done.used = false;
  return check(MPI_Waitall(static_cast<int>(done.parts.size()),
                           done.parts.data(), MPI_STATUSES_IGNORE),
               "MPI_Waitall");
}

absl::Status MpiCommunicator::barrier() {
  return check(MPI_Barrier(handle), "MPI_Barrier");
}

} // namespace orrery::runtime
