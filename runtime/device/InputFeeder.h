// Microbatches from the data loader into a rank's INPUT buffers.
#ifndef ORRERY_RUNTIME_DEVICE_INPUTFEEDER_H
#define ORRERY_RUNTIME_DEVICE_INPUTFEEDER_H

#include "absl/status/statusor.h"
#include "runtime/device/Device.h"
#include "runtime/device/SlotAddress.h"
#include "runtime/plan/RankPlan.h"

#include <vector>

namespace orrery::runtime {

/// Knows where tokens, labels, position_ids, document_start and loss_mask of a
/// class lie; what the class does not have is read and dropped.
class InputFeeder {
public:
  /// InvalidArgument for an INPUT buffer of another name or size.
  static absl::StatusOr<InputFeeder> create(const RankPlan &rank,
                                            std::byte *arena);

  /// Whether the class has any INPUT buffer.
  bool needed() const { return elements > 0; }
  absl::Status fill(int64_t microbatch, const BatchReader &reader);

private:
  enum { kTokens, kLabels, kPositionIds, kDocumentStart, kLossMask, kTensors };

  int64_t elements = 0; // of each tensor: sequence * micro batch
  SlotAddress addresses[kTensors];
  std::vector<std::byte> dropped[kTensors];
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_INPUTFEEDER_H
