// Draws normal variates shard by shard, in runs of the innermost dimension.
#include "runtime/checkpoint/InitialWeights.h"

#include "kernels/ref/Philox.h"
#include "runtime/checkpoint/TensorBox.h"
#include "runtime/plan/ElementType.h"
#include "runtime/plan/RandomKey.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <string_view>

namespace orrery::runtime {

namespace {

// Pieces for threads: many gigabytes are zeroed, or first touched, here.
constexpr int64_t kPiece = 1 << 22;
constexpr std::string_view kMaster = "master";

void zeroBytes(std::byte *begin, int64_t bytes) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < bytes; first += kPiece)
    std::memset(begin + first, 0,
                static_cast<size_t>(std::min(kPiece, bytes - first)));
}

// The buffer of a bucket's unrounded weights, where it has them.
std::optional<uint32_t> mastersOf(const plan::Bucket &bucket) {
  for (const plan::Bucket::State &state : bucket.states())
    if (state.name() == kMaster)
      return state.buffer();
  return std::nullopt;
}

// All elements of a bucket, of one of its buffers in another.
void convertBucket(const RankPlan &rank, const plan::Bucket &bucket,
                   uint32_t from, uint32_t to, std::byte *arena) {
  const plan::Buffer &source = rank.rankClass->buffers(static_cast<int>(from));
  const plan::Buffer &target = rank.rankClass->buffers(static_cast<int>(to));
  const int64_t elements = static_cast<int64_t>(bucket.elements());
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < elements; first += kPiece)
    convertElements(
        arena + source.offset() +
            static_cast<uint64_t>(first * elementBytes(source.type())),
        source.type(),
        arena + target.offset() +
            static_cast<uint64_t>(first * elementBytes(target.type())),
        target.type(), std::min(kPiece, elements - first));
}

} // namespace

double normalVariate(uint64_t key, uint64_t index) {
  std::array<uint32_t, 4> words =
      kernels::Philox4x32::generate(index / 2, 0, key);
  size_t first = index % 2 ? 2 : 0;
  auto uniform = [](uint32_t word) { return (word + 0.5) / 4294967296.0; };
  return std::sqrt(-2 * std::log(uniform(words[first]))) *
         std::cos(2 * std::numbers::pi * uniform(words[first + 1]));
}

float initialValue(const plan::Initializer &init, uint64_t key,
                   uint64_t index) {
  if (init.kind() == plan::Initializer::CONSTANT)
    return static_cast<float>(init.value());
  return static_cast<float>(init.value() * normalVariate(key, index));
}

void initializeShard(const RankPlan &rank, const ParameterShard &shard,
                     uint32_t buffer, std::byte *arena) {
  const plan::ElementType type =
      rank.rankClass->buffers(static_cast<int>(buffer)).type();
  std::byte *to = shardAddress(rank, shard, buffer, arena);
  uint64_t key = randomKey(rank.plan->job().train().seed(), shard.name, 0);
  const Box &box = shard.box;
  size_t dims = box.shape.size();
  int64_t columns = dims ? box.shape[dims - 1] : 1;
  const int64_t rows = columns ? box.elements() / columns : 0;
#pragma omp parallel
  {
    std::vector<float> row(static_cast<size_t>(columns));
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      uint64_t index = 0; // of the row's first element in the global tensor
      uint64_t scale = 1;
      int64_t rest = r;
      for (size_t d = dims; d-- > 0;) {
        const bool last = d + 1 == dims;
        const int64_t at = last ? 0 : rest % box.shape[d];
        if (!last)
          rest /= box.shape[d];
        index += scale * static_cast<uint64_t>(box.offset[d] + at);
        scale *= static_cast<uint64_t>(shard.globalShape[d]);
      }
      for (int64_t i = 0; i < columns; ++i)
        row[i] = initialValue(shard.parameter->init(), key, index + i);
      convertElements(reinterpret_cast<const std::byte *>(row.data()),
                      plan::F32, to + r * columns * elementBytes(type), type,
                      columns);
    }
  }
}

void zeroBuckets(const RankPlan &rank, std::byte *arena) {
  auto zero = [&](uint32_t number) {
    const plan::Buffer &buffer =
        rank.rankClass->buffers(static_cast<int>(number));
    zeroBytes(arena + buffer.offset(), static_cast<int64_t>(buffer.bytes()));
  };
  for (const plan::Bucket &bucket : rank.rankClass->buckets()) {
    zero(bucket.weight());
    zero(bucket.gradient());
    for (const plan::Bucket::State &state : bucket.states())
      zero(state.buffer());
  }
}

void resetOptimizerState(const RankPlan &rank, std::byte *arena) {
  for (const plan::Bucket &bucket : rank.rankClass->buckets())
    for (const plan::Bucket::State &state : bucket.states()) {
      const plan::Buffer &buffer =
          rank.rankClass->buffers(static_cast<int>(state.buffer()));
      if (state.name() == kMaster)
        convertBucket(rank, bucket, bucket.weight(), state.buffer(), arena);
      else
        zeroBytes(arena + buffer.offset(),
                  static_cast<int64_t>(buffer.bytes()));
    }
}

void initializeWeights(const RankPlan &rank, std::byte *arena) {
  zeroBuckets(rank, arena);
  for (const ParameterShard &shard : shardsOf(rank)) {
    const plan::Bucket &bucket =
        rank.rankClass->buckets(static_cast<int>(shard.parameter->bucket()));
    initializeShard(rank, shard, mastersOf(bucket).value_or(bucket.weight()),
                    arena);
  }
  for (const plan::Bucket &bucket : rank.rankClass->buckets())
    if (std::optional<uint32_t> masters = mastersOf(bucket))
      convertBucket(rank, bucket, *masters, bucket.weight(), arena);
}

} // namespace orrery::runtime
