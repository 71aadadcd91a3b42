// Which probabilities dropout keeps, in the order in which lanes hold them.
//
// One Philox call decides four neighbouring keys of one query. A lane holds two
// queries by two keys of a tensor-core block, or the transpose, so lanes that
// share calls split them and exchange decisions as bits:
//
//   queries × keys (rows are queries)      keys × queries
//   lane 4g + t: queries g, g + 8          keys g, g + 8; queries 2t, 2t + 1
//                keys 2t, 2t + 1           lanes g = 4m … 4m + 3 share the keys
//   lanes t = 2m, 2m + 1 share the keys    4m … 4m + 3 and 4m + 8 … 4m + 11:
//   4m … 4m + 3: the even one decides      4 groups of keys, one call each
//   query g, the odd one g + 8
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_DROPOUT_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_DROPOUT_CUH

#include "kernels/cuda/attention/Parameters.cuh"

namespace orrery::kernels::cuda::flash {

/// Dropout of the probabilities of one head of one sample; `Possible` is false
/// in kernels compiled without.
template <bool Possible> class Dropout {
public:
  ORRERY_DEVICE Dropout(const Parameters &p, const Task &task)
      : enabled(p.key != nullptr), key(p.key ? *p.key : 0),
        threshold(p.threshold), sequence(p.sequence),
        first((p.firstHead + task.sample * p.totalHeads + task.head) *
              static_cast<uint64_t>(p.sequence) * p.sequence) {}

  ORRERY_DEVICE bool on() const { return Possible && enabled; }

  /// Bit i: whether key `keyPosition + i` of `query` is kept, for i in 0 … 3;
  /// keyPosition is a multiple of four.
  ORRERY_DEVICE uint32_t keepFour(int query, int keyPosition) const {
    const uint64_t element =
        first + static_cast<uint64_t>(query) * sequence + keyPosition;
    // Where s is not a multiple of four, the four keys lie in two counters. A
    // loop: the code of one Philox, not of two.
    uint32_t bits = 0;
    const int counters = sequence % 4 == 0 ? 1 : 2;
#pragma unroll 1
    for (int i = 0; i < counters; ++i)
      bits |= keepBits(element / 4 + i) << (4 * i);
    return bits >> (element % 4) & 15;
  }

  /// Bits 0, 1: keys 2t, 2t + 1 of query g; bits 4, 5: of query g + 8, where
  /// `query` and `keyPosition` are the first of a [16, 8] block.
  ORRERY_DEVICE uint32_t keepQueriesByKeys(int lane, int query,
                                           int keyPosition) const {
    const int odd = lane & 1;
    uint32_t bits =
        keepFour(query + lane / 4 + 8 * odd, keyPosition + (lane & 2) * 2)
        << (4 * odd);
    bits |= shuffleXor(bits, 1);
    return bits >> (2 * odd);
  }

  /// Bits 0, 4: key g of queries 2t, 2t + 1; bits 8, 12: key g + 8, where
  /// `keyPosition` and `query` are the first of a [16, 8] block.
  ORRERY_DEVICE uint32_t keepKeysByQueries(int lane, int keyPosition,
                                           int query) const {
    const int group = lane / 4 % 4;
    uint32_t bits = keepFour(query + lane % 4 * 2 + group % 2,
                             keyPosition + lane / 16 * 4 + group / 2 * 8)
                    << (4 * group);
    bits |= shuffleXor(bits, 4);
    bits |= shuffleXor(bits, 8);
    return bits >> group;
  }

private:
  // Philox4x32-10 (kernels/ref/Philox.h) of one counter; bit i: word i keeps.
  ORRERY_DEVICE uint32_t keepBits(uint64_t counter) const {
    uint32_t c0 = static_cast<uint32_t>(counter);
    uint32_t c1 = static_cast<uint32_t>(counter >> 32);
    uint32_t c2 = 0, c3 = 0;
    uint32_t k0 = static_cast<uint32_t>(key);
    uint32_t k1 = static_cast<uint32_t>(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
      const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * c0;
      const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
      c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
      c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<uint32_t>(product1);
      c3 = static_cast<uint32_t>(product0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return (c0 >= threshold ? 1u : 0u) | (c1 >= threshold ? 2u : 0u) |
           (c2 >= threshold ? 4u : 0u) | (c3 >= threshold ? 8u : 0u);
  }

  bool enabled;
  uint64_t key;
  uint32_t threshold;
  int sequence;
  uint64_t first; // element index of (query 0, key 0)
};

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_KERNELS_CUDA_ATTENTION_DROPOUT_CUH
