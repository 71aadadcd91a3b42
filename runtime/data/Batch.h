// Input tensors of the microbatches of a job: the one entry to runtime/data
// for the executor.
//
//   auto train = BatchSource::open(job, Split::Train, dataRank);
//   Batch batch;
//   for each step, for j in [0, microbatches):
//     status = train->fill(consumedSamples, j, batch);
//   consumedSamples += microbatches * b * d;
//
// A validation or test source is read the same way with a count of its own,
// which goes on from one validation pass to the next.
#ifndef ORRERY_RUNTIME_DATA_BATCH_H
#define ORRERY_RUNTIME_DATA_BATCH_H

#include "frontend/job/Job.pb.h"
#include "runtime/data/Blend.h"
#include "runtime/data/GptDataset.h"
#include "runtime/data/Samplers.h"
#include "runtime/data/Split.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace orrery::runtime {

/// Where fill() writes: five tensors [s, b], row-major with the sequence
/// major, so element (position i, sample k) is at i * b + k. As INPUT buffers
/// of the plan.
struct BatchView {
  std::span<int32_t> tokens;
  std::span<int32_t> labels;        // the token after each token
  std::span<int32_t> positionIds;   // restart after EOD with
                                    // --reset-position-ids
  std::span<int32_t> documentStart; // first position that the query at i may
                                    // attend to: 0, or that behind the last
                                    // EOD before i (--reset-attention-mask)
  std::span<float> lossMask;        // 1, or 0 where the input token is EOD
                                    // (--eod-mask-loss)
};

/// A microbatch that owns its tensors.
struct Batch {
  std::vector<int32_t> tokens, labels, positionIds, documentStart;
  std::vector<float> lossMask;

  void resize(int64_t elements);
  BatchView view();
};

/// Samples that the run wants of a split: train_samples or train_iters * GBS;
/// (train_iters / eval_interval + 1) * eval_iters * GBS for validation;
/// eval_iters * GBS for the test.
/// Source: Megatron-LM megatron/training.py
/// (build_train_valid_test_data_iterators).
int64_t samplesWanted(const job::JobSpec &job, Split split);

/// Validation samples consumed by a constant-batch run that has finished
/// `iteration` steps: (iteration / eval_interval) * eval_iters * GBS.
int64_t validationSamplesConsumed(const job::JobSpec &job, int64_t iteration);

/// The stream of microbatches of one split on one data-parallel rank. Files
/// are opened and checked, and the index maps built, by open(); every rank
/// does so by itself and comes to the same order.
class BatchSource {
public:
  /// Opens job.data.sources. A single source is read as it is, whatever its
  /// weight (given a weight, the original asks half a percent more of it);
  /// several are blended. A source whose split is empty is left out of the
  /// blend and its weight shared among the others (the original stops there).
  /// A split without any document gives a source that is empty() for
  /// validation and test, an error for training.
  /// Errors: those of IndexedDataset, GptIndexMaps and Sampler, with the name
  /// of the split; InvalidArgument when an EOD token is needed but unknown.
  static absl::StatusOr<BatchSource> open(const job::JobSpec &job, Split split,
                                          int32_t dataRank);

  bool empty() const { return size() == 0; }
  /// Samples of the stream, over all replicas.
  int64_t size() const;
  /// s * b, the elements of each tensor.
  int64_t elements() const { return sequence * micro; }

  /// Writes microbatch `microbatch` of the step that begins when
  /// `consumedSamples` (over all replicas) have been consumed. Errors: those of
  /// Sampler::indices and GptDataset::sample; FailedPrecondition when the
  /// source is empty.
  absl::Status fill(int64_t consumedSamples, int64_t microbatch, Batch &batch);
  absl::Status fill(int64_t consumedSamples, int64_t microbatch,
                    BatchView batch);

private:
  BatchSource() = default;
  absl::Status openSources(const job::JobSpec &job);
  absl::Status readSample(int64_t index);
  void writeColumn(int64_t column, BatchView batch) const;

  Split split = Split::Train;
  int64_t sequence = 0, micro = 0;
  bool resetPositionIds = false, resetAttentionMask = false;
  bool eodMaskLoss = false;
  int64_t eod = -1;
  std::vector<GptDataset> datasets;
  std::optional<Blend> blend;
  std::optional<Sampler> sampler;
  std::vector<int64_t> indices; // of the microbatch, b
  std::vector<int64_t> text;    // of one sample, s + 1
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_BATCH_H
