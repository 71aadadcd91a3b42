// The hardware that the attention kernels ask for, played on the host, so that
// their index arithmetic, barriers and copies are tested where no GPU is. Given
// in place of kernels/cuda/attention/Primitives.cuh, whose functions these are.
//
// A block's threads are coroutines. One runs until it waits for its warp or for
// the block; a warp runs until all of its lanes wait for the block. Within a
// stretch between two barriers warps run in an order that a test chooses, and
// asynchronous copies happen at once or at the last moment allowed: kernels
// whose results depend on either have a race. Operations of a warp fail when
// lanes do not meet in the same one, as do misaligned accesses. Shared memory
// starts as NaNs and ends at a page that may not be touched.
#ifndef ORRERY_TEST_KERNELS_CUDA_ATTENTIONEMULATOR_H
#define ORRERY_TEST_KERNELS_CUDA_ATTENTIONEMULATOR_H

#define ORRERY_EMULATE_GPU
#define ORRERY_DEVICE inline
#define ORRERY_KERNEL(threads, blocks) void

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime_api.h>
#include <functional>
#include <limits>
#include <memory>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace orrery::kernels::cuda::flash {

struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

/// What a test may vary; results must not.
struct Emulation {
  bool descendingWarps = false;
  bool lateCopies = false;
};

class Emulator {
public:
  static Emulator &instance() {
    static Emulator emulator;
    return emulator;
  }

  Emulation options;

  /// Runs one block of `threads` threads, a multiple of 32.
  void runBlock(int index, int threads, int sharedBytes,
                const std::function<void()> &kernel) {
    block = index;
    body = &kernel;
    placeShared(sharedBytes);
    warps.assign(threads / 32, Warp());
    while (lanes.size() < static_cast<size_t>(threads))
      lanes.push_back(std::make_unique<Lane>());
    running = threads;
    atBarrier = 0;
    for (int i = 0; i < threads; ++i)
      start(i);
    while (running > 0) {
      const int before = barriers, alive = running;
      for (int i = 0; i < threads / 32 && barriers == before; ++i)
        runWarp(options.descendingWarps ? threads / 32 - 1 - i : i);
      require(barriers != before || running != alive,
              "deadlock: threads wait for ones that will not come");
    }
  }

  static void require(bool condition, const char *what) {
    if (condition)
      return;
    std::fprintf(stderr, "emulated GPU, block %d thread %d: %s\n",
                 instance().block, instance().thread, what);
    std::abort();
  }

  int threadIndex() const { return thread; }
  int blockIndex() const { return block; }
  char *sharedMemory() const { return shared; }

  void syncBlock() {
    if (++atBarrier < running)
      return wait(&barriers);
    atBarrier = 0;
    ++barriers;
    lanes[thread]->watched = nullptr;
    swapcontext(&lanes[thread]->context, &scheduler);
  }

  /// Every lane of the warp gives `mine` to the same operation; the last one
  /// runs it over all 32. Returns the lane's result.
  struct Operands {
    const void *pointer = nullptr;
    uint32_t words[6] = {};
    float floats[4] = {};
  };
  using Operation = void (*)(Operands (&)[32]);
  Operands together(Operation operation, const Operands &mine) {
    Warp &warp = warps[thread / 32];
    require(warp.arrived == 0 || warp.operation == operation,
            "lanes of a warp meet in different operations");
    warp.operation = operation;
    warp.given[thread % 32] = mine;
    if (++warp.arrived == 32) {
      warp.arrived = 0;
      std::memcpy(warp.results, warp.given, sizeof(warp.given));
      operation(warp.results);
      ++warp.done;
    } else {
      wait(&warp.done);
    }
    return warps[thread / 32].results[thread % 32];
  }

  void copyAsync(void *to, const void *from, int bytes, bool valid) {
    require(reinterpret_cast<uintptr_t>(to) % bytes == 0 &&
                reinterpret_cast<uintptr_t>(from) % bytes == 0,
            "misaligned asynchronous copy");
    Copy copy = {to, from, bytes, valid};
    if (options.lateCopies)
      lanes[thread]->open.push_back(copy);
    else
      copy.run();
  }
  void commitCopies() {
    lanes[thread]->groups.push_back(std::move(lanes[thread]->open));
    lanes[thread]->open.clear();
  }
  void waitCopies(size_t pending) {
    auto &groups = lanes[thread]->groups;
    while (groups.size() > pending) {
      for (Copy &copy : groups.front())
        copy.run();
      groups.erase(groups.begin());
    }
  }

private:
  struct Copy {
    void *to;
    const void *from;
    int bytes;
    bool valid;
    void run() const {
      if (valid)
        std::memcpy(to, from, bytes);
      else
        std::memset(to, 0, bytes);
    }
  };
  struct Lane {
    static constexpr size_t kStack = 256 * 1024;
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[kStack]};
    bool done = true;
    const int *watched = nullptr; // runs on when this is no longer `value`
    int value = 0;
    std::vector<Copy> open;
    std::vector<std::vector<Copy>> groups;
  };
  struct Warp {
    Operation operation = nullptr;
    int arrived = 0;
    int done = 0;
    Operands given[32], results[32];
  };

  static constexpr size_t kPage = 4096;
  static constexpr size_t kMostShared = 227 * 1024 / kPage * kPage;

  void placeShared(int bytes) {
    require(static_cast<size_t>(bytes) <= kMostShared,
            "more shared memory than a multiprocessor has");
    if (!pages) {
      pages = static_cast<char *>(mmap(nullptr, kMostShared + kPage,
                                       PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      mprotect(pages + kMostShared, kPage, PROT_NONE);
    }
    std::memset(pages, 0xff, kMostShared);
    shared = pages + kMostShared - (bytes + 15) / 16 * 16;
  }

  static void enter() {
    Emulator &self = instance();
    (*self.body)();
    Lane &lane = *self.lanes[self.thread];
    for (auto &group : lane.groups)
      require(group.empty(), "a thread ends with copies on their way");
    require(lane.open.empty(), "a thread ends with copies on their way");
    lane.done = true;
    --self.running;
    // Threads at the barrier no longer wait for this one.
    if (self.running > 0 && self.atBarrier == self.running) {
      self.atBarrier = 0;
      ++self.barriers;
    }
    swapcontext(&lane.context, &self.scheduler);
  }

  void start(int i) {
    Lane &lane = *lanes[i];
    getcontext(&lane.context);
    lane.context.uc_stack.ss_sp = lane.stack.get();
    lane.context.uc_stack.ss_size = Lane::kStack;
    lane.context.uc_link = nullptr;
    makecontext(&lane.context, &Emulator::enter, 0);
    lane.done = false;
    lane.watched = nullptr;
    lane.open.clear();
    lane.groups.clear();
  }

  // Until all lanes wait for the block, or the block has met.
  void runWarp(int warp) {
    const int before = barriers;
    for (bool moved = true; moved;) {
      moved = false;
      for (int i = warp * 32; i < warp * 32 + 32; ++i) {
        Lane &lane = *lanes[i];
        if (lane.done || (lane.watched && *lane.watched == lane.value))
          continue;
        lane.watched = nullptr;
        thread = i;
        swapcontext(&scheduler, &lane.context);
        moved = true;
        if (barriers != before)
          return;
      }
    }
  }

  void wait(const int *counter) {
    Lane &lane = *lanes[thread];
    lane.watched = counter;
    lane.value = *counter;
    swapcontext(&lane.context, &scheduler);
  }

  int block = 0, thread = 0, running = 0, atBarrier = 0;
  int barriers = 0;
  const std::function<void()> *body = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<Warp> warps;
  ucontext_t scheduler;
  char *pages = nullptr, *shared = nullptr;
};

inline int threadIndex() { return Emulator::instance().threadIndex(); }
inline int blockIndex() { return Emulator::instance().blockIndex(); }
inline char *sharedMemory() { return Emulator::instance().sharedMemory(); }
inline void syncBlock() { Emulator::instance().syncBlock(); }
inline void syncWarp() {
  Emulator::instance().together([](Emulator::Operands(&)[32]) {}, {});
}

// words[0]: the value, words[1]: the mask.
inline uint32_t shuffleXor(uint32_t x, int mask) {
  Emulator::Operands mine;
  mine.words[0] = x;
  mine.words[1] = static_cast<uint32_t>(mask);
  return Emulator::instance()
      .together(
          [](Emulator::Operands(&all)[32]) {
            uint32_t result[32];
            for (int lane = 0; lane < 32; ++lane)
              result[lane] = all[lane ^ all[lane].words[1]].words[0];
            for (int lane = 0; lane < 32; ++lane)
              all[lane].words[0] = result[lane];
          },
          mine)
      .words[0];
}
inline int shuffleXor(int x, int mask) {
  return static_cast<int>(shuffleXor(static_cast<uint32_t>(x), mask));
}
inline float shuffleXor(float x, int mask) {
  return std::bit_cast<float>(shuffleXor(std::bit_cast<uint32_t>(x), mask));
}
inline bool anyLane(bool x) {
  Emulator::Operands mine;
  mine.words[0] = x;
  return Emulator::instance()
             .together(
                 [](Emulator::Operands(&all)[32]) {
                   uint32_t any = 0;
                   for (const auto &lane : all)
                     any |= lane.words[0];
                   for (auto &lane : all)
                     lane.words[0] = any;
                 },
                 mine)
             .words[0] != 0;
}

inline void copyAsync16(void *shared, const void *global, bool valid) {
  Emulator::instance().copyAsync(shared, global, 16, valid);
}
inline void copyAsync8(void *shared, const void *global) {
  Emulator::instance().copyAsync(shared, global, 8, true);
}
inline void commitCopies() { Emulator::instance().commitCopies(); }
template <int Pending> void waitCopies() {
  Emulator::instance().waitCopies(Pending);
}

// PTX ISA, "ldmatrix": matrix i is the rows of lanes 8i … 8i + 7; lane l
// receives elements 2 (l % 4) and + 1 of row l / 4, or of column l / 4.
template <bool Transposed>
void loadFourMatrices(Emulator::Operands (&all)[32]) {
  uint16_t matrix[4][8][8];
  for (int lane = 0; lane < 32; ++lane)
    std::memcpy(matrix[lane / 8][lane % 8], all[lane].pointer, 16);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int major = lane / 4, minor = lane % 4 * 2;
      const uint32_t low =
          Transposed ? matrix[i][minor][major] : matrix[i][major][minor];
      const uint32_t high = Transposed ? matrix[i][minor + 1][major]
                                       : matrix[i][major][minor + 1];
      all[lane].words[i] = low | high << 16;
    }
}
template <bool Transposed>
void loadMatricesAs(uint32_t (&r)[4], const void *row) {
  Emulator::require(reinterpret_cast<uintptr_t>(row) % 16 == 0,
                    "misaligned row of a matrix");
  Emulator::Operands mine;
  mine.pointer = row;
  mine = Emulator::instance().together(&loadFourMatrices<Transposed>, mine);
  std::memcpy(r, mine.words, sizeof(r));
}
inline void loadMatrices(uint32_t (&r)[4], const void *row) {
  loadMatricesAs<false>(r, row);
}
inline void loadMatricesTransposed(uint32_t (&r)[4], const void *row) {
  loadMatricesAs<true>(r, row);
}

inline float widen(float x) { return x; }
inline float widen(Bfloat16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
inline float widen(Half x) {
  const int exponent = x.bits >> 10 & 31, mantissa = x.bits & 1023;
  float magnitude = exponent == 0
                        ? std::ldexp(static_cast<float>(mantissa), -24)
                        : std::ldexp(1024.0f + mantissa, exponent - 25);
  if (exponent == 31)
    magnitude = mantissa ? NAN : INFINITY;
  return x.bits >> 15 ? -magnitude : magnitude;
}

/// Rounds to nearest even.
template <class T> uint16_t roundBits(float x);
template <> inline uint16_t roundBits<Bfloat16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x))
    return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
template <> inline uint16_t roundBits<Half>(float x) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(x));
  if (std::isnan(x))
    return 0x7fff;
  if (magnitude >= 65520)
    return sign | 0x7c00;
  int exponent;
  std::frexp(magnitude, &exponent); // magnitude < 2^exponent
  const int unit = magnitude == 0 ? -24 : std::max(exponent - 11, -24);
  const auto units =
      static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -unit)));
  // Subnormals are their units; else units counts from 1024 in its binade, and
  // a carry into the next one comes out right.
  return sign | static_cast<uint16_t>(units + ((unit + 24) << 10));
}
template <class T> uint32_t packPair(float low, float high) {
  return roundBits<T>(low) | static_cast<uint32_t>(roundBits<T>(high)) << 16;
}

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
// words[0 … 3]: a, words[4, 5]: b, floats: c.
template <class T> void multiplyAddAll(Emulator::Operands (&all)[32]) {
  float a[16][16], b[16][8], c[16][8];
  auto element = [](uint32_t pair, int i) {
    return widen(T{static_cast<uint16_t>(pair >> (16 * i))});
  };
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 2; ++i) {
      for (int r = 0; r < 4; ++r)
        a[g + r % 2 * 8][2 * t + i + r / 2 * 8] =
            element(all[lane].words[r], i);
      for (int r = 0; r < 2; ++r)
        b[2 * t + i + r * 8][g] = element(all[lane].words[4 + r], i);
    }
    for (int r = 0; r < 4; ++r)
      c[g + r / 2 * 8][2 * t + r % 2] = all[lane].floats[r];
  }
  for (auto &row : c)
    for (int n = 0; n < 8; ++n) {
      double sum = row[n];
      for (int k = 0; k < 16; ++k)
        sum += static_cast<double>(a[&row - c][k]) * b[k][n];
      row[n] = static_cast<float>(sum);
    }
  for (int lane = 0; lane < 32; ++lane)
    for (int r = 0; r < 4; ++r)
      all[lane].floats[r] = c[lane / 4 + r / 2 * 8][2 * (lane % 4) + r % 2];
}
template <class T>
void multiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                 uint32_t b1) {
  Emulator::Operands mine;
  std::memcpy(mine.words, a, sizeof(a));
  mine.words[4] = b0;
  mine.words[5] = b1;
  std::memcpy(mine.floats, c, sizeof(c));
  mine = Emulator::instance().together(&multiplyAddAll<T>, mine);
  std::memcpy(c, mine.floats, sizeof(c));
}

inline float exp2Fast(float x) { return std::exp2(x); }
inline float exp2Exact(float x) { return std::exp2(x); }
inline float log2Exact(float x) { return std::log2(x); }
inline float fusedMultiplyAdd(float a, float b, float c) {
  return std::fma(a, b, c);
}
inline float largest(float a, float b) { return std::fmax(a, b); }
inline float infinity() { return std::numeric_limits<float>::infinity(); }

template <class P>
cudaError_t launch(void (*kernel)(P), int64_t blocks, int threads,
                   int sharedBytes, P parameters, cudaStream_t) {
  for (int64_t i = 0; i < blocks; ++i)
    Emulator::instance().runBlock(static_cast<int>(i), threads, sharedBytes,
                                  [&] { kernel(parameters); });
  return cudaSuccess;
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_TEST_KERNELS_CUDA_ATTENTIONEMULATOR_H
