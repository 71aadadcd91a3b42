// Attention against the truth over awkward shapes, layouts and element types;
// runs wherever a back end puts the operands.
#ifndef ORRERY_TEST_KERNELS_CUDA_ATTENTIONSUITE_H
#define ORRERY_TEST_KERNELS_CUDA_ATTENTIONSUITE_H

#include "kernels/cuda/Attention.h"
#include "kernels/ref/Attention.h"
#include "test/kernels/Samples.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

namespace orrery::kernels {

/// Memory that the kernels reach.
class AttentionBackend {
public:
  virtual ~AttentionBackend() = default;
  /// Why there is nothing to test on; empty where there is.
  virtual std::string missing() = 0;
  /// A copy of `bytes` bytes, which lives as long as the result; reads and
  /// writes outside of it should be noticed.
  virtual std::shared_ptr<void> copyIn(const void *from, size_t bytes) = 0;
  /// Waits for the kernels; false, with a failure told, if one failed.
  virtual bool copyOut(void *to, const void *from, size_t bytes) = 0;
};
AttentionBackend &attentionBackend(); // of the test program

/// How q, k, v lie. Packed: [s, b, n, 3, d], as a fused projection leaves them.
/// Plain: three contiguous tensors. Odd: rows that start anywhere, with gaps.
/// Transposed: [b, n, s, d] in memory.
enum class Layout { Packed, Plain, Odd, Transposed };

struct AttentionCase {
  int64_t s, b, n, d;
  bool causal;
  double dropout;
  bool documents;
  Layout layout;

  friend std::ostream &operator<<(std::ostream &out, const AttentionCase &c) {
    static const char *const kNames[] = {"packed", "plain", "odd",
                                         "transposed"};
    return out << "s=" << c.s << " b=" << c.b << " n=" << c.n << " d=" << c.d
               << (c.causal ? " causal" : "") << " dropout=" << c.dropout
               << (c.documents ? " documents " : " ")
               << kNames[static_cast<int>(c.layout)];
  }
};

// 16-bit elements as bits, both ways; by way of the compiler's own types where
// it has them would need some, so by hand.
inline float floatOf(ElementType type, uint16_t bits) {
  if (type == ElementType::BF16)
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float magnitude = exponent ? std::ldexp(1024.0f + mantissa, exponent - 25)
                             : std::ldexp(static_cast<float>(mantissa), -24);
  if (exponent == 31)
    magnitude = mantissa ? NAN : INFINITY;
  return bits >> 15 ? -magnitude : magnitude;
}
/// Towards zero; inputs need no better. NaN and infinity stay.
inline uint16_t bitsOf(ElementType type, float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (type == ElementType::BF16)
    return static_cast<uint16_t>(bits >> 16);
  if (std::isnan(x) || std::isinf(x))
    return static_cast<uint16_t>(bits >> 31 << 15 | 0x7c00 | std::isnan(x));
  if (std::fabs(x) < 6.2e-5f) // below the normal numbers
    return static_cast<uint16_t>(bits >> 31 << 15);
  return static_cast<uint16_t>(bits >> 31 << 15 |
                               ((bits >> 23 & 255) - 112) << 10 |
                               (bits >> 13 & 1023));
}

/// Elements of one type in the back end's memory.
class Elements {
public:
  Elements(ElementType type, const std::vector<float> &values)
      : type(type), raw(values.size() * elementBytes(type)) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (type == ElementType::F32)
        std::memcpy(&raw[i * 4], &values[i], 4);
      else
        setBits(i, bitsOf(type, values[i]));
    }
    memory = attentionBackend().copyIn(raw.data(), raw.size());
  }

  void *at(int64_t element) const {
    return static_cast<char *>(memory.get()) + element * elementBytes(type);
  }
  /// What the kernels left.
  std::vector<float> read() {
    if (!attentionBackend().copyOut(raw.data(), memory.get(), raw.size()))
      return {};
    return values();
  }
  std::vector<float> values() const {
    std::vector<float> values(raw.size() / elementBytes(type));
    for (size_t i = 0; i < values.size(); ++i) {
      if (type == ElementType::F32) {
        std::memcpy(&values[i], &raw[i * 4], 4);
        continue;
      }
      uint16_t bits;
      std::memcpy(&bits, &raw[i * 2], 2);
      values[i] = floatOf(type, bits);
    }
    return values;
  }

private:
  void setBits(size_t i, uint16_t bits) { std::memcpy(&raw[i * 2], &bits, 2); }

  ElementType type;
  std::vector<char> raw;
  std::shared_ptr<void> memory;
};

/// `parts` [s, b, n, d] tensors in one array, by a layout.
struct Placement {
  int64_t s, b, n, d, parts;
  int64_t strideS, strideB, strideN, partOffset, size;
  int64_t offset = 0;

  Placement(const AttentionCase &c, Layout layout, int64_t parts)
      : s(c.s), b(c.b), n(c.n), d(c.d), parts(parts) {
    switch (layout) {
    case Layout::Packed:
      strideN = parts * d;
      strideB = n * strideN;
      strideS = b * strideB;
      partOffset = d;
      break;
    case Layout::Plain:
      strideN = d;
      strideB = n * d;
      strideS = b * strideB;
      partOffset = s * strideS;
      break;
    case Layout::Odd:
      strideN = d + 3;
      strideB = n * strideN + 1;
      strideS = b * strideB + 2;
      partOffset = s * strideS + 5;
      offset = 1;
      break;
    case Layout::Transposed:
      strideS = d;
      strideN = s * d;
      strideB = n * strideN;
      partOffset = b * strideB;
      break;
    }
    size = at(parts - 1, s - 1, b - 1, n - 1, d - 1) + 1;
  }

  int64_t at(int64_t part, int64_t i, int64_t sample, int64_t head,
             int64_t x) const {
    return offset + part * partOffset + i * strideS + sample * strideB +
           head * strideN + x;
  }
  AttentionTensor tensor(const Elements &array, int64_t part) const {
    return {array.at(at(part, 0, 0, 0, 0)), strideS, strideB, strideN};
  }
  /// Calls visit(index in the array, index in contiguous [s, b, n, d]).
  template <class Visit> void forEach(int64_t part, Visit visit) const {
    for (int64_t i = 0, to = 0; i < s; ++i)
      for (int64_t sample = 0; sample < b; ++sample)
        for (int64_t head = 0; head < n; ++head)
          for (int64_t x = 0; x < d; ++x)
            visit(at(part, i, sample, head, x), to++);
  }
  std::vector<double> part(const std::vector<float> &array,
                           int64_t part) const {
    std::vector<double> values(s * b * n * d);
    forEach(part, [&](int64_t from, int64_t to) { values[to] = array[from]; });
    return values;
  }
};

inline ref::Attention attentionTruth(const AttentionCase &c) {
  ref::Attention truth;
  truth.s = c.s;
  truth.b = c.b;
  truth.n = c.n;
  truth.d = c.d;
  truth.scale = 1 / std::sqrt(static_cast<double>(c.d));
  truth.causal = c.causal;
  truth.dropout = c.dropout;
  truth.key = 0x1234567890abcdefull;
  truth.sample = 3;
  truth.head = 2;
  truth.totalHeads = c.n + 5;
  if (c.documents)
    for (int64_t i = 0; i < c.s; ++i)
      for (int64_t j = 0; j < c.b; ++j)
        truth.documentStart.push_back(
            static_cast<int32_t>(i / (37 + 30 * j) * (37 + 30 * j)));
  return truth;
}

/// Operands and results of one case.
struct AttentionProblem {
  AttentionProblem(ElementType type, const AttentionCase &c,
                   const ref::Attention &truth)
      : type(type), c(c), truth(truth), in(c, c.layout, 3),
        out(c, c.layout == Layout::Odd ? Layout::Odd : Layout::Plain, 1),
        qkv(type, operands(in, 11, 2)), gradO(type, operands(out, 12, 1)),
        o(type, std::vector<float>(out.size, NAN)),
        lse(ElementType::F32, std::vector<float>(c.s * c.b * c.n, NAN)),
        gradQkv(type, std::vector<float>(in.size, NAN)),
        key(attentionBackend().copyIn(&truth.key, sizeof(truth.key))) {
    shape = {
        c.s,       c.b, c.n,          c.d,        truth.scale,     c.causal,
        c.dropout, 0,   truth.sample, truth.head, truth.totalHeads};
    if (!truth.documentStart.empty()) {
      documents = attentionBackend().copyIn(truth.documentStart.data(),
                                            truth.documentStart.size() *
                                                sizeof(int32_t));
      shape.documentStart = static_cast<const int32_t *>(documents.get());
      shape.documentStrideS = c.b;
      shape.documentStrideB = 1;
    }
  }

  // NaN in the gaps: whoever reads them shows it.
  static std::vector<float> operands(const Placement &where, uint64_t seed,
                                     float factor) {
    std::vector<float> all(where.size, NAN);
    const int64_t count = where.s * where.b * where.n * where.d;
    const std::vector<float> values = uniform(count * where.parts, seed);
    for (int64_t part = 0; part < where.parts; ++part)
      where.forEach(part, [&](int64_t to, int64_t from) {
        all[to] = factor * values[part * count + from];
      });
    return all;
  }

  void run() {
    const AttentionForwardArguments forward = {shape,
                                               in.tensor(qkv, 0),
                                               in.tensor(qkv, 1),
                                               in.tensor(qkv, 2),
                                               out.tensor(o, 0),
                                               static_cast<float *>(lse.at(0))};
    const auto *keyThere = static_cast<const uint64_t *>(key.get());
    ASSERT_EQ(cuda::attentionScratchBytes(type, shape, false), 0);
    ASSERT_EQ(cuda::attention(type, forward, keyThere, nullptr, nullptr),
              cudaSuccess);
    const AttentionBackwardArguments backward = {shape,
                                                 forward.q,
                                                 forward.k,
                                                 forward.v,
                                                 forward.o,
                                                 forward.lse,
                                                 out.tensor(gradO, 0),
                                                 in.tensor(gradQkv, 0),
                                                 in.tensor(gradQkv, 1),
                                                 in.tensor(gradQkv, 2)};
    const std::vector<unsigned char> poison(
        cuda::attentionScratchBytes(type, shape, true), 0xff);
    auto scratch = attentionBackend().copyIn(poison.data(), poison.size());
    ASSERT_EQ(
        cuda::attentionGrad(type, backward, keyThere, scratch.get(), nullptr),
        cudaSuccess);
    gotO = o.read();
    gotLse = lse.read();
    gotGradQkv = gradQkv.read();
    ASSERT_FALSE(gotO.empty() || gotLse.empty() || gotGradQkv.empty());
  }

  ElementType type;
  AttentionCase c;
  ref::Attention truth;
  Placement in, out;
  Elements qkv, gradO, o, lse, gradQkv;
  std::shared_ptr<void> key, documents;
  AttentionShape shape;
  std::vector<float> gotO, gotLse, gotGradQkv;
};

/// ‖actual - truth‖ / ‖truth‖ over all elements, at most `tolerance`. Where the
/// truth is zero because terms of about one cancel (the gradient of q for a
/// single key), each element may be off by their rounding: in f32, and, where
/// all of the truth is zero, as much as `tolerance` allows elements of one,
/// since the output that the gradient reads is rounded to its type.
inline void expectNear(const std::vector<double> &actual,
                       const std::vector<double> &truth, double tolerance,
                       const char *what) {
  ASSERT_EQ(actual.size(), truth.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (std::isinf(truth[i])) {
      ASSERT_EQ(actual[i], truth[i]) << what << " " << i;
      continue;
    }
    error += (actual[i] - truth[i]) * (actual[i] - truth[i]);
    norm += truth[i] * truth[i];
  }
  // Not written as an upper bound alone: NaN must fail.
  const double rounding = (norm == 0 ? std::max(5e-7, tolerance) : 5e-7) *
                          std::sqrt(static_cast<double>(truth.size()));
  EXPECT_TRUE(std::sqrt(error) <= tolerance * std::sqrt(norm) + rounding)
      << what << ": error " << std::sqrt(error) << " of " << std::sqrt(norm);
}

/// Elements between the tensors of an array must be as they were: NaN.
inline void expectGapsUntouched(const Placement &where,
                                const std::vector<float> &array) {
  std::vector<bool> inside(array.size(), false);
  for (int64_t part = 0; part < where.parts; ++part)
    where.forEach(part, [&](int64_t at, int64_t) { inside[at] = true; });
  for (size_t i = 0; i < array.size(); ++i)
    ASSERT_TRUE(inside[i] || std::isnan(array[i])) << "gap element " << i;
}

/// All results by the truth, queries shared out to the machine's cores.
struct TrueResults {
  std::vector<double> o, lse, gradQ, gradK, gradV;

  TrueResults(const ref::Attention &truth, const std::vector<double> &q,
              const std::vector<double> &k, const std::vector<double> &v,
              const std::vector<double> &gradO)
      : o(q.size(), 0), lse(truth.b * truth.n * truth.s), gradQ(o), gradK(o),
        gradV(o) {
    const int64_t queries = truth.b * truth.n * truth.s;
    const int64_t count = std::min<int64_t>(
        queries, std::max(1u, std::thread::hardware_concurrency()));
    // Keys are everybody's: each thread sums its own gradients of them.
    std::vector<std::vector<double>> gradKs(count, gradK), gradVs(count, gradV);
    std::vector<std::thread> threads;
    for (int64_t thread = 0; thread < count; ++thread)
      threads.emplace_back([&, thread] {
        for (int64_t row = thread; row < queries; row += count) {
          const int64_t t = row / truth.s / truth.n,
                        h = row / truth.s % truth.n, i = row % truth.s;
          truth.forwardQuery(q, k, v, o, lse, t, h, i);
          truth.backwardQuery(q, k, v, gradO, gradQ, gradKs[thread],
                              gradVs[thread], t, h, i);
        }
      });
    for (std::thread &thread : threads)
      thread.join();
    for (int64_t thread = 0; thread < count; ++thread)
      for (size_t at = 0; at < gradK.size(); ++at) {
        gradK[at] += gradKs[thread][at];
        gradV[at] += gradVs[thread][at];
      }
  }
};

inline void expectTruth(AttentionProblem &p) {
  const double tolerance = p.type == ElementType::F32   ? 1e-5
                           : p.type == ElementType::F16 ? 2e-3
                                                        : 1.5e-2;
  const std::vector<float> qkv = p.qkv.values();
  const std::vector<double> q = p.in.part(qkv, 0), k = p.in.part(qkv, 1),
                            v = p.in.part(qkv, 2);
  const TrueResults t(p.truth, q, k, v, p.out.part(p.gradO.values(), 0));
  expectNear(p.out.part(p.gotO, 0), t.o, tolerance, "o");
  expectNear(widen(p.gotLse), t.lse, tolerance / 10, "lse");
  expectNear(p.in.part(p.gotGradQkv, 0), t.gradQ, tolerance, "gradQ");
  expectNear(p.in.part(p.gotGradQkv, 1), t.gradK, tolerance, "gradK");
  expectNear(p.in.part(p.gotGradQkv, 2), t.gradV, tolerance, "gradV");
  expectGapsUntouched(p.out, p.gotO);
  expectGapsUntouched(p.in, p.gotGradQkv);
}

// As bits, so that NaN gaps compare.
inline bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
inline bool sameResults(const AttentionProblem &a, const AttentionProblem &b) {
  return sameBits(a.gotO, b.gotO) && sameBits(a.gotLse, b.gotLse) &&
         sameBits(a.gotGradQkv, b.gotGradQkv);
}

using TypedCase = std::tuple<ElementType, AttentionCase>;

class CudaAttention : public ::testing::TestWithParam<TypedCase> {
protected:
  void SetUp() override {
    if (std::string missing = attentionBackend().missing(); !missing.empty())
      GTEST_SKIP() << missing;
  }
};

inline const auto kAttentionTypes =
    ::testing::Values(ElementType::F32, ElementType::F16, ElementType::BF16);

inline std::string caseName(const ::testing::TestParamInfo<TypedCase> &info) {
  return std::string(elementName(std::get<0>(info.param))) + "_" +
         std::to_string(info.index);
}

// q = k = 0: P is uniform over what a query sees, and with v or gradO a unit
// matrix o and gradV are P themselves, so every decision of dropout shows.
inline void expectExactMask(ElementType type, int64_t s, bool causal) {
  const AttentionCase c = {s, 2, 2, s, causal, 0.3, false, Layout::Packed};
  const ref::Attention truth = attentionTruth(c);
  AttentionProblem p(type, c, truth);
  std::vector<float> qkv(p.in.size, 0), unit(p.out.size, 0);
  for (int64_t i = 0; i < s; ++i)
    for (int64_t sample = 0; sample < c.b; ++sample)
      for (int64_t head = 0; head < c.n; ++head) {
        qkv[p.in.at(2, i, sample, head, i)] = 1;
        unit[p.out.at(0, i, sample, head, i)] = 1;
      }
  p.qkv = Elements(type, qkv);
  p.gradO = Elements(type, unit);
  p.run();
  for (int64_t i = 0; i < s; ++i)
    for (int64_t j = 0; j < s; ++j)
      for (int64_t sample = 0; sample < c.b; ++sample)
        for (int64_t head = 0; head < c.n; ++head) {
          const double sees = truth.sees(i, j, sample) ? 1 : 0;
          const double expected = sees * truth.factor(sample, head, i, j) /
                                  static_cast<double>(causal ? i + 1 : s);
          ASSERT_NEAR(p.gotO[p.out.at(0, i, sample, head, j)], expected,
                      0.01 * expected)
              << "o: query " << i << " key " << j;
          ASSERT_NEAR(p.gotGradQkv[p.in.at(2, j, sample, head, i)], expected,
                      0.01 * expected)
              << "gradV: query " << i << " key " << j;
        }
}

// A loss scale that is too large shows as infinities and NaNs, which must not
// be lost on the way: query 5 has one, and nobody else's o may.
inline void expectNanIsCarried(ElementType type) {
  for (float bad : {NAN, INFINITY}) {
    const AttentionCase c = {40, 1, 1, 24, true, 0, false, Layout::Packed};
    AttentionProblem p(type, c, attentionTruth(c));
    std::vector<float> qkv = p.qkv.values();
    qkv[p.in.at(0, 5, 0, 0, 3)] = bad;
    p.qkv = Elements(type, qkv);
    p.run();
    for (int64_t i = 0; i < c.s; ++i)
      for (int64_t x = 0; x < c.d; ++x)
        ASSERT_EQ(std::isnan(p.gotO[p.out.at(0, i, 0, 0, x)]), i == 5)
            << "o of query " << i << " for an input of " << bad;
    for (int64_t x = 0; x < c.d; ++x) {
      EXPECT_TRUE(std::isnan(p.gotGradQkv[p.in.at(0, 5, 0, 0, x)]));
      EXPECT_TRUE(std::isnan(p.gotGradQkv[p.in.at(1, 0, 0, 0, x)]));
      EXPECT_TRUE(std::isnan(p.gotGradQkv[p.in.at(2, 0, 0, 0, x)]));
    }
  }
}

} // namespace orrery::kernels

#endif // ORRERY_TEST_KERNELS_CUDA_ATTENTIONSUITE_H
