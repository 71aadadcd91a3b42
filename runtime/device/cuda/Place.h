// Where operands lie, as offsets: programs are prepared before the arena
// exists.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_PLACE_H
#define ORRERY_RUNTIME_DEVICE_CUDA_PLACE_H

#include "absl/container/inlined_vector.h"
#include "runtime/plan/ElementType.h"
#include "runtime/plan/RankPlan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace orrery::runtime::cuda {

/// Offset in the arena of a view, for a microbatch: buffers that exist per
/// microbatch in flight take slot microbatch % slots.
struct Place {
  int64_t offset = 0;
  int64_t stride = 0;
  int64_t slots = 1;

  int64_t at(int64_t microbatch) const {
    return offset + (microbatch % slots) * stride;
  }
  /// By way of an integer: an address without an arena is asked for, too.
  std::byte *in(std::byte *arena, int64_t microbatch) const {
    return reinterpret_cast<std::byte *>(
        reinterpret_cast<uintptr_t>(arena) +
        static_cast<uintptr_t>(at(microbatch)));
  }
};

inline Place placeOf(const plan::View &view, const RankPlan &rank) {
  const plan::Buffer &buffer =
      rank.rankClass->buffers(static_cast<int>(view.buffer()));
  return {static_cast<int64_t>(buffer.offset() + view.offset()),
          static_cast<int64_t>(buffer.slot_stride()),
          static_cast<int64_t>(slotsOf(buffer, *rank.member))};
}

inline std::span<const int64_t> shapeOf(const plan::View &view) {
  return {view.shape().data(), static_cast<size_t>(view.shape_size())};
}

inline std::span<const int64_t> stridesOf(const plan::View &view) {
  return {view.strides().data(), static_cast<size_t>(view.strides_size())};
}

inline int64_t elementsOf(const plan::View &view) {
  int64_t count = 1;
  for (int64_t size : view.shape())
    count *= size;
  return count;
}

/// Bytes relative to a view's start that lie between its first and its last
/// element, [begin, end): of [2, 3] F32 with strides [8, 2]: [0, 52). Empty for
/// a view without elements.
struct ByteExtent {
  int64_t begin = 0, end = 0;
};

inline ByteExtent extentOf(const plan::View &view) {
  const int64_t bytes = elementBytes(view.type());
  ByteExtent extent{0, bytes};
  for (int d = 0; d < view.shape_size(); ++d) {
    if (view.shape(d) == 0)
      return {};
    const int64_t reach = (view.shape(d) - 1) * view.strides(d) * bytes;
    extent.begin += std::min<int64_t>(reach, 0);
    extent.end += std::max<int64_t>(reach, 0);
  }
  return extent;
}

/// What a view touches, relative to its start: its extent, but where the
/// outermost dimension has gaps, one extent for each of its (at most 64)
/// positions. [2, 3] F32 with strides [8, 1]: [0, 12) and [32, 44).
inline absl::InlinedVector<ByteExtent, 8> extentsOf(const plan::View &view) {
  constexpr int64_t kMost = 64;
  const ByteExtent whole = extentOf(view);
  int outer = 0;
  while (outer < view.shape_size() && view.shape(outer) == 1)
    ++outer;
  if (outer == view.shape_size() || view.shape(outer) > kMost)
    return {whole};
  const int64_t positions = view.shape(outer);
  const int64_t step = view.strides(outer) * elementBytes(view.type());
  const int64_t inner = whole.end - whole.begin - (positions - 1) * step;
  if (whole.begin != 0 || inner <= 0 || step <= inner)
    return {whole};
  absl::InlinedVector<ByteExtent, 8> extents;
  for (int64_t i = 0; i < positions; ++i)
    extents.push_back({i * step, i * step + inner});
  return extents;
}

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_PLACE_H
