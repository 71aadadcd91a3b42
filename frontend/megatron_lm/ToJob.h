// From checked option values to the job description.
#ifndef ORRERY_FRONTEND_MEGATRON_LM_TOJOB_H
#define ORRERY_FRONTEND_MEGATRON_LM_TOJOB_H

#include "frontend/job/Job.pb.h"
#include "frontend/megatron_lm/Rules.h"
#include "frontend/megatron_lm/Vocabulary.h"

namespace orrery::frontend::megatron {

/// Fills every field of `job` from a command line that kept the rules of
/// applyRules. Faults in the form of a value (ramp-up, data path) go to
/// `line`; what is left to check is job::check's.
void fillJob(CommandLine &line, const Vocabulary &vocabulary,
             job::JobSpec &job);

} // namespace orrery::frontend::megatron

#endif // ORRERY_FRONTEND_MEGATRON_LM_TOJOB_H
