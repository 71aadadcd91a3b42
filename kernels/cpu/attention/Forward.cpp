// Flash attention forward: one task per (sample, head, query tile).
#include "kernels/cpu/attention/Entry.h"
#include "kernels/cpu/attention/Tile.h"

#include <math.h>
#include <omp.h>

namespace orrery::kernels::ORRERY_ISA {
namespace {

// One thread's scratch, carved from `floats` floats.
struct ForwardScratch {
  float *rows, *qT, *k, *v, *scores, *factors, *out;

  ForwardScratch(float *p, int64_t padded) {
    auto take = [&](int64_t count) {
      float *begin = p;
      p += count;
      return begin;
    };
    rows = take(kTile * padded);
    qT = take(kTile * padded);
    k = take(kTile * padded);
    v = take(kTile * padded);
    out = take(kTile * padded);
    scores = take(kTile * kTile);
    factors = take(kTile * kTile);
  }
};

// Running softmax of the 64 queries of a tile, in units of log2.
struct RunningSoftmax {
  alignas(64) float maximum[kTile];
  alignas(64) float sum[kTile];
  alignas(64) float rescale[kTile]; // of what was summed before this tile
};

// scores := 2^(scores * scale2 - maximum), hidden entries 0; advances the
// maximum and the sum. Returns whether some rescale factor is not one.
bool softmaxTile(float *scores, int keys, int64_t firstKey, float scale2,
                 const Visibility &seen, bool masked, RunningSoftmax &state) {
  Ints changed = {};
  for (int lane = 0; lane < kTile; lane += kLanes) {
    Floats old = load(state.maximum + lane);
    Floats top = old;
    for (int r = 0; r < keys; ++r) {
      float *p = scores + r * kTile + lane;
      Floats x = load(p) * scale2;
      if (masked)
        x = select(seesKey(seen, lane, static_cast<int32_t>(firstKey + r)), x,
                   broadcast(kHidden));
      store(p, x);
      top = maximum(top, x);
    }
    Floats total = {};
    for (int r = 0; r < keys; ++r) {
      float *p = scores + r * kTile + lane;
      Floats x = load(p);
      Floats e = exp2Lanes(x - top);
      if (masked)
        e = select(x > broadcast(0.5f * kHidden), e, Floats{});
      store(p, e);
      total += e;
    }
    Floats rescale = exp2Lanes(old - top);
    store(state.rescale + lane, rescale);
    store(state.sum + lane, load(state.sum + lane) * rescale + total);
    store(state.maximum + lane, top);
    changed |= top != old;
  }
  int any = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    any |= changed[lane];
  return any != 0;
}

void multiplyTile(float *tile, const float *factors, int keys) {
  for (int i = 0; i < keys * kTile; i += kLanes)
    store(tile + i, load(tile + i) * load(factors + i));
}

void rescaleRows(float *out, const float *factors, int rows, int64_t padded) {
  for (int r = 0; r < rows; ++r)
    for (int64_t i = 0; i < padded; i += kLanes)
      store(out + r * padded + i, load(out + r * padded + i) * factors[r]);
}

// Divides by the softmax sums and writes o and lse.
void finish(const AttentionForwardArguments &a, int64_t b, int64_t n,
            int64_t firstQuery, int queries, const float *out, int64_t padded,
            const RunningSoftmax &state) {
  const AttentionShape &shape = a.shape;
  HeadRows o = headRows(a.o, b, n);
  float *lse = a.lse + (b * shape.heads + n) * shape.sequence + firstQuery;
  for (int q = 0; q < queries; ++q) {
    float inverse = state.sum[q] > 0 ? 1.0f / state.sum[q] : 0.0f;
    float *row = o.data + (firstQuery + q) * o.stride;
    for (int64_t i = 0; i < shape.dim; ++i)
      row[i] = out[q * padded + i] * inverse;
    lse[q] = state.sum[q] > 0
                 ? static_cast<float>(state.maximum[q] / kLog2E +
                                      log(static_cast<double>(state.sum[q])))
                 : -__builtin_inff();
  }
}

void queryTile(const AttentionForwardArguments &a, int64_t b, int64_t n,
               int64_t firstQuery, const ForwardScratch &s) {
  const AttentionShape &shape = a.shape;
  const int64_t padded = paddedDim(shape.dim);
  const int64_t left = shape.sequence - firstQuery;
  const int queries = static_cast<int>(left < kTile ? left : kTile);
  const int dim = static_cast<int>(shape.dim);
  const float scale2 = static_cast<float>(shape.scale * kLog2E);
  const DropoutTile dropout = dropoutTile(shape, b, n, firstQuery);
  Visibility seen;
  findVisibility(shape, b, firstQuery, queries, seen);
  packRows(headRows(a.q, b, n), firstQuery, queries, dim, padded, s.rows);
  transposeRows(s.rows, queries, dim, padded, s.qT);
  RunningSoftmax state;
  for (int q = 0; q < kTile; ++q) {
    state.maximum[q] = kHidden;
    state.sum[q] = 0;
  }
  for (int64_t i = 0; i < kTile * padded; ++i)
    s.out[i] = 0;
  for (int64_t key = seen.firstKey / kTile * kTile; key < seen.lastKey;
       key += kTile) {
    const int64_t rest = shape.sequence - key;
    const int keys = static_cast<int>(rest < kTile ? rest : kTile);
    packRows(headRows(a.k, b, n), key, keys, dim, padded, s.k);
    packRows(headRows(a.v, b, n), key, keys, dim, padded, s.v);
    tileProduct({s.k, padded, 1}, s.qT, kTile, s.scores, kTile, keys, kTile,
                dim, false);
    if (softmaxTile(s.scores, keys, key, scale2, seen,
                    needsMask(seen, key, keys), state))
      rescaleRows(s.out, state.rescale, queries, padded);
    if (shape.dropout > 0) {
      dropout.factors(key, keys, s.factors);
      multiplyTile(s.scores, s.factors, keys);
    }
    tileProduct({s.scores, 1, kTile}, s.v, padded, s.out, padded, queries,
                static_cast<int>(padded), keys, true);
  }
  finish(a, b, n, firstQuery, queries, s.out, padded, state);
}

} // namespace

void attentionForward(const AttentionForwardArguments &a, float *scratch,
                      int64_t floats, int threads) {
  const AttentionShape &shape = a.shape;
  const int64_t tiles = (shape.sequence + kTile - 1) / kTile;
  const int64_t tasks = tiles * shape.batch * shape.heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t task = 0; task < tasks; ++task) {
    // Late tiles see most keys when causal: they go first.
    int64_t tile = tiles - 1 - task / (shape.batch * shape.heads);
    int64_t head = task % (shape.batch * shape.heads);
    ForwardScratch own(scratch + floats * omp_get_thread_num(),
                       paddedDim(shape.dim));
    queryTile(a, head / shape.heads, head % shape.heads, tile * kTile, own);
  }
}

} // namespace orrery::kernels::ORRERY_ISA
