// The conformance suite of communicators.
#include "test/runtime/comm/Conformance.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/DimensionCollective.h"

#include <gtest/gtest.h>
#include <numeric>

namespace orrery::runtime {
namespace {

#define RETURN_IF_ERROR(expression)                                            \
  if (absl::Status status_ = (expression); !status_.ok())                      \
  return status_

template <typename T>
absl::Status expectEqual(const std::vector<T> &actual,
                         const std::vector<T> &expected, const char *what) {
  for (size_t i = 0; i < expected.size(); ++i)
    if (actual[i] != expected[i])
      return absl::InternalError(absl::StrCat(what, "[", i, "] is ", actual[i],
                                              ", expected ", expected[i]));
  return absl::OkStatus();
}

// Element i of member m; small integers, so that sums are exact.
float element(int member, int64_t i) {
  return static_cast<float>((i * 7 + member * 13) % 101);
}

std::vector<float> elements(int member, int64_t count) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = element(member, i);
  return values;
}

void expectOk(const RankBody &body) {
  absl::Status status = onAllRanks(body);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(Communicator, AllReduceSumsOverAllRanks) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    for (int64_t count : {1, 3, 1000, 70001}) {
      std::vector<float> in = elements(world.rank(), count), out(count);
      std::vector<float> sum(count, 0);
      for (int m = 0; m < world.size(); ++m)
        for (int64_t i = 0; i < count; ++i)
          sum[i] += element(m, i);
      RETURN_IF_ERROR(world.allReduce(in.data(), out.data(), count, plan::F32,
                                      Reduction::Sum));
      RETURN_IF_ERROR(expectEqual(out, sum, "out"));
      RETURN_IF_ERROR(world.allReduce(in.data(), in.data(), count, plan::F32,
                                      Reduction::Sum));
      RETURN_IF_ERROR(expectEqual(in, sum, "in place"));
    }
    return absl::OkStatus();
  });
}

template <typename T>
absl::Status maximumOver(Communicator &world, plan::ElementType type) {
  std::vector<T> in = {T(world.rank()), T(-world.rank()), T(5)}, out(3);
  RETURN_IF_ERROR(
      world.allReduce(in.data(), out.data(), 3, type, Reduction::Max));
  return expectEqual(out, {T(world.size() - 1), T(0), T(5)}, "maximum");
}

TEST(Communicator, AllReduceTakesTheMaximumOfEveryType) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    RETURN_IF_ERROR(maximumOver<float>(f.world(), plan::F32));
    RETURN_IF_ERROR(maximumOver<double>(f.world(), plan::F64));
    return maximumOver<int32_t>(f.world(), plan::I32);
  });
}

TEST(Communicator, RefusesToReduceBf16) {
  absl::Status status = onAllRanks([](CommunicatorFactory &f) {
    uint16_t x[2] = {};
    return f.world().allReduce(x, x, 2, plan::BF16, Reduction::Sum);
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
}

// all_reduce = all_gather ∘ reduce_scatter.
TEST(Communicator, GatherOfScatterIsAllReduce) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    for (int64_t count : {1, 5, 30011}) {
      const int64_t whole = count * world.size();
      std::vector<float> in = elements(world.rank(), whole), part(count);
      std::vector<float> out(whole), sum(whole);
      RETURN_IF_ERROR(world.reduceScatter(in.data(), part.data(), count,
                                          plan::F32, Reduction::Sum));
      RETURN_IF_ERROR(
          world.allGather(part.data(), out.data(), count, plan::F32));
      RETURN_IF_ERROR(world.allReduce(in.data(), sum.data(), whole, plan::F32,
                                      Reduction::Sum));
      RETURN_IF_ERROR(expectEqual(out, sum, "out"));
    }
    return absl::OkStatus();
  });
}

TEST(Communicator, AllToAllTransposesParts) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    for (int64_t count : {1, 6, 20011}) {
      const int64_t whole = count * world.size();
      std::vector<float> in = elements(world.rank(), whole), out(whole);
      std::vector<float> expected;
      for (int m = 0; m < world.size(); ++m)
        for (int64_t i = 0; i < count; ++i)
          expected.push_back(element(m, world.rank() * count + i));
      RETURN_IF_ERROR(world.allToAll(in.data(), out.data(), count, plan::F32));
      RETURN_IF_ERROR(expectEqual(out, expected, "out"));
    }
    return absl::OkStatus();
  });
}

// Messages go round the ring, two tags, receives posted first and waited for
// in another order.
TEST(Communicator, MessagesMatchInOrderPerTag) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    const int next = (world.rank() + 1) % world.size();
    const int previous = (world.rank() + world.size() - 1) % world.size();
    const int64_t count = 50003;
    std::vector<std::vector<float>> in(4, std::vector<float>(count)), out;
    Communicator::Request receives[4], sends[4];
    for (int i = 0; i < 4; ++i)
      RETURN_IF_ERROR(
          world.irecv(in[i].data(), count * 4, previous, i % 2, receives[i]));
    for (int i = 0; i < 4; ++i) {
      out.push_back(elements(10 * i + world.rank(), count));
      RETURN_IF_ERROR(
          world.isend(out[i].data(), count * 4, next, i % 2, sends[i]));
    }
    for (int i : {3, 0, 2, 1})
      RETURN_IF_ERROR(world.wait(receives[i]));
    for (int i : {0, 1, 2, 3}) {
      RETURN_IF_ERROR(world.wait(sends[i]));
      RETURN_IF_ERROR(
          expectEqual(in[i], elements(10 * i + previous, count), "message"));
    }
    return absl::OkStatus();
  });
}

TEST(CommunicatorFactory, SplitsTheWorldInTheGivenOrder) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    // Even ranks in falling order; odd ranks are in no group.
    std::vector<int32_t> even;
    for (int r = 0; r < f.size(); r += 2)
      even.insert(even.begin(), r);
    std::unique_ptr<Communicator> group;
    RETURN_IF_ERROR(f.create("even", {even}, group));
    if (f.rank() % 2 == 1)
      return group ? absl::InternalError("an odd rank is in the group")
                   : absl::OkStatus();
    std::vector<int32_t> in = {f.rank()}, out(even.size());
    RETURN_IF_ERROR(group->allGather(in.data(), out.data(), 1, plan::I32));
    return expectEqual(out, even, "member");
  });
}

// Global tensor [4, 2P, 3], element = its linear index; each member has its
// part of dimension 1.
TEST(DimensionCollective, GathersAndScattersAnInnerDimension) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    const int64_t p = world.size();
    std::vector<float> whole(4 * 2 * p * 3), part, out(whole.size());
    std::iota(whole.begin(), whole.end(), 0.0f);
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < 2 * 3; ++j)
        part.push_back(whole[i * 2 * p * 3 + world.rank() * 6 + j]);
    DimensionCollective gather, scatter;
    const int64_t partShape[] = {4, 2, 3}, wholeShape[] = {4, 2 * p, 3};
    using Kind = DimensionCollective::Kind;
    RETURN_IF_ERROR(DimensionCollective::create(Kind::AllGather, Reduction::Sum,
                                                plan::F32, partShape, 1, 0,
                                                world.size(), gather));
    std::vector<std::byte> scratch(gather.scratchBytes());
    RETURN_IF_ERROR(gather.run(world, part.data(), out.data(), scratch.data()));
    RETURN_IF_ERROR(expectEqual(out, whole, "gathered"));
    RETURN_IF_ERROR(DimensionCollective::create(
        Kind::ReduceScatter, Reduction::Max, plan::F32, wholeShape, 1, 0,
        world.size(), scatter));
    scratch.resize(scatter.scratchBytes());
    std::vector<float> back(part.size());
    RETURN_IF_ERROR(
        scatter.run(world, whole.data(), back.data(), scratch.data()));
    return expectEqual(back, part, "scattered");
  });
}

// Each member's part goes to a row of 5 of an output that has -1 everywhere.
TEST(DimensionCollective, GathersPartsThatLieApart) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    const float first = 10.0f * world.rank();
    std::vector<float> part = {first, first + 1, first + 2};
    std::vector<float> out(5 * world.size(), -1), expected(out);
    for (int m = 0; m < world.size(); ++m)
      for (int i = 0; i < 3; ++i)
        expected[m * 5 + i] = 10.0f * m + i;
    DimensionCollective gather;
    const int64_t shape[] = {1, 3};
    RETURN_IF_ERROR(DimensionCollective::create(
        DimensionCollective::Kind::AllGather, Reduction::Sum, plan::F32, shape,
        0, 0, world.size(), gather));
    EXPECT_EQ(gather.spread(2).message(),
              "parts of 3 elements overlap 2 elements apart");
    RETURN_IF_ERROR(gather.spread(5));
    std::vector<std::byte> scratch(gather.scratchBytes());
    RETURN_IF_ERROR(gather.run(world, part.data(), out.data(), scratch.data()));
    return expectEqual(out, expected, "gathered apart");
  });
}

TEST(DimensionCollective, SpreadsGathersAlongDimension0Only) {
  DimensionCollective inner, scatter;
  const int64_t shape[] = {2, 4};
  using Kind = DimensionCollective::Kind;
  ASSERT_TRUE(DimensionCollective::create(Kind::AllGather, Reduction::Sum,
                                          plan::F32, shape, 1, 0, 2, inner)
                  .ok());
  ASSERT_TRUE(DimensionCollective::create(Kind::ReduceScatter, Reduction::Sum,
                                          plan::F32, shape, 0, 0, 2, scatter)
                  .ok());
  for (DimensionCollective *one : {&inner, &scatter})
    EXPECT_EQ(one->spread(100).message(),
              "only parts of an all-gather along dimension 0 may lie apart");
}

// Splitting rows and joining columns of a matrix [2P, 3P] whose columns are
// spread turns a column shard into a row shard.
TEST(DimensionCollective, AllToAllMovesTheShardedDimension) {
  expectOk([](CommunicatorFactory &f) -> absl::Status {
    Communicator &world = f.world();
    const int64_t p = world.size(), rows = 2 * p, columns = 3 * p;
    std::vector<float> columnShard, rowShard, out(2 * columns);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < 3; ++c)
        columnShard.push_back(r * columns + world.rank() * 3 + c);
    for (int64_t i = 0; i < 2 * columns; ++i)
      rowShard.push_back(world.rank() * 2 * columns + i);
    DimensionCollective exchange;
    const int64_t shape[] = {rows, 3};
    RETURN_IF_ERROR(DimensionCollective::create(
        DimensionCollective::Kind::AllToAll, Reduction::Sum, plan::F32, shape,
        0, 1, world.size(), exchange));
    std::vector<std::byte> scratch(exchange.scratchBytes());
    RETURN_IF_ERROR(
        exchange.run(world, columnShard.data(), out.data(), scratch.data()));
    return expectEqual(out, rowShard, "row shard");
  });
}

TEST(DimensionCollective, RefusesWhatDoesNotDivide) {
  DimensionCollective out;
  const int64_t shape[] = {4, 7};
  absl::Status status = DimensionCollective::create(
      DimensionCollective::Kind::ReduceScatter, Reduction::Sum, plan::F32,
      shape, 1, 0, 2, out);
  EXPECT_EQ(status.message(),
            "dimension 1 of size 7 does not divide evenly over 2 members");
}

} // namespace
} // namespace orrery::runtime
