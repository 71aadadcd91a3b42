// Fills the input tensors of microbatches from token files.
#include "runtime/data/Batch.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

namespace orrery::runtime {

namespace {

absl::Status inSplit(Split split, const absl::Status &status) {
  return absl::Status(status.code(), absl::StrCat(splitName(split),
                                                  " data: ", status.message()));
}

} // namespace

void Batch::resize(int64_t elements) {
  tokens.resize(elements);
  labels.resize(elements);
  positionIds.resize(elements);
  documentStart.resize(elements);
  lossMask.resize(elements);
}

BatchView Batch::view() {
  return {tokens, labels, positionIds, documentStart, lossMask};
}

int64_t samplesWanted(const job::JobSpec &job, Split split) {
  const int64_t batch = job.parallel().global_batch_size();
  const int64_t evaluation = job.runtime().eval_iters() * batch;
  switch (split) {
  case Split::Train:
    return job.train().train_samples() > 0 ? job.train().train_samples()
                                           : job.train().train_iters() * batch;
  case Split::Valid: {
    const int64_t interval = job.runtime().eval_interval();
    const int64_t passes =
        interval > 0 ? job.train().train_iters() / interval : 0;
    return (passes + 1) * evaluation;
  }
  case Split::Test:
    return evaluation;
  }
  return 0;
}

int64_t validationSamplesConsumed(const job::JobSpec &job, int64_t iteration) {
  const int64_t interval = job.runtime().eval_interval();
  return interval > 0 ? iteration / interval * job.runtime().eval_iters() *
                            job.parallel().global_batch_size()
                      : 0;
}

absl::StatusOr<BatchSource> BatchSource::open(const job::JobSpec &job,
                                              Split split, int32_t dataRank) {
  BatchSource source;
  source.split = split;
  source.sequence = job.model().seq_length();
  source.micro = job.parallel().micro_batch_size();
  source.resetPositionIds = job.model().reset_position_ids();
  source.resetAttentionMask = job.model().reset_attention_mask();
  source.eodMaskLoss = job.model().eod_mask_loss();
  source.eod = job.data().eod_token();
  const bool needsEod = source.resetPositionIds || source.resetAttentionMask ||
                        source.eodMaskLoss;
  if (needsEod && source.eod < 0)
    return inSplit(split, absl::InvalidArgumentError(
                              "--reset-position-ids, --reset-attention-mask "
                              "and --eod-mask-loss need the end-of-document "
                              "token, but the job does not name it; compile "
                              "with --vocab-file"));
  if (absl::Status status = source.openSources(job); !status.ok())
    return inSplit(split, status);
  source.indices.resize(source.micro);
  source.text.resize(source.sequence + 1);
  if (source.empty())
    return source;
  absl::StatusOr<Sampler> sampler =
      Sampler::create(job.data().sampler(), source.size(), source.micro,
                      std::max(1, job.parallel().data()), dataRank);
  if (!sampler.ok())
    return inSplit(split, sampler.status());
  source.sampler = *std::move(sampler);
  return source;
}

absl::Status BatchSource::openSources(const job::JobSpec &job) {
  const auto &sources = job.data().sources();
  if (sources.empty())
    return absl::InvalidArgumentError(
        "the job names no token files; give --data-path");
  const bool single = sources.size() == 1;
  std::vector<double> weights;
  for (const job::Data::Source &source : sources)
    weights.push_back(single ? 1.0 : source.weight());
  absl::StatusOr<std::vector<double>> shares = normalised(weights);
  if (!shares.ok())
    return shares.status();

  const int64_t wanted = samplesWanted(job, split);
  const size_t which = static_cast<size_t>(split);
  std::vector<double> used; // shares of the sources that are not empty
  int64_t samples = 0;
  for (int i = 0; i < sources.size(); ++i) {
    absl::StatusOr<IndexedDataset> file =
        IndexedDataset::open(sources[i].prefix());
    if (!file.ok())
      return file.status();
    auto bounds = splitBounds(job.data().split(), file->numItems());
    if (!bounds.ok())
      return bounds.status();
    GptIndexMaps::Request request;
    request.firstDocument = (*bounds)[which];
    request.lastDocument = (*bounds)[which + 1];
    request.sequenceLength = sequence;
    request.samples = single ? wanted : blendTarget(wanted, (*shares)[i]);
    request.seed = job.train().seed();
    if (request.firstDocument >= request.lastDocument)
      continue;
    absl::StatusOr<GptDataset> dataset =
        GptDataset::open(std::make_shared<IndexedDataset>(*std::move(file)),
                         request, job.model().vocab_size());
    if (!dataset.ok())
      return dataset.status();
    samples += dataset->size();
    datasets.push_back(*std::move(dataset));
    used.push_back((*shares)[i]);
  }
  if (datasets.empty() && split == Split::Train)
    return absl::InvalidArgumentError(absl::StrCat(
        "split '", job.data().split(), "' leaves no document to train on; ",
        "give the first share more, or more documents"));
  if (single || datasets.empty())
    return absl::OkStatus();
  absl::StatusOr<Blend> built = Blend::build(used, samples);
  if (!built.ok())
    return built.status();
  blend = *std::move(built);
  return absl::OkStatus();
}

int64_t BatchSource::size() const {
  if (datasets.empty())
    return 0;
  return blend ? blend->size() : datasets[0].size();
}

absl::Status BatchSource::fill(int64_t consumedSamples, int64_t microbatch,
                               Batch &batch) {
  batch.resize(elements());
  return fill(consumedSamples, microbatch, batch.view());
}

absl::Status BatchSource::fill(int64_t consumedSamples, int64_t microbatch,
                               BatchView batch) {
  assert(static_cast<int64_t>(batch.tokens.size()) == elements());
  if (empty())
    return inSplit(split, absl::FailedPreconditionError(
                              "the split has no document to read"));
  if (absl::Status status =
          sampler->indices(consumedSamples, microbatch, indices);
      !status.ok())
    return inSplit(split, status);
  for (int64_t k = 0; k < micro; ++k) {
    if (absl::Status status = readSample(indices[k]); !status.ok())
      return inSplit(split, status);
    writeColumn(k, batch);
  }
  return absl::OkStatus();
}

absl::Status BatchSource::readSample(int64_t index) {
  if (!blend)
    return datasets[0].sample(index, text);
  const Blend::Choice choice = blend->at(index);
  const GptDataset &dataset = datasets[choice.dataset];
  // Far behind the samples wanted (the cyclic sampler visits all of the blend)
  // a data set can run out before the others: it begins again.
  return dataset.sample(choice.sample % dataset.size(), text);
}

void BatchSource::writeColumn(int64_t column, BatchView batch) const {
  int64_t start = 0; // behind the last EOD
  for (int64_t i = 0; i < sequence; ++i) {
    const int64_t at = i * micro + column;
    const bool isEod = text[i] == eod;
    batch.tokens[at] = static_cast<int32_t>(text[i]);
    batch.labels[at] = static_cast<int32_t>(text[i + 1]);
    batch.positionIds[at] =
        static_cast<int32_t>(resetPositionIds ? i - start : i);
    batch.documentStart[at] =
        static_cast<int32_t>(resetAttentionMask ? start : 0);
    batch.lossMask[at] = eodMaskLoss && isEod ? 0.0f : 1.0f;
    if (isEod)
      start = i + 1;
  }
}

} // namespace orrery::runtime
