// Views, indices and types of a plan at one rank.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_PREPAREOPERANDS_H
#define ORRERY_RUNTIME_DEVICE_CPU_PREPAREOPERANDS_H

#include "runtime/device/cpu/Prepare.h"

#include <span>

namespace orrery::runtime {

inline kernels::ElementType kernelType(const plan::View &view) {
  return static_cast<kernels::ElementType>(view.type());
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

SlotAddress addressOf(const plan::View &view, const PrepareContext &context);

IndexValue indexOf(const plan::Index &index, const PrepareContext &context);

/// The copy between two views of one shape.
absl::StatusOr<kernels::CopyPlan> copyBetween(const plan::View &in,
                                              const plan::View &out);

/// Unimplemented unless the elements lie without gaps in row-major order.
absl::Status checkContiguous(const plan::View &view, const char *operand);

/// A view [s, b, n, d] with unit stride along d.
absl::Status attentionTensor(const plan::View &view, const char *operand,
                             kernels::AttentionTensor &out);

absl::StatusOr<PreparedAttention> prepareAttention(const plan::Attention &op,
                                                   PrepareContext &context);
absl::StatusOr<PreparedAttentionGrad>
prepareAttentionGrad(const plan::AttentionGrad &op, PrepareContext &context);

absl::StatusOr<PreparedCollective> prepareCollective(const plan::Collective &op,
                                                     PrepareContext &context);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_PREPAREOPERANDS_H
