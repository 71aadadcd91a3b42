// Processor counts and bindings on Linux.
#include "runtime/device/cpu/Processors.h"

#include <algorithm>
#include <cstdlib>
#include <sched.h>
#include <unistd.h>

namespace orrery::runtime {

int threadsPerRank() {
  const char *text = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  const int ranks = text ? std::max(1, std::atoi(text)) : 1;
  const int processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, processors / ranks);
}

void allowThreads(int threads) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0 ||
      CPU_COUNT(&set) >= threads)
    return;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    CPU_SET(i, &set); // the kernel leaves out what this process may not use
  // A refusal costs speed only.
  sched_setaffinity(0, sizeof(set), &set);
}

} // namespace orrery::runtime
