// Vectors as wide as the instruction set of this compilation, and exp2 on them.
//
// The files of this folder are compiled once per instruction set, with
// ORRERY_ISA naming the namespace. They include nothing that defines inline
// functions outside that namespace: the linker could else keep the AVX-512 copy
// for everyone.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_LANES_H
#define ORRERY_KERNELS_CPU_ATTENTION_LANES_H

#include <stdint.h>

#ifndef ORRERY_ISA
#error "ORRERY_ISA names the namespace of this instruction set"
#endif

namespace orrery::kernels::ORRERY_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using LooseFloats =
    float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

#define ORRERY_INLINE static inline __attribute__((always_inline))

ORRERY_INLINE Floats load(const float *p) {
  return *reinterpret_cast<const LooseFloats *>(p);
}
ORRERY_INLINE void store(float *p, Floats x) {
  *reinterpret_cast<LooseFloats *>(p) = x;
}
ORRERY_INLINE Floats broadcast(float x) { return Floats{} + x; }
ORRERY_INLINE Floats select(Ints mask, Floats a, Floats b) {
  return mask ? a : b;
}
ORRERY_INLINE Floats maximum(Floats a, Floats b) { return select(a > b, a, b); }

/// 2^x for x <= 127, below 2^-126 rounded to it; relative error under 2e-7.
/// x = n + r with n = round(x): 2^r by its Taylor polynomial of degree 7 on
/// [-0.5, 0.5], 2^n by adding n to the exponent.
ORRERY_INLINE Floats exp2Lanes(Floats x) {
  constexpr float kRound = 12582912.0f; // 1.5 * 2^23
  x = maximum(x, broadcast(-126.0f));
  Floats shifted = x + kRound;
  Floats r = x - (shifted - kRound);
  Words n = reinterpret_cast<Words>(shifted) << 23; // the low bits are n
  Floats p = broadcast(1.52527338040598402800e-5f);
  p = p * r + 1.54035303933816099544e-4f;
  p = p * r + 1.33335581464284434234e-3f;
  p = p * r + 9.61812910762847716198e-3f;
  p = p * r + 5.55041086648215799532e-2f;
  p = p * r + 2.40226506959100712333e-1f;
  p = p * r + 6.93147180559945309417e-1f;
  p = p * r + 1.0f;
  return reinterpret_cast<Floats>(reinterpret_cast<Words>(p) + n);
}

} // namespace orrery::kernels::ORRERY_ISA

#endif // ORRERY_KERNELS_CPU_ATTENTION_LANES_H
