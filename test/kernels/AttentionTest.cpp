// Attention forward and backward against the truth, over awkward shapes.
#include "kernels/cpu/Attention.h"

#include "kernels/ref/Attention.h"
#include "test/kernels/Samples.h"

#include <cstdlib>
#include <memory>

using namespace orrery::kernels;

namespace {

struct Case {
  int64_t s, b, n, d;
  bool causal;
  double dropout;
  bool documents;
};

// Buffers of one case. q, k and v share one [s, b, n, 3, d] buffer, so that
// their strides are not those of contiguous tensors.
struct Problem {
  explicit Problem(const Case &c) : c(c) {
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
              static_cast<int32_t>(i / (7 + j) * (7 + j)));
    size_t count = c.s * c.b * c.n * c.d;
    qkv = uniform(3 * count, 11);
    for (float &x : qkv)
      x *= 2;
    gradO = uniform(count, 12);
    o.assign(count, NAN);
    lse.assign(c.s * c.b * c.n, NAN);
    gradQkv.assign(3 * count, NAN);
    for (int part = 0; part < 3; ++part)
      wide[part] = widen(unpack(qkv, part));
    shape = {c.s,
             c.b,
             c.n,
             c.d,
             truth.scale,
             c.causal,
             c.dropout,
             truth.key,
             truth.sample,
             truth.head,
             truth.totalHeads};
    if (c.documents) {
      shape.documentStart = truth.documentStart.data();
      shape.documentStrideS = c.b;
      shape.documentStrideB = 1;
    }
  }

  std::vector<float> unpack(const std::vector<float> &from, int part) const {
    std::vector<float> to;
    for (int64_t row = 0; row < c.s * c.b * c.n; ++row)
      for (int64_t x = 0; x < c.d; ++x)
        to.push_back(from[(row * 3 + part) * c.d + x]);
    return to;
  }
  AttentionTensor packed(std::vector<float> &from, int part) const {
    int64_t d3 = 3 * c.d;
    return {from.data() + part * c.d, c.b * c.n * d3, c.n * d3, d3};
  }
  AttentionTensor plain(std::vector<float> &from) const {
    return {from.data(), c.b * c.n * c.d, c.n * c.d, c.d};
  }

  void run(int threads, Isa isa = bestIsa()) {
    int64_t bytes = attentionScratchBytes(shape, threads);
    std::unique_ptr<void, decltype(&std::free)> scratch(
        std::aligned_alloc(64, (bytes + 63) / 64 * 64), &std::free);
    AttentionForwardArguments forward = {shape,          packed(qkv, 0),
                                         packed(qkv, 1), packed(qkv, 2),
                                         plain(o),       lse.data()};
    ASSERT_TRUE(
        attention(ElementType::F32, forward, scratch.get(), threads, isa).ok());
    AttentionBackwardArguments backward = {shape,
                                           packed(qkv, 0),
                                           packed(qkv, 1),
                                           packed(qkv, 2),
                                           plain(o),
                                           lse.data(),
                                           plain(gradO),
                                           packed(gradQkv, 0),
                                           packed(gradQkv, 1),
                                           packed(gradQkv, 2)};
    ASSERT_TRUE(
        attentionGrad(ElementType::F32, backward, scratch.get(), threads, isa)
            .ok());
  }

  Case c;
  ref::Attention truth;
  AttentionShape shape;
  std::vector<float> qkv, gradO, o, lse, gradQkv;
  std::vector<double> wide[3];
};

class AttentionCases : public ::testing::TestWithParam<Case> {};

TEST_P(AttentionCases, AgreesWithTheTruthOnEveryInstructionSet) {
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (isa > bestIsa())
      continue; // this processor lacks it
    SCOPED_TRACE(static_cast<int>(isa));
    Problem p(GetParam());
    p.run(2, isa);
    std::vector<double> o, lse, gradQ, gradK, gradV;
    p.truth.forward(p.wide[0], p.wide[1], p.wide[2], o, lse);
    expectClose(p.o, o, 3e-6, "o");
    expectClose(p.lse, lse, 1e-6, "lse");
    p.truth.backward(p.wide[0], p.wide[1], p.wide[2], widen(p.gradO), gradQ,
                     gradK, gradV);
    expectClose(p.unpack(p.gradQkv, 0), gradQ, 1e-5, "gradQ");
    expectClose(p.unpack(p.gradQkv, 1), gradK, 1e-5, "gradK");
    expectClose(p.unpack(p.gradQkv, 2), gradV, 1e-5, "gradV");
  }
}

TEST_P(AttentionCases, BitsDoNotDependOnThreads) {
  Problem one(GetParam()), three(GetParam());
  one.run(1);
  three.run(3);
  EXPECT_EQ(one.o, three.o);
  EXPECT_EQ(one.gradQkv, three.gradQkv);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionCases,
    ::testing::Values(Case{1, 1, 1, 1, true, 0, false},
                      Case{1, 2, 3, 16, false, 0.1, false},
                      Case{7, 3, 2, 5, true, 0.1, false},
                      Case{64, 2, 4, 64, true, 0, false},
                      Case{64, 2, 4, 64, true, 0.1, false},
                      Case{65, 1, 1, 64, true, 0.5, false},
                      Case{127, 1, 2, 17, false, 0.1, false},
                      Case{128, 2, 5, 32, true, 0.1, true},
                      Case{131, 1, 3, 80, true, 0.1, true},
                      Case{200, 1, 2, 8, false, 0, true},
                      Case{256, 1, 1, 24, true, 0.1, false}));

TEST(Attention, RefusesWhatItHasNoFormFor) {
  absl::Status status =
      attention(ElementType::BF16, AttentionForwardArguments(), nullptr, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("bf16"), std::string::npos);
}

TEST(Attention, RefusesDropoutOfOne) {
  Problem p(Case{4, 1, 1, 4, true, 0, false});
  AttentionForwardArguments arguments;
  arguments.shape = p.shape;
  arguments.shape.dropout = 1;
  EXPECT_EQ(attention(ElementType::F32, arguments, nullptr, 1).code(),
            absl::StatusCode::kInvalidArgument);
}

} // namespace
