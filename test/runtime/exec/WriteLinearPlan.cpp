// Writes a linear plan and its token files for tests of the rank process:
//   WriteLinearPlan FOLDER REPLICAS ITERATIONS INTERVAL
#include "runtime/plan/PlanFile.h"
#include "test/runtime/exec/LinearPlan.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
  using namespace orrery::runtime;
  if (argc != 5)
    return 2;
  const std::string folder = argv[1];
  absl::Status status = writeTokens(folder + "/data");
  if (status.ok())
    status = writePlan(linearPlan(std::atoi(argv[2]), std::atoll(argv[3]),
                                  std::atoll(argv[4])),
                       folder + "/plan");
  if (!status.ok())
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
