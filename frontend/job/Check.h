// Rules that every job description must keep, whatever front end wrote it.
#ifndef ORRERY_FRONTEND_JOB_CHECK_H
#define ORRERY_FRONTEND_JOB_CHECK_H

#include "frontend/job/Diagnostic.h"
#include "frontend/job/Job.pb.h"

#include <cstdint>
#include <string_view>

namespace orrery::job {

/// All faults of a job; empty means that the compiler may go on. Subjects are
/// JobSpec field paths ("parallel.tensor"); a front end puts the user's own
/// spelling in their place. Limits name other quantities in words.
Diagnostics check(const JobSpec &job);

// The parts of it, callable alone.
void checkModel(const JobSpec &job, Diagnostics &faults);
void checkParallel(const JobSpec &job, Diagnostics &faults);
/// Batch sizes: every stage of a ramp-up that the run reaches must be a
/// multiple of micro batch size times replicas, not only the last one.
void checkBatch(const JobSpec &job, Diagnostics &faults);
/// The form of a ramp-up alone; true when its stages can be walked
/// (batchStages, trainIterations).
bool checkRampUp(const JobSpec &job, Diagnostics &faults);
void checkTrain(const JobSpec &job, Diagnostics &faults);
void checkDataAndRuntime(const JobSpec &job, Diagnostics &faults);

/// Shares of training, validation and test from "969, 30, 1", "80/10/10" or
/// "1"; at most three, not negative, sum above 0 (megatron/data/
/// dataset_utils.py). Returns the fault in words, empty when there is none.
std::string splitFault(std::string_view split);

/// The smallest multiple of divisor * tensor that holds `vocabSize` tokens
/// (megatron/tokenizer/tokenizer.py): 50257, 128, 2 gives 50432.
int64_t paddedVocabSize(int64_t vocabSize, int64_t divisor, int64_t tensor);

} // namespace orrery::job

#endif // ORRERY_FRONTEND_JOB_CHECK_H
