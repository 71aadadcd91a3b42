// What one instruction set's compilation of this folder offers.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_ENTRY_H
#define ORRERY_KERNELS_CPU_ATTENTION_ENTRY_H

#include "kernels/AttentionArguments.h"

// `floats` is the scratch of one thread, in floats.
#define ORRERY_DECLARE_ATTENTION(isa)                                          \
  namespace orrery::kernels::isa {                                             \
  void attentionForward(const AttentionForwardArguments &a, float *scratch,    \
                        int64_t floats, int threads);                          \
  void attentionBackward(const AttentionBackwardArguments &a, float *scratch,  \
                         int64_t floats, int threads);                         \
  }

ORRERY_DECLARE_ATTENTION(baseline)
ORRERY_DECLARE_ATTENTION(avx2)
ORRERY_DECLARE_ATTENTION(avx512)

#endif // ORRERY_KERNELS_CPU_ATTENTION_ENTRY_H
