// Finding the INPUT buffers and filling their slots.
#include "runtime/device/InputFeeder.h"

#include "absl/strings/str_cat.h"
#include "runtime/plan/ElementType.h"

#include <algorithm>
#include <iterator>

namespace orrery::runtime {
namespace {

constexpr const char *kNames[] = {"tokens", "labels", "position_ids",
                                  "document_start", "loss_mask"};

int64_t elementsIn(const plan::Buffer &buffer) {
  int64_t count = 1;
  for (int64_t size : buffer.shape())
    count *= size;
  return count;
}

} // namespace

absl::StatusOr<InputFeeder> InputFeeder::create(const RankPlan &rank,
                                                std::byte *arena) {
  InputFeeder feeder;
  for (const plan::Buffer &buffer : rank.rankClass->buffers()) {
    if (buffer.kind() != plan::Buffer::INPUT)
      continue;
    auto found = std::find(std::begin(kNames), std::end(kNames), buffer.name());
    const int tensor = static_cast<int>(found - std::begin(kNames));
    const plan::ElementType type = tensor == kLossMask ? plan::F32 : plan::I32;
    const int64_t elements = elementsIn(buffer);
    if (tensor == kTensors || buffer.type() != type ||
        (feeder.elements && feeder.elements != elements))
      return absl::InvalidArgumentError(absl::StrCat(
          "class '", rank.rankClass->name(), "' has input '", buffer.name(),
          "' of ", elements, " x ", elementName(buffer.type()),
          "; inputs are tokens, labels, position_ids, document_start (I32) "
          "and loss_mask (F32), all of one size"));
    feeder.elements = elements;
    feeder.addresses[tensor] = {
        arena + buffer.offset(), static_cast<int64_t>(buffer.slot_stride()),
        static_cast<int64_t>(slotsOf(buffer, *rank.member))};
  }
  for (int tensor = 0; tensor < kTensors && feeder.needed(); ++tensor)
    if (!feeder.addresses[tensor].base)
      feeder.dropped[tensor].resize(feeder.elements * 4);
  return feeder;
}

absl::Status InputFeeder::fill(int64_t microbatch, const BatchReader &reader) {
  std::byte *at[kTensors];
  for (int tensor = 0; tensor < kTensors; ++tensor)
    at[tensor] = addresses[tensor].base ? addresses[tensor].at(microbatch)
                                        : dropped[tensor].data();
  auto integers = [&](int tensor) {
    return std::span<int32_t>(reinterpret_cast<int32_t *>(at[tensor]),
                              static_cast<size_t>(elements));
  };
  return reader(
      microbatch,
      BatchView{integers(kTokens), integers(kLabels), integers(kPositionIds),
                integers(kDocumentStart),
                std::span<float>(reinterpret_cast<float *>(at[kLossMask]),
                                 static_cast<size_t>(elements))});
}

} // namespace orrery::runtime
