// Says what every option does.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_EXPLAIN_H
#define ORRERY_FRONTEND_MEGATRON_LM_EXPLAIN_H

#include "frontend/megatron_lm/MegatronLm.h"
#include "frontend/megatron_lm/Rules.h"
#include "frontend/megatron_lm/Vocabulary.h"

namespace orrery::frontend::megatron {

/// One row for every option of the program, in the order of the table.
std::vector<ExplainRow> explainOptions(const CommandLine &line);

/// Rows for what a job has beyond its options: replicas, microbatches,
/// vocabulary, end-of-document token, steps, samples of decay and warm-up.
std::vector<ExplainRow> explainDerived(const job::JobSpec &job,
                                       const Vocabulary &vocabulary);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_EXPLAIN_H
