// The mesh, parts of ranks, shards of parameters and random keys.
#include "runtime/plan/ParameterShard.h"
#include "runtime/plan/RandomKey.h"
#include "runtime/plan/RankPlan.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

#include <xxhash.h>

#include <map>
#include <set>

namespace orrery::runtime {
namespace {

plan::Mesh meshOf(std::vector<std::pair<std::string, int32_t>> axes) {
  plan::Mesh mesh;
  for (auto &[name, size] : axes) {
    mesh.add_axes()->set_name(name);
    mesh.mutable_axes()->rbegin()->set_size(size);
  }
  return mesh;
}

plan::Communicator over(std::vector<std::string> axes,
                        std::vector<int32_t> only = {}) {
  plan::Communicator communicator;
  for (const std::string &axis : axes)
    communicator.add_axes(axis);
  communicator.mutable_only()->Assign(only.begin(), only.end());
  return communicator;
}

using Groups = std::vector<std::vector<int32_t>>;

TEST(Mesh, NumbersRanksLastAxisFastest) {
  Mesh mesh = *Mesh::create(meshOf({{"pp", 3}, {"dp", 2}, {"tp", 4}}));
  EXPECT_EQ(mesh.worldSize(), 24);
  EXPECT_EQ(mesh.coordinateOf(13), (Coordinate{1, 1, 1}));
  for (int32_t rank = 0; rank < 24; ++rank)
    EXPECT_EQ(mesh.rankOf(mesh.coordinateOf(rank)), rank);
}

// Megatron-LM's groups for 16 ranks at tp 2, pp 4 (dp 2).
TEST(Mesh, GivesMegatronsGroups) {
  Mesh mesh = *Mesh::create(meshOf({{"pp", 4}, {"dp", 2}, {"tp", 2}}));
  EXPECT_EQ(mesh.groupsOf(over({"dp"})), (Groups{{0, 2},
                                                 {1, 3},
                                                 {4, 6},
                                                 {5, 7},
                                                 {8, 10},
                                                 {9, 11},
                                                 {12, 14},
                                                 {13, 15}}));
  EXPECT_EQ(
      mesh.groupsOf(over({"pp"})),
      (Groups{{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15}}));
  EXPECT_EQ(mesh.groupsOf(over({"pp", "tp"})),
            (Groups{{0, 1, 4, 5, 8, 9, 12, 13}, {2, 3, 6, 7, 10, 11, 14, 15}}));
  EXPECT_EQ(mesh.groupsOf(over({"pp"}, {0, 3})),
            (Groups{{0, 12}, {1, 13}, {2, 14}, {3, 15}}));
  EXPECT_TRUE(mesh.groupOf(over({"pp"}, {0, 3}), 4).empty());
  EXPECT_EQ(mesh.groupSize(over({"pp"}, {0, 3})), 2);
}

TEST(Mesh, EvaluatesIndices) {
  Mesh mesh = *Mesh::create(meshOf({{"pp", 2}, {"tp", 4}}));
  plan::Index index;
  index.set_constant(5);
  index.set_per_microbatch(100);
  index.add_terms()->set_axis("tp");
  index.mutable_terms(0)->set_stride(7);
  EXPECT_EQ(mesh.evaluate(index, {1, 3}, 2), 5 + 21 + 200);
}

TEST(Mesh, RefusesBadAxes) {
  EXPECT_FALSE(Mesh::create(meshOf({{"tp", 0}})).ok());
  EXPECT_FALSE(Mesh::create(meshOf({{"tp", 2}, {"tp", 2}})).ok());
  EXPECT_FALSE(Mesh::create(meshOf({{"", 2}})).ok());
  EXPECT_FALSE(Mesh::create(meshOf({{"pp", 1 << 20}, {"tp", 1 << 20}})).ok());
}

TEST(RankPlan, FindsClassAndStage) {
  plan::Plan plan = test::toyPlan({.pp = 4, .tp = 2});
  RankPlan rank = *RankPlan::create(plan, 5);
  EXPECT_EQ(rank.rankClass->name(), "middle");
  EXPECT_EQ(rank.member->stage(), 2);
  EXPECT_EQ(rank.member->first_layer(), 2);
  EXPECT_EQ(RankPlan::create(plan, 8).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(ParameterShard, SplitsMajorAxisFirst) {
  plan::Plan plan = test::toyPlan({.dp = 3, .tp = 2});
  plan::Parameter parameter;
  parameter.set_name("w");
  parameter.set_layer(-1);
  parameter.set_owner(true);
  parameter.add_global_shape(12);
  parameter.add_global_shape(5);
  parameter.add_sharding()->add_axes("dp");
  parameter.mutable_sharding(0)->add_axes("tp");
  parameter.add_sharding();
  // Rank 3 is (pp 0, dp 1, tp 1): part 1 * 2 + 1 of 6.
  ParameterShard shard = shardOf(*RankPlan::create(plan, 3), parameter);
  EXPECT_EQ(shard.box.offset, (std::vector<int64_t>{6, 0}));
  EXPECT_EQ(shard.box.shape, (std::vector<int64_t>{2, 5}));
  EXPECT_TRUE(shard.writer);
}

TEST(ParameterShard, HasExactlyOneWriterOfEveryElement) {
  plan::Plan plan = test::toyPlan({.pp = 2, .dp = 2, .tp = 2});
  std::map<std::string, int64_t> written;
  std::map<std::string, int64_t> total;
  for (int32_t number = 0; number < 8; ++number) {
    RankPlan rank = *RankPlan::create(plan, number);
    for (const ParameterShard &shard : shardsOf(rank)) {
      written[shard.name] += shard.writer ? shard.box.elements() : 0;
      total[shard.name] = Box{{}, shard.globalShape}.elements();
    }
  }
  EXPECT_EQ(written, total);
  EXPECT_TRUE(total.count("layers.3.norm"));
}

TEST(RandomKey, IsTheDocumentedHash) {
  std::string name = "layers.7.row";
  uint64_t words[3] = {1234, XXH3_64bits(name.data(), name.size()), 5};
  EXPECT_EQ(randomKey(1234, name, 5), XXH3_64bits(words, 24));
  plan::RandomStream stream;
  stream.set_name("layers.{layer}.row");
  stream.set_layer(3);
  EXPECT_EQ(randomKey(1234, stream, 4, 5), randomKey(1234, name, 5));
}

TEST(RandomKey, DependsOnSeedNameAndStep) {
  std::set<uint64_t> keys = {randomKey(1, "a", 0), randomKey(2, "a", 0),
                             randomKey(1, "b", 0), randomKey(1, "a", 1)};
  EXPECT_EQ(keys.size(), 4u);
}

TEST(RandomKey, FillsInTheLayer) {
  EXPECT_EQ(fillLayer("a.{layer}.b", 12), "a.12.b");
  EXPECT_EQ(fillLayer("a.b", 12), "a.b");
}

} // namespace
} // namespace orrery::runtime
