// Formatting of numbers, bytes and shapes.
#include "tools/orrery-plan/Units.h"

#include <fmt/format.h>

#include <array>

using namespace orrery;

std::string orrery::grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (int i = static_cast<int>(text.size()) - 3; i > (number < 0); i -= 3)
    text.insert(static_cast<size_t>(i), 1, ',');
  return text;
}

std::string orrery::bytesText(double bytes) {
  static constexpr std::array<const char *, 5> units = {"B", "KiB", "MiB",
                                                        "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit)
    bytes /= 1024;
  return unit ? fmt::format("{:.2f} {}", bytes, units[unit])
              : fmt::format("{:.0f} B", bytes);
}

std::string orrery::flopsText(double flops) {
  static constexpr std::array<const char *, 7> units = {
      "FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  size_t unit = 0;
  for (; flops >= 1000 && unit + 1 < units.size(); ++unit)
    flops /= 1000;
  return unit ? fmt::format("{:.2f} {}", flops, units[unit])
              : fmt::format("{:.0f} FLOP", flops);
}

std::string
orrery::shapeText(const google::protobuf::RepeatedField<int64_t> &shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string orrery::shardedShapeText(const plan::Parameter &parameter) {
  std::string text;
  for (int d = 0; d < parameter.global_shape_size(); ++d) {
    text += (d ? ", " : "") + std::to_string(parameter.global_shape(d));
    if (d < parameter.sharding_size())
      for (const std::string &axis : parameter.sharding(d).axes())
        text += "/" + axis;
  }
  return "[" + text + "]";
}

std::string orrery::axesText(const plan::Communicator &communicator) {
  std::string text = fmt::format("{}", fmt::join(communicator.axes(), "+"));
  if (communicator.only_size())
    text += fmt::format("{{{}}}", fmt::join(communicator.only(), ","));
  return text;
}
