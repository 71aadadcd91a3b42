// Setting and reading scalars in the arena.
#include "runtime/device/HostScalars.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace orrery::runtime {
namespace {

constexpr std::string_view kInputs[] = {"lr", "loss_seed", "inverse_scale",
                                        "correction1", "correction2"};

template <typename T> T loadAs(const std::byte *address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

template <typename T> void storeAs(std::byte *address, double value) {
  T converted = static_cast<T>(value);
  std::memcpy(address, &converted, sizeof(T));
}

} // namespace

HostScalars::HostScalars(const RankPlan &rank, std::byte *arena) {
  for (const plan::Buffer &buffer : rank.rankClass->buffers())
    if (buffer.kind() == plan::Buffer::SCALAR)
      scalars.push_back({buffer.name(), arena + buffer.offset(), buffer.type(),
                         buffer.bytes(),
                         std::find(std::begin(kInputs), std::end(kInputs),
                                   buffer.name()) != std::end(kInputs)});
}

void HostScalars::clearMetrics() {
  for (const Scalar &scalar : scalars)
    if (!scalar.input)
      std::memset(scalar.address, 0, scalar.bytes);
}

void HostScalars::set(std::string_view name, double value) {
  for (const Scalar &scalar : scalars)
    if (scalar.name == name) {
      if (scalar.type == plan::F64)
        storeAs<double>(scalar.address, value);
      else if (scalar.type == plan::I32)
        storeAs<int32_t>(scalar.address, value);
      else
        storeAs<float>(scalar.address, value);
    }
}

std::optional<double> HostScalars::read(std::string_view name) const {
  for (const Scalar &scalar : scalars) {
    if (scalar.name != name)
      continue;
    if (scalar.type == plan::F64)
      return loadAs<double>(scalar.address);
    if (scalar.type == plan::I32)
      return loadAs<int32_t>(scalar.address);
    return loadAs<float>(scalar.address);
  }
  return std::nullopt;
}

} // namespace orrery::runtime
