// What a user may say about a run besides the plan.
#ifndef ORRERY_RUNTIME_EXEC_RUNOPTIONS_H
#define ORRERY_RUNTIME_EXEC_RUNOPTIONS_H

#include <cstdint>
#include <string>

namespace orrery::runtime {

struct RunOptions {
  std::string plan;
  std::string data;       // token file prefix instead of the job's sources
  int64_t steps = 0;      // stop when this many steps are done; 0: the job's
  std::string load;       // weights or checkpoint instead of the job's
  std::string save;       // folder for checkpoints instead of the job's
  std::string metrics;    // JSON lines, one per step
  std::string trace;      // Chrome trace
  bool benchmark = false; // speed alone: no validation, no checkpoints
  bool profile = false;   // a table of where the last step's time goes
  int threads = 1;        // of this rank, on CPUs
  bool allowTf32 = false; // of F32 matrix products on GPUs
  bool nondeterministic = false; // attention on GPUs, for speed
  bool noProductSearch = false;  // on GPUs: cuBLASLt's proposals only
  bool noPeerMemory = false;     // between GPUs: all messages go through NCCL
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_EXEC_RUNOPTIONS_H
