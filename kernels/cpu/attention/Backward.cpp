// Flash attention backward.
//
// With many heads a task is one (sample, head): five products per tile. With
// few, tasks are query tiles for dq and then key tiles for dk and dv: seven
// products per tile, but work for every thread. Which of the two is a function
// of the shape alone, so the bits do not depend on the threads.
#include "kernels/cpu/attention/Entry.h"
#include "kernels/cpu/attention/Tile.h"

#include <omp.h>

namespace orrery::kernels::ORRERY_ISA {
namespace {

struct BackwardScratch {
  float *q, *qT, *gradO, *gradOT, *k, *v, *gradQ; // [kTile, padded]
  float *p, *gradS, *factors;                     // [kTile, kTile]
  float *gradK, *gradV;                           // [keys of the task, padded]

  BackwardScratch(float *base, int64_t padded, int64_t keys) {
    float **tiles[] = {&q, &qT, &gradO, &gradOT, &k, &v, &gradQ};
    for (float **tile : tiles) {
      *tile = base;
      base += kTile * padded;
    }
    float **squares[] = {&p, &gradS, &factors};
    for (float **square : squares) {
      *square = base;
      base += kTile * kTile;
    }
    gradK = base;
    gradV = base + keys * padded;
  }
};

// What a task works on: query and key ranges, multiples of the tile or the end.
struct Range {
  int64_t b, n;
  int64_t queryBegin, queryEnd;
  int64_t keyBegin, keyEnd;
  bool forQueries; // write dq
  bool forKeys;    // write dk and dv
};

// Per query: ln-sum in units of log2 and D = sum over d of gradO * o.
struct QueryStatistics {
  alignas(64) float lse2[kTile];
  alignas(64) float dot[kTile];
};

void loadQueries(const AttentionBackwardArguments &a, const Range &range,
                 int64_t firstQuery, int queries, const BackwardScratch &s,
                 QueryStatistics &statistics) {
  const AttentionShape &shape = a.shape;
  const int64_t padded = paddedDim(shape.dim);
  packRows(headRows(a.q, range.b, range.n), firstQuery, queries, shape.dim,
           padded, s.q);
  transposeRows(s.q, queries, shape.dim, padded, s.qT);
  packRows(headRows(a.gradO, range.b, range.n), firstQuery, queries, shape.dim,
           padded, s.gradO);
  transposeRows(s.gradO, queries, shape.dim, padded, s.gradOT);
  HeadRows o = headRows(a.o, range.b, range.n);
  const float *lse =
      a.lse + (range.b * shape.heads + range.n) * shape.sequence + firstQuery;
  for (int q = 0; q < kTile; ++q) {
    statistics.lse2[q] = statistics.dot[q] = 0;
    if (q >= queries)
      continue;
    statistics.lse2[q] = static_cast<float>(lse[q] * kLog2E);
    const float *row = o.data + (firstQuery + q) * o.stride;
    float sum = 0;
    for (int64_t i = 0; i < shape.dim; ++i)
      sum += s.gradO[q * padded + i] * row[i];
    statistics.dot[q] = sum;
  }
}

// p: scores -> probabilities after dropout; gradS: gradient of the dropped
// probabilities -> gradient of q k^T.
//   P = 2^(scale2 * score - lse2),  gradS = scale * P * (F * gradP - D),  F * P
void differentiateTile(float *p, float *gradS, const float *factors, int keys,
                       int64_t firstKey, float scale, const Visibility &seen,
                       const QueryStatistics &statistics) {
  const bool masked = needsMask(seen, firstKey, keys);
  const float scale2 = static_cast<float>(scale * kLog2E);
  for (int lane = 0; lane < kTile; lane += kLanes) {
    const Floats lse2 = load(statistics.lse2 + lane);
    const Floats dot = load(statistics.dot + lane);
    for (int r = 0; r < keys; ++r) {
      const int at = r * kTile + lane;
      Floats probability = exp2Lanes(load(p + at) * scale2 - lse2);
      if (masked)
        probability =
            select(seesKey(seen, lane, static_cast<int32_t>(firstKey + r)),
                   probability, Floats{});
      Floats grad = load(gradS + at);
      Floats kept = probability;
      if (factors) {
        Floats factor = load(factors + at);
        grad *= factor;
        kept *= factor;
      }
      store(gradS + at, probability * (grad - dot) * scale);
      store(p + at, kept);
    }
  }
}

void keyTile(const AttentionBackwardArguments &a, const Range &range,
             int64_t firstKey, int queries, const Visibility &seen,
             const DropoutTile &dropout, const QueryStatistics &statistics,
             const BackwardScratch &s) {
  const AttentionShape &shape = a.shape;
  const int64_t padded = paddedDim(shape.dim);
  const int dim = static_cast<int>(shape.dim);
  const int width = static_cast<int>(padded);
  const int64_t rest = shape.sequence - firstKey;
  const int keys = static_cast<int>(rest < kTile ? rest : kTile);
  packRows(headRows(a.k, range.b, range.n), firstKey, keys, dim, padded, s.k);
  packRows(headRows(a.v, range.b, range.n), firstKey, keys, dim, padded, s.v);
  tileProduct({s.k, padded, 1}, s.qT, kTile, s.p, kTile, keys, kTile, dim,
              false);
  tileProduct({s.v, padded, 1}, s.gradOT, kTile, s.gradS, kTile, keys, kTile,
              dim, false);
  if (shape.dropout > 0)
    dropout.factors(firstKey, keys, s.factors);
  differentiateTile(s.p, s.gradS, shape.dropout > 0 ? s.factors : nullptr, keys,
                    firstKey, static_cast<float>(shape.scale), seen,
                    statistics);
  if (range.forKeys) {
    const int64_t at = (firstKey - range.keyBegin) * padded;
    tileProduct({s.p, kTile, 1}, s.gradO, padded, s.gradV + at, padded, keys,
                width, queries, true);
    tileProduct({s.gradS, kTile, 1}, s.q, padded, s.gradK + at, padded, keys,
                width, queries, true);
  }
  if (range.forQueries)
    tileProduct({s.gradS, 1, kTile}, s.k, padded, s.gradQ, padded, queries,
                width, keys, true);
}

void writeRows(const AttentionTensor &out, int64_t b, int64_t n, int64_t first,
               int64_t count, int64_t dim, const float *rows) {
  HeadRows to = headRows(out, b, n);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t i = 0; i < dim; ++i)
      to.data[(first + r) * to.stride + i] = rows[r * paddedDim(dim) + i];
}

void runRange(const AttentionBackwardArguments &a, const Range &range,
              float *scratch) {
  const AttentionShape &shape = a.shape;
  const int64_t padded = paddedDim(shape.dim);
  const int64_t keys = range.keyEnd - range.keyBegin;
  const BackwardScratch s(scratch, padded, keys);
  if (range.forKeys)
    for (int64_t i = 0; i < 2 * keys * padded; ++i)
      s.gradK[i] = 0; // gradV follows
  QueryStatistics statistics;
  Visibility seen;
  for (int64_t query = range.queryBegin; query < range.queryEnd;
       query += kTile) {
    const int64_t rest = shape.sequence - query;
    const int queries = static_cast<int>(rest < kTile ? rest : kTile);
    findVisibility(shape, range.b, query, queries, seen);
    int64_t begin = seen.firstKey / kTile * kTile;
    begin = begin > range.keyBegin ? begin : range.keyBegin;
    const int64_t end =
        seen.lastKey < range.keyEnd ? seen.lastKey : range.keyEnd;
    if (begin < end)
      loadQueries(a, range, query, queries, s, statistics);
    for (int64_t i = 0; range.forQueries && i < kTile * padded; ++i)
      s.gradQ[i] = 0;
    const DropoutTile dropout = dropoutTile(shape, range.b, range.n, query);
    for (int64_t key = begin; key < end; key += kTile)
      keyTile(a, range, key, queries, seen, dropout, statistics, s);
    if (range.forQueries)
      writeRows(a.gradQ, range.b, range.n, query, queries, shape.dim, s.gradQ);
  }
  if (!range.forKeys)
    return;
  writeRows(a.gradK, range.b, range.n, range.keyBegin, keys, shape.dim,
            s.gradK);
  writeRows(a.gradV, range.b, range.n, range.keyBegin, keys, shape.dim,
            s.gradV);
}

// From this many heads on, a task is a whole head.
constexpr int64_t kManyHeads = 8;

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

} // namespace

void attentionBackward(const AttentionBackwardArguments &a, float *scratch,
                       int64_t floats, int threads) {
  const AttentionShape &shape = a.shape;
  const int64_t s = shape.sequence;
  const int64_t heads = shape.batch * shape.heads;
  const int64_t tiles = (s + kTile - 1) / kTile;
  const bool whole = heads >= kManyHeads || tiles == 1;
  const int64_t tasks = whole ? heads : 2 * tiles * heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t task = 0; task < tasks; ++task) {
    const int64_t head = task % heads;
    Range range = {
        head / shape.heads, head % shape.heads, 0, s, 0, s, true, true};
    if (!whole) {
      const int64_t part = task / heads;
      const int64_t first = part % tiles * kTile;
      range.forQueries = part < tiles;
      range.forKeys = !range.forQueries;
      int64_t &begin = range.forQueries ? range.queryBegin : range.keyBegin;
      int64_t &end = range.forQueries ? range.queryEnd : range.keyEnd;
      begin = first;
      end = least(first + kTile, s);
    }
    runRange(a, range, scratch + floats * omp_get_thread_num());
  }
}

} // namespace orrery::kernels::ORRERY_ISA
