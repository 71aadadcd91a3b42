// Strided views and how they compose.
#include "passes/schedule/Place.h"

#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace orrery::passes;

namespace {

struct PlaceTest : testing::Test {
  Place dense(ArrayRef<int64_t> shape) {
    return Place::whole({}, RankedTensorType::get(shape, f32));
  }
  MLIRContext context;
  Type f32 = Float32Type::get(&context);
};

TEST_F(PlaceTest, ReshapesADenseViewFreely) {
  auto place = dense({4, 6}).reshaped({2, 3, 4});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->strides, (SmallVector<int64_t>{12, 4, 1}));
  EXPECT_TRUE(place->isContiguous());
}

TEST_F(PlaceTest, DropsAUnitDimensionOfASlice) {
  Place slice = dense({4, 3, 8}).sliced(1, 2, 1);
  EXPECT_EQ(slice.offset, 16);
  auto place = slice.reshaped({4, 8});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->strides, (SmallVector<int64_t>{24, 1}));
  EXPECT_FALSE(place->isContiguous());
}

TEST_F(PlaceTest, RefusesToMergeWhatIsNotAdjacent) {
  Place slice = dense({4, 3, 8}).sliced(1, 0, 2);
  EXPECT_FALSE(slice.reshaped({64}));
  EXPECT_TRUE(slice.reshaped({4, 16}));
}

TEST_F(PlaceTest, TransposesWithoutMovingElements) {
  Place place = dense({4, 6}).transposed({1, 0});
  EXPECT_EQ(place.shape, (SmallVector<int64_t>{6, 4}));
  EXPECT_EQ(place.strides, (SmallVector<int64_t>{1, 6}));
}

TEST_F(PlaceTest, ReshapesOneElementToAScalar) {
  auto place = dense({1, 1}).reshaped({});
  ASSERT_TRUE(place);
  EXPECT_TRUE(place->shape.empty());
}

} // namespace
