// The truth for attention and its gradient: double precision, every sum
// written out, the s×s matrix in full.
#ifndef ORRERY_KERNELS_REF_ATTENTION_H
#define ORRERY_KERNELS_REF_ATTENTION_H

#include "kernels/ref/Dropout.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace orrery::kernels::ref {

/// Tensors are contiguous [s, b, n, d]; lse is [b, n, s].
struct Attention {
  int64_t s = 1, b = 1, n = 1, d = 1;
  double scale = 1;
  bool causal = false;
  double dropout = 0;
  uint64_t key = 0;
  int64_t sample = 0, head = 0, totalHeads = 1;
  std::vector<int32_t> documentStart; // [s, b], or empty

  int64_t at(int64_t i, int64_t sampleHere, int64_t headHere, int64_t x) const {
    return ((i * b + sampleHere) * n + headHere) * d + x;
  }
  bool sees(int64_t query, int64_t keyPosition, int64_t sampleHere) const {
    int64_t begin =
        documentStart.empty() ? 0 : documentStart[query * b + sampleHere];
    return keyPosition >= begin && (!causal || keyPosition <= query);
  }
  /// 1 / (1 - p) where the probability is kept, else 0.
  double factor(int64_t sampleHere, int64_t headHere, int64_t query,
                int64_t keyPosition) const {
    if (dropout == 0)
      return 1;
    uint64_t element =
        (((sample + sampleHere) * totalHeads + head + headHere) * s + query) *
            s +
        keyPosition;
    return dropoutKeeps(element, key, dropoutThreshold(dropout))
               ? 1 / (1 - dropout)
               : 0;
  }
  /// ln of the softmax denominator; -infinity when nothing is visible.
  double logSum(const std::vector<double> &q, const std::vector<double> &k,
                int64_t sampleHere, int64_t headHere, int64_t query) const {
    double sum = 0;
    for (int64_t j = 0; j < s; ++j)
      if (sees(query, j, sampleHere))
        sum += std::exp(score(q, k, sampleHere, headHere, query, j));
    return sum > 0 ? std::log(sum) : -std::numeric_limits<double>::infinity();
  }
  double score(const std::vector<double> &q, const std::vector<double> &k,
               int64_t sampleHere, int64_t headHere, int64_t query,
               int64_t keyPosition) const {
    double sum = 0;
    for (int64_t x = 0; x < d; ++x)
      sum += q[at(query, sampleHere, headHere, x)] *
             k[at(keyPosition, sampleHere, headHere, x)];
    return scale * sum;
  }

  /// o = dropout(softmax(scale q k^T)) v.
  void forward(const std::vector<double> &q, const std::vector<double> &k,
               const std::vector<double> &v, std::vector<double> &o,
               std::vector<double> &lse) const {
    o.assign(s * b * n * d, 0);
    lse.assign(b * n * s, 0);
    for (int64_t t = 0; t < b; ++t)
      for (int64_t h = 0; h < n; ++h)
        for (int64_t i = 0; i < s; ++i)
          forwardQuery(q, k, v, o, lse, t, h, i);
  }

  // One query: its rows of o, which is zero, and of lse.
  void forwardQuery(const std::vector<double> &q, const std::vector<double> &k,
                    const std::vector<double> &v, std::vector<double> &o,
                    std::vector<double> &lse, int64_t t, int64_t h,
                    int64_t i) const {
    double norm = lse[(t * n + h) * s + i] = logSum(q, k, t, h, i);
    for (int64_t j = 0; j < s; ++j) {
      if (!sees(i, j, t))
        continue;
      double p = std::exp(score(q, k, t, h, i, j) - norm) * factor(t, h, i, j);
      for (int64_t x = 0; x < d; ++x)
        o[at(i, t, h, x)] += p * v[at(j, t, h, x)];
    }
  }

  /// Gradients of sum(o * gradO).
  void backward(const std::vector<double> &q, const std::vector<double> &k,
                const std::vector<double> &v, const std::vector<double> &gradO,
                std::vector<double> &gradQ, std::vector<double> &gradK,
                std::vector<double> &gradV) const {
    for (std::vector<double> *grad : {&gradQ, &gradK, &gradV})
      grad->assign(s * b * n * d, 0);
    for (int64_t t = 0; t < b; ++t)
      for (int64_t h = 0; h < n; ++h)
        for (int64_t i = 0; i < s; ++i)
          backwardQuery(q, k, v, gradO, gradQ, gradK, gradV, t, h, i);
  }

  // One query's part of all three: P from the scores, then
  // gradS = P (gradP - sum P gradP).
  void backwardQuery(const std::vector<double> &q, const std::vector<double> &k,
                     const std::vector<double> &v,
                     const std::vector<double> &gradO,
                     std::vector<double> &gradQ, std::vector<double> &gradK,
                     std::vector<double> &gradV, int64_t t, int64_t h,
                     int64_t i) const {
    double norm = logSum(q, k, t, h, i);
    std::vector<double> p(s, 0), gradP(s, 0);
    double sum = 0;
    for (int64_t j = 0; j < s; ++j) {
      if (!sees(i, j, t))
        continue;
      p[j] = std::exp(score(q, k, t, h, i, j) - norm);
      double f = factor(t, h, i, j);
      for (int64_t x = 0; x < d; ++x) {
        gradP[j] += f * gradO[at(i, t, h, x)] * v[at(j, t, h, x)];
        gradV[at(j, t, h, x)] += p[j] * f * gradO[at(i, t, h, x)];
      }
      sum += p[j] * gradP[j];
    }
    for (int64_t j = 0; j < s; ++j)
      for (int64_t x = 0; x < d; ++x) {
        double gradS = scale * p[j] * (gradP[j] - sum);
        gradQ[at(i, t, h, x)] += gradS * k[at(j, t, h, x)];
        gradK[at(j, t, h, x)] += gradS * q[at(i, t, h, x)];
      }
  }
};

} // namespace orrery::kernels::ref

#endif // ORRERY_KERNELS_REF_ATTENTION_H
