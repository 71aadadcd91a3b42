// Choosing OpenBLAS's kernels.
#include "runtime/device/cpu/BlasCore.h"

#include <cblas.h>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace orrery::runtime {

void preferWideBlas(char **argv) {
#if defined(__x86_64__)
  constexpr const char *kVariable = "OPENBLAS_CORETYPE";
  const char *chosen = openblas_get_corename();
  const bool narrow =
      std::strcmp(chosen, "Haswell") == 0 || std::strcmp(chosen, "Zen") == 0;
  const bool wide =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (!narrow || !wide || std::getenv(kVariable))
    return;
  if (setenv(kVariable, "SkylakeX", 0) == 0)
    execv("/proc/self/exe", argv); // returns only when it failed
#endif
}

} // namespace orrery::runtime
