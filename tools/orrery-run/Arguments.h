// The command line of orrery-run.
#ifndef ORRERY_TOOLS_ORRERY_RUN_ARGUMENTS_H
#define ORRERY_TOOLS_ORRERY_RUN_ARGUMENTS_H

#include "absl/status/status.h"
#include "runtime/exec/RunOptions.h"

#include <string>

namespace orrery {

struct ParsedArguments {
  runtime::RunOptions options; // threads 0: as many as the rank has processors
  bool help = false;
  absl::Status status; // InvalidArgument names the argument
};

/// Options are --name value or --name=value, in any order with the plan.
ParsedArguments parseArguments(int argc, char **argv);

std::string usage();

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_RUN_ARGUMENTS_H
