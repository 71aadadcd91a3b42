// Philox4x32-10, the counter-based generator behind every random number of
// Orrery: initial weights and dropout masks are functions of (key, counter)
// alone, so no layout and no order of execution changes them.
//
// Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011; the constants are those of Random123.
#ifndef ORRERY_KERNELS_REF_PHILOX_H
#define ORRERY_KERNELS_REF_PHILOX_H

#include <array>
#include <cstdint>

namespace orrery::kernels {

struct Philox4x32 {
  static constexpr uint32_t kMultiplier0 = 0xD2511F53u;
  static constexpr uint32_t kMultiplier1 = 0xCD9E8D57u;
  static constexpr uint32_t kWeyl0 = 0x9E3779B9u;
  static constexpr uint32_t kWeyl1 = 0xBB67AE85u;
  static constexpr int kRounds = 10;

  /// Four words for one counter. The 128-bit counter is (counterHigh,
  /// counterLow), its 32-bit words little end first; so is the key.
  ///
  ///   generate(0, 0, 0) = {6627e8d5, e169c58d, bc57ac4c, 9b00dbd8}
  static constexpr std::array<uint32_t, 4>
  generate(uint64_t counterLow, uint64_t counterHigh, uint64_t key) {
    uint32_t c0 = static_cast<uint32_t>(counterLow);
    uint32_t c1 = static_cast<uint32_t>(counterLow >> 32);
    uint32_t c2 = static_cast<uint32_t>(counterHigh);
    uint32_t c3 = static_cast<uint32_t>(counterHigh >> 32);
    uint32_t k0 = static_cast<uint32_t>(key);
    uint32_t k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < kRounds; ++round) {
      uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * c0;
      uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * c2;
      c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
      c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<uint32_t>(product1);
      c3 = static_cast<uint32_t>(product0);
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
    return {c0, c1, c2, c3};
  }
};

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_REF_PHILOX_H
