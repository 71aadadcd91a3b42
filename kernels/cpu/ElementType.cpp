// The error for an element type that a CPU kernel has no form for.
#include "kernels/cpu/ElementType.h"

#include "absl/strings/str_cat.h"

namespace orrery::kernels {

absl::Status noSuchForm(const char *kernel, ElementType type,
                        const char *available) {
  return absl::UnimplementedError(
      absl::StrCat("CPU kernel '", kernel, "' has no form for element type ",
                   elementName(type), "; it has ", available));
}

} // namespace orrery::kernels
