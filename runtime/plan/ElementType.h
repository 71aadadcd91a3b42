// Bytes and names of the plan's element types.
#ifndef ORRERY_RUNTIME_PLAN_ELEMENTTYPE_H
#define ORRERY_RUNTIME_PLAN_ELEMENTTYPE_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>
#include <string>

namespace orrery::runtime {

/// Bytes of one element, 0 for a value outside the enumeration.
inline int64_t elementBytes(plan::ElementType type) {
  switch (type) {
  case plan::F16:
  case plan::BF16:
    return 2;
  case plan::F32:
  case plan::I32:
    return 4;
  case plan::F64:
  case plan::I64:
    return 8;
  default:
    return 0;
  }
}

/// "F32"; the number itself for a value outside the enumeration.
inline std::string elementName(plan::ElementType type) {
  return elementBytes(type) ? plan::ElementType_Name(type)
                            : std::to_string(static_cast<int>(type));
}

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_PLAN_ELEMENTTYPE_H
