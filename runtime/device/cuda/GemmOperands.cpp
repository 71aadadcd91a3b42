// Random operands of a matrix product in one allocation.
#include "runtime/device/cuda/GemmOperands.h"

#include "kernels/cuda/RandomFill.h"

#include <cstddef>

namespace orrery::runtime::cuda {
namespace {

constexpr int64_t kAllSets = int64_t(128) << 20; // more than any cache
constexpr int64_t kMostSets = 16;

int64_t rounded(int64_t bytes) { return (bytes + 255) / 256 * 256; }

// An operand of a set, at `offset` from the set's start.
struct Part {
  kernels::ElementType type;
  int64_t elements, offset;
};

struct Layout {
  int64_t bytes = 0; // the parts' initialisers add to it
  Part a, b, c, bias, aux;

  explicit Layout(const GemmProblem &p)
      : a(part(p.type, p.extentA(), p.alignA)),
        b(part(p.type, p.extentB(), p.alignB)),
        c(part(p.typeC, p.extentC(), p.alignC)),
        bias(part(p.typeC, p.hasBias() ? p.n : 0, p.alignBias)),
        aux(part(p.typeC, p.hasAux() ? p.extentC() : 0, p.alignAux)) {}

private:
  Part part(kernels::ElementType type, int64_t elements, int64_t alignment) {
    Part part = {type, elements, bytes + alignment % 16};
    bytes += rounded(elements * kernels::elementBytes(type) + alignment % 16);
    return part;
  }
};

} // namespace

absl::StatusOr<GemmOperands> GemmOperands::create(const GemmProblem &problem,
                                                  int64_t workspaceBytes,
                                                  cudaStream_t stream) {
  const Layout layout(problem);
  size_t free = 0, total = 0;
  if (cudaError_t error = cudaMemGetInfo(&free, &total); error != cudaSuccess)
    return toStatus(error, "memory for tuning matrix products");
  int64_t count = std::min(kAllSets / layout.bytes + 1, kMostSets);
  if (count * layout.bytes > static_cast<int64_t>(free / 2))
    count = 1;
  const int64_t first = rounded(workspaceBytes);
  absl::StatusOr<DeviceMemory> memory =
      allocateDevice(first + count * layout.bytes, "tuning matrix products");
  if (!memory.ok())
    return memory.status();
  GemmOperands operands;
  operands.memory = std::move(*memory);
  operands.workspaceSize = workspaceBytes;
  std::byte *at = static_cast<std::byte *>(operands.memory.get()) + first;
  uint64_t seed = 1;
  absl::Status status;
  for (int64_t i = 0; i < count; ++i, at += layout.bytes) {
    auto fill = [&](const Part &part) -> void * {
      void *to = at + part.offset;
      status.Update(toStatus(kernels::cuda::fillRandom(
                                 part.type, to, part.elements, seed++, stream),
                             "fill random operands"));
      return part.elements > 0 ? to : nullptr;
    };
    GemmPointers &set = operands.sets.emplace_back();
    set.a = fill(layout.a);
    set.b = fill(layout.b);
    set.c = fill(layout.c);
    set.bias = fill(layout.bias);
    set.aux = fill(layout.aux);
  }
  if (!status.ok())
    return status;
  return operands;
}

} // namespace orrery::runtime::cuda
