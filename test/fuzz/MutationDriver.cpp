// Runs a fuzz target over deterministic mutations of its seeds:
//   TokenFileFuzz [RUNS [FIRST]]
// tries inputs [FIRST, FIRST + RUNS); the number of an input that crashes is
// printed, and the same number is always the same input. With clang, libFuzzer
// does all this better (CMakeLists.txt).
#include "test/fuzz/FuzzTarget.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

/// Values at which arithmetic on sizes goes wrong.
constexpr uint64_t awkward[] = {0,
                                1,
                                7,
                                0x7f,
                                0x80,
                                0xffff,
                                0x7fffffff,
                                0x80000000,
                                0xffffffff,
                                0x1999999999999999,
                                0x2000000000000000,
                                0x7fffffffffffffff,
                                0x8000000000000000,
                                0xfffffffffffffff8,
                                0xffffffffffffffff};

volatile std::sig_atomic_t current = -1; // number of the input being tried

/// Names the input; printf is not safe here in general, but the process is
/// about to die and the target prints nothing.
void report(int signal) {
  std::fprintf(stderr, "signal %d in input %lld\n", signal,
               static_cast<long long>(current));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// One random change. Draws nothing but from `random`.
void mutate(std::string &bytes, std::mt19937_64 &random) {
  const size_t size = bytes.size();
  const size_t at = size ? random() % size : 0;
  switch (random() % 7) {
  case 0: // flip a bit
    if (size)
      bytes[at] ^= static_cast<char>(1 << random() % 8);
    break;
  case 1: // set a byte
    if (size)
      bytes[at] = static_cast<char>(random());
    break;
  case 2: // truncate
    bytes.resize(at);
    break;
  case 3: // append
    bytes.append(random() % 16, static_cast<char>(random()));
    break;
  case 4: // drop a range
    bytes.erase(at, random() % 16);
    break;
  case 5: // copy a range within
    bytes.insert(size ? random() % size : 0, bytes.substr(at, random() % 16));
    break;
  case 6: // put an awkward number
    for (uint64_t value = awkward[random() % std::size(awkward)],
                  width = size_t{1} << random() % 4, i = 0;
         i < width && at + i < size; ++i)
      bytes[at + i] = static_cast<char>(value >> 8 * i);
    break;
  }
}

} // namespace

int main(int argc, char **argv) {
  const int64_t runs = argc > 1 ? std::atoll(argv[1]) : 100000;
  const int64_t first = argc > 2 ? std::atoll(argv[2]) : 0;
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
    std::signal(signal, report);
  const std::vector<std::string> seeds = orrery::test::fuzzSeeds();
  auto run = [](const std::string &bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                           bytes.size());
  };
  for (const std::string &seed : seeds)
    run(seed);
  const int64_t sound = orrery::test::fuzzAccepted();
  if (sound != static_cast<int64_t>(seeds.size())) {
    std::fputs("a seed was refused by the target\n", stderr);
    return 1;
  }
  for (int64_t i = first; i < first + runs; ++i) {
    current = i;
    std::mt19937_64 random(i);
    std::string bytes = seeds[random() % seeds.size()];
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes)
      mutate(bytes, random);
    run(bytes);
  }
  std::printf("%lld mutated inputs, %lld of them accepted\n",
              static_cast<long long>(runs),
              static_cast<long long>(orrery::test::fuzzAccepted() - sound));
  return 0;
}
