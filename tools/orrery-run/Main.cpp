// orrery-run: one rank of a run.
//
//   mpirun -n N orrery-run PLAN [--data PREFIX] [--steps K] [--load PATH]
//          [--save DIR] [--metrics FILE.jsonl] [--trace FILE.json]
//          [--threads T] [--benchmark] [--profile] [--allow-tf32]
//          [--nondeterministic] [--no-product-search] [--no-peer-memory]
//
// Exit codes: 0 done, 1 an error that was shown, 2 a bad command line.
#include "runtime/comm/mpi/MpiWorld.h"
#include "runtime/device/cpu/Processors.h"
#include "runtime/exec/Trainer.h"
#include "runtime/log/Log.h"
#include "tools/orrery-run/Arguments.h"

#include <cstdio>

using namespace orrery::runtime;

static int fail(const absl::Status &status, int code) {
  // Cancelled: another rank says why.
  if (!absl::IsCancelled(status))
    std::fprintf(stderr, "orrery-run: error: %s\n",
                 std::string(status.message()).c_str());
  return code;
}

int main(int argc, char **argv) {
  orrery::ParsedArguments parsed = orrery::parseArguments(argc, argv);
  if (parsed.help) {
    std::fputs(orrery::usage().c_str(), stdout);
    return 0;
  }
  auto world = MpiWorld::start(&argc, &argv);
  if (!world.ok())
    return fail(world.status(), 1);
  CommunicatorFactory &factory = (*world)->factory();
  if (!parsed.status.ok())
    return factory.rank() == 0 ? fail(parsed.status, 2) : 2;
  RunOptions options = parsed.options;
  if (options.threads == 0)
    options.threads = threadsPerRank();
  allowThreads(options.threads);
  absl::Status status = openLog(factory.rank(), factory.size());
  if (status.ok())
    status = runPlan(options, factory);
  return status.ok() ? 0 : fail(status, 1);
}
