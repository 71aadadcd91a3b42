// Names and sizes of element types.
#include "kernels/cpu/ElementType.h"

#include "absl/strings/str_cat.h"

namespace orrery::kernels {

const char *elementName(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::F16:
    return "f16";
  case ElementType::BF16:
    return "bf16";
  case ElementType::F64:
    return "f64";
  case ElementType::I32:
    return "i32";
  case ElementType::I64:
    return "i64";
  case ElementType::Unspecified:
    break;
  }
  return "unspecified";
}

int64_t elementBytes(ElementType type) {
  switch (type) {
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::F16:
  case ElementType::BF16:
    return 2;
  case ElementType::F64:
  case ElementType::I64:
    return 8;
  case ElementType::Unspecified:
    break;
  }
  return 0;
}

absl::Status noSuchForm(const char *kernel, ElementType type,
                        const char *available) {
  return absl::UnimplementedError(
      absl::StrCat("CPU kernel '", kernel, "' has no form for element type ",
                   elementName(type), "; it has ", available));
}

} // namespace orrery::kernels
