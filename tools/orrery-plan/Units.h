// Numbers, bytes, work and shapes as text for people.
#ifndef ORRERY_TOOLS_ORRERY_PLAN_UNITS_H
#define ORRERY_TOOLS_ORRERY_PLAN_UNITS_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <string>

namespace orrery {

/// 1234567 → "1,234,567".
std::string grouped(int64_t number);

/// 512 → "512 B", 1536 → "1.50 KiB", 3 << 30 → "3.00 GiB".
std::string bytesText(double bytes);

/// 2500000 → "2.50 MFLOP"; k, M, G, T, P, E by powers of 1000.
std::string flopsText(double flops);

/// "[64, 2, 192]"; "[]" for a scalar.
std::string shapeText(const google::protobuf::RepeatedField<int64_t> &shape);

/// Global shape with the axes of each sharded dimension: "[384/tp, 64]".
std::string shardedShapeText(const plan::Parameter &parameter);

/// "pp", "pp+tp"; with `only`: "pp{0,7}".
std::string axesText(const plan::Communicator &communicator);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_PLAN_UNITS_H
