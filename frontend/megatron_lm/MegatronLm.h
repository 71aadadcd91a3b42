// The Megatron-LM front end: a command line becomes a job description.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_MEGATRONLM_H
#define ORRERY_FRONTEND_MEGATRON_LM_MEGATRONLM_H

#include "frontend/job/Diagnostic.h"
#include "frontend/job/Job.pb.h"
#include "frontend/megatron_lm/argparse/Value.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery::frontend::megatron {

struct ParseRequest {
  std::string program;              // "pretrain_gpt.py", any folder before it
  std::vector<std::string> argv;    // its arguments
  int64_t worldSize = 0;            // number of ranks
  std::optional<int64_t> vocabSize; // in place of reading --vocab-file
};

/// What one option, or one value worked out from options, does in the job.
struct ExplainRow {
  std::string option; // "--num-layers", or words for a derived value
  std::string origin; // "given", "default" or "derived"
  std::string value;
  std::string optionClass; // "MODEL", "PARALLEL", …
  std::string effect;      // "honoured", "no effect here", "rejected"
  std::string reason;      // never empty
};

struct ParseResult {
  job::JobSpec job;                // complete when ok()
  std::vector<ExplainRow> explain; // every option, given or not
  Namespace derived; // the original's namespace after its own parse_args
  job::Diagnostics errors;

  bool ok() const { return errors.empty(); }
};

/// Parses and checks one command line. All faults are collected; `derived`
/// and `explain` are filled as far as they are known even then. The only file
/// read is --vocab-file.
ParseResult parse(const ParseRequest &request);

/// The rows as an aligned table with a heading, one line a row.
std::string formatExplain(const std::vector<ExplainRow> &rows);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_MEGATRONLM_H
