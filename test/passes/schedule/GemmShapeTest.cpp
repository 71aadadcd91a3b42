// Contractions as matrix products: every case is also multiplied out.
#include "passes/schedule/GemmShape.h"

#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>
#include <numeric>

using namespace mlir;
using namespace orrery::passes;

namespace {

struct GemmShapeTest : testing::Test {
  Place dense(ArrayRef<int64_t> shape) {
    return Place::whole({}, RankedTensorType::get(shape, f32));
  }
  MLIRContext context;
  Type f32 = Float32Type::get(&context);
};

/// Sums the contraction letter by letter: the definition.
void contract(StringRef equation, ArrayRef<const Place *> places,
              ArrayRef<std::vector<double> *> data) {
  auto [operands, result] = equation.split("->");
  auto [left, right] = operands.split(",");
  StringRef texts[] = {left, right, result};
  std::map<char, int64_t> sizes, index;
  for (int t = 0; t < 3; ++t)
    for (auto [letter, size] : llvm::zip(texts[t], places[t]->shape))
      sizes[letter] = size;
  for (auto [letter, size] : sizes)
    index[letter] = 0;
  auto element = [&](int t) -> double & {
    int64_t position = places[t]->offset;
    for (auto [letter, stride] : llvm::zip(texts[t], places[t]->strides))
      position += index[letter] * stride;
    return (*data[t])[position];
  };
  while (true) {
    element(2) += element(0) * element(1);
    auto it = index.begin();
    for (; it != index.end(); ++it) {
      if (++it->second < sizes[it->first])
        break;
      it->second = 0;
    }
    if (it == index.end())
      return;
  }
}

/// What rank.gemm is defined to do.
void multiply(const GemmShape &s, const double *a, const double *b, double *c) {
  if (s.swapped)
    std::swap(a, b);
  for (int64_t z = 0; z < s.batch; ++z)
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j)
        for (int64_t p = 0; p < s.k; ++p)
          c[z * s.strideC + i * s.ldc + j] +=
              a[z * s.strideA +
                (s.transposeA ? p * s.lda + i : i * s.lda + p)] *
              b[z * s.strideB + (s.transposeB ? j * s.ldb + p : p * s.ldb + j)];
}

void expectAgrees(StringRef equation, const Place &a, const Place &b,
                  const Place &c) {
  SCOPED_TRACE(equation.str());
  auto shape = getGemmShape(equation, a, b, c);
  ASSERT_TRUE(shape);
  auto span = [](const Place &place) {
    int64_t last = place.offset;
    for (auto [size, stride] : llvm::zip(place.shape, place.strides))
      last += (size - 1) * stride;
    return last + 1;
  };
  std::vector<double> da(span(a)), db(span(b)), dc(span(c)), expected(span(c));
  std::iota(da.begin(), da.end(), 1);
  std::iota(db.begin(), db.end(), 3);
  contract(equation, {&a, &b, &c}, {&da, &db, &expected});
  const double *pa = da.data() + a.offset, *pb = db.data() + b.offset;
  multiply(*shape, pa, pb, dc.data() + c.offset);
  EXPECT_EQ(dc, expected);
}

TEST_F(GemmShapeTest, ForwardOfALinearLayer) {
  expectAgrees("sbi,oi->sbo", dense({4, 2, 3}), dense({5, 3}),
               dense({4, 2, 5}));
}
TEST_F(GemmShapeTest, GradientOfItsInput) {
  expectAgrees("sbo,oi->sbi", dense({4, 2, 5}), dense({5, 3}),
               dense({4, 2, 3}));
}
TEST_F(GemmShapeTest, GradientOfItsWeight) {
  expectAgrees("sbo,sbi->oi", dense({4, 2, 5}), dense({4, 2, 3}),
               dense({5, 3}));
}
TEST_F(GemmShapeTest, ResultInColumnMajorOrder) {
  expectAgrees("mk,kn->nm", dense({4, 3}), dense({3, 5}), dense({5, 4}));
}
TEST_F(GemmShapeTest, BatchOfProducts) {
  expectAgrees("bmk,bkn->bmn", dense({2, 4, 3}), dense({2, 3, 5}),
               dense({2, 4, 5}));
}
TEST_F(GemmShapeTest, UnitDimensionsAnywhere) {
  expectAgrees("sbi,oi->sbo", dense({4, 1, 3}), dense({1, 3}),
               dense({4, 1, 1}));
  expectAgrees("sbi,oi->sbo", dense({1, 1, 3}), dense({5, 3}),
               dense({1, 1, 5}));
  expectAgrees("sbi,oi->sbo", dense({4, 2, 1}), dense({5, 1}),
               dense({4, 2, 5}));
}
TEST_F(GemmShapeTest, RowsOfASlice) {
  expectAgrees("ti,oi->to", dense({4, 9}).sliced(1, 3, 3), dense({5, 3}),
               dense({4, 5}));
}
TEST_F(GemmShapeTest, RefusesLettersThatAreApart) {
  Place apart = dense({4, 6, 3}).sliced(1, 0, 2);
  EXPECT_FALSE(
      getGemmShape("sbi,oi->sbo", apart, dense({5, 3}), dense({4, 2, 5})));
}

} // namespace
