// Philox4x32-10 for as many counters as there are lanes, and the factors that
// dropout puts on a tile of transposed probabilities.
#ifndef ORRERY_KERNELS_CPU_ATTENTION_PHILOXLANES_H
#define ORRERY_KERNELS_CPU_ATTENTION_PHILOXLANES_H

#include "kernels/cpu/attention/Lanes.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace orrery::kernels::ORRERY_ISA {

// A 32-bit word per 64-bit lane: the widening multiply then needs no shuffle.
// Only the low half of a lane is meaningful between rounds.
constexpr int kWideLanes = kLanes / 2;
using Wide = uint64_t __attribute__((vector_size(8 * kWideLanes)));
using HalfWords = uint32_t __attribute__((vector_size(4 * kWideLanes)));

/// Product of the low halves of the lanes with `factor`.
ORRERY_INLINE Wide multiplyLow(Wide a, Wide factor) {
#if defined(__AVX512F__)
  return reinterpret_cast<Wide>(_mm512_mul_epu32(
      reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(factor)));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(_mm256_mul_epu32(
      reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(factor)));
#elif defined(__SSE2__)
  return reinterpret_cast<Wide>(_mm_mul_epu32(
      reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(factor)));
#else
  return (a & 0xffffffffu) * factor;
#endif
}

/// words[w][lane] = word w of Philox(counter[lane], key).
ORRERY_INLINE void philoxLanes(const uint64_t *counters, uint64_t key,
                               uint32_t (*words)[kLanes]) {
  const Wide multiplier0 = Wide{} + 0xD2511F53u;
  const Wide multiplier1 = Wide{} + 0xCD9E8D57u;
  for (int half = 0; half < 2; ++half) {
    Wide c0;
    __builtin_memcpy(&c0, counters + half * kWideLanes, sizeof(Wide));
    Wide c1 = c0 >> 32, c2 = {}, c3 = {};
    uint32_t k0 = static_cast<uint32_t>(key);
    uint32_t k1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      Wide product0 = multiplyLow(c0, multiplier0);
      Wide product1 = multiplyLow(c2, multiplier1);
      c0 = (product1 >> 32) ^ c1 ^ (Wide{} + k0);
      c2 = (product0 >> 32) ^ c3 ^ (Wide{} + k1);
      c1 = product1;
      c3 = product0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const Wide results[4] = {c0, c1, c2, c3};
    for (int word = 0; word < 4; ++word) {
      HalfWords narrow =
          __builtin_convertvector(results[word] & 0xffffffffu, HalfWords);
      __builtin_memcpy(&words[word][half * kWideLanes], &narrow,
                       sizeof(HalfWords));
    }
  }
}

/// Dropout of one stream.
struct DropoutLanes {
  uint64_t key;
  uint32_t threshold; // floor(p * 2^32)
  float scale;        // 1 / (1 - p)
};

/// factors[r][lane] = scale where element first[lane] + r is kept, else 0, for
/// `rows` rows that lie `ld` floats apart.
ORRERY_INLINE void dropoutFactors(const DropoutLanes &dropout,
                                  const uint64_t *first, int rows,
                                  float *factors, int ld) {
  uint32_t words[4][kLanes];
  uint64_t counters[kLanes];
  bool aligned = true;
  for (int lane = 0; lane < kLanes; ++lane)
    aligned = aligned && first[lane] % 4 == 0;
  const Words threshold = Words{} + dropout.threshold;
  auto write = [&](int row, const uint32_t *random) {
    Words x;
    __builtin_memcpy(&x, random, sizeof(Words));
    store(factors + row * ld,
          select(x >= threshold, broadcast(dropout.scale), Floats{}));
  };
  if (aligned) { // four rows are the four words of one counter
    for (int row = 0; row < rows; row += 4) {
      for (int lane = 0; lane < kLanes; ++lane)
        counters[lane] = (first[lane] + row) / 4;
      philoxLanes(counters, dropout.key, words);
      for (int word = 0; word < 4 && row + word < rows; ++word)
        write(row + word, words[word]);
    }
    return;
  }
  for (int row = 0; row < rows; ++row) {
    uint32_t random[kLanes];
    for (int lane = 0; lane < kLanes; ++lane)
      counters[lane] = (first[lane] + row) / 4;
    philoxLanes(counters, dropout.key, words);
    for (int lane = 0; lane < kLanes; ++lane)
      random[lane] = words[(first[lane] + row) % 4][lane];
    write(row, random);
  }
}

} // namespace orrery::kernels::ORRERY_ISA

#endif // ORRERY_KERNELS_CPU_ATTENTION_PHILOXLANES_H
