// Where operands lie and what indices are for a microbatch.
#ifndef ORRERY_RUNTIME_DEVICE_SLOTADDRESS_H
#define ORRERY_RUNTIME_DEVICE_SLOTADDRESS_H

#include <cstddef>
#include <cstdint>

namespace orrery::runtime {

/// Where a view lies for a microbatch: buffers that exist per microbatch in
/// flight take slot microbatch % slots.
struct SlotAddress {
  std::byte *base = nullptr;
  int64_t stride = 0;
  int64_t slots = 1;

  std::byte *at(int64_t microbatch) const {
    return base + (microbatch % slots) * stride;
  }
};

/// plan::Index at this rank's coordinate.
struct IndexValue {
  int64_t constant = 0;
  int64_t perMicrobatch = 0;

  int64_t at(int64_t microbatch) const {
    return constant + microbatch * perMicrobatch;
  }
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_SLOTADDRESS_H
