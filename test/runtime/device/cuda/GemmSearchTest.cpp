// The search among algorithms of a library that exists in this file alone.
#include "runtime/device/cuda/GemmSearch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace orrery::runtime::cuda {
namespace {

// How the library here writes an algorithm.
struct Form {
  int32_t id = 0, tile = 0, splits = 1;
  uint16_t cluster = 0;
  uint32_t option = 0;
  auto operator<=>(const Form &) const = default;
};

Form formOf(const void *algorithm) {
  Form form;
  std::memcpy(&form, algorithm, sizeof(form));
  return form;
}

GemmChoice choiceOf(const Form &form) {
  GemmChoice choice;
  std::memcpy(choice.algorithm.data(), &form, sizeof(form));
  return choice;
}

// Hundreds, as the library has.
std::vector<int32_t> allTiles() {
  std::vector<int32_t> tiles;
  for (int32_t id = CUBLASLT_MATMUL_TILE_8x8; id < CUBLASLT_MATMUL_TILE_END;
       ++id)
    tiles.push_back(id);
  return tiles;
}

template <typename Value>
cublasStatus_t give(Value value, void *to, size_t bytes, size_t *written) {
  if (bytes < sizeof(value))
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(to, &value, sizeof(value));
  *written = sizeof(value);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t getConfig(const cublasLtMatmulAlgo_t *algorithm,
                         cublasLtMatmulAlgoConfigAttributes_t attribute,
                         void *to, size_t bytes, size_t *written) {
  const Form form = formOf(algorithm);
  switch (attribute) {
  case CUBLASLT_ALGO_CONFIG_ID:
    return give(form.id, to, bytes, written);
  case CUBLASLT_ALGO_CONFIG_TILE_ID:
    return give(form.tile, to, bytes, written);
  case CUBLASLT_ALGO_CONFIG_SPLITK_NUM:
    return give(form.splits, to, bytes, written);
  case CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID:
    return give(form.cluster, to, bytes, written);
  case CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION:
    return give(form.option, to, bytes, written);
  default:
    return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t setConfig(cublasLtMatmulAlgo_t *algorithm,
                         cublasLtMatmulAlgoConfigAttributes_t attribute,
                         const void *from, size_t) {
  Form form = formOf(algorithm);
  if (attribute == CUBLASLT_ALGO_CONFIG_TILE_ID)
    std::memcpy(&form.tile, from, sizeof(form.tile));
  else if (attribute == CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID)
    std::memcpy(&form.cluster, from, sizeof(form.cluster));
  else if (attribute == CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION)
    std::memcpy(&form.option, from, sizeof(form.option));
  else
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(algorithm, &form, sizeof(form));
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t getCap(const cublasLtMatmulAlgo_t *,
                      cublasLtMatmulAlgoCapAttributes_t attribute, void *to,
                      size_t bytes, size_t *written) {
  if (attribute == CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX)
    return give(int32_t{3}, to, bytes, written);
  const std::vector<int32_t> tiles = allTiles();
  *written = tiles.size() * sizeof(int32_t);
  if (attribute != CUBLASLT_ALGO_CAP_TILE_IDS || (bytes && bytes < *written))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (bytes)
    std::memcpy(to, tiles.data(), *written);
  return CUBLAS_STATUS_SUCCESS;
}

class Search : public ::testing::Test {
protected:
  Search() {
    blas.matmulAlgoConfigGetAttribute = getConfig;
    blas.matmulAlgoConfigSetAttribute = setConfig;
    blas.matmulAlgoCapGetAttribute = getCap;
    problem.m = problem.n = 2304;
    // Behind those that are tried in all settings.
    bestTile = orderTiles(allTiles(), 2304, 2304, 1, 132)[40].id;
  }

  // Times are made of a part for the tile and one for the setting.
  void run(std::vector<Form> proposals, double seconds = 60) {
    std::vector<GemmChoice> choices;
    for (const Form &form : proposals)
      choices.push_back(choiceOf(form));
    GemmSearch search(blas, problem, 132);
    search.run(choices, seconds,
               [&](const GemmChoice &choice) -> std::optional<double> {
                 const Form form = formOf(choice.algorithm.data());
                 EXPECT_TRUE(times.emplace(form, 0).second) << "again";
                 if (form.option == 2)
                   return std::nullopt; // not taken
                 return times[form] =
                            (form.tile == bestTile ? 100 : 120) +
                            10 * (form.option != 3) +
                            5 * (form.cluster != CUBLASLT_CLUSTER_SHAPE_2x1x1);
               });
  }

  CublasLt blas;
  GemmProblem problem;
  int32_t bestTile = 0;
  std::map<Form, double> times;
};

const Form kProposal = {66, CUBLASLT_MATMUL_TILE_32x32, 1,
                        CUBLASLT_CLUSTER_SHAPE_2x1x1, 1};
constexpr size_t kSettings = 2 * 4; // its cluster and none, options 0 to 3

TEST_F(Search, ComesToTheFastestTileAndSetting) {
  run({kProposal});
  EXPECT_TRUE(
      times.contains({66, bestTile, 1, CUBLASLT_CLUSTER_SHAPE_2x1x1, 3}));
  // The proposal's tile, whatever its size, and 11 in all settings; 64 tiles in
  // the 3 best settings; the 3 best tiles in all.
  EXPECT_TRUE(times.contains(kProposal));
  EXPECT_GT(times.size(), 12 * kSettings);
  EXPECT_LE(times.size(), 12 * kSettings + 3 * 64 + 3 * kSettings);
  size_t ofBest = 0;
  for (const auto &[form, microseconds] : times)
    ofBest += form.tile == bestTile;
  EXPECT_EQ(ofBest, kSettings);
}

TEST_F(Search, KeepsEveryAlgorithmToItself) {
  Form other = kProposal;
  other.id = 39;
  other.cluster = CUBLASLT_CLUSTER_SHAPE_1x2x1;
  run({kProposal, other});
  size_t of39 = 0;
  for (const auto &[form, microseconds] : times) {
    of39 += form.id == 39;
    EXPECT_TRUE(form.cluster == CUBLASLT_CLUSTER_SHAPE_1x1x1 ||
                (form.cluster == CUBLASLT_CLUSTER_SHAPE_1x2x1) ==
                    (form.id == 39));
  }
  EXPECT_GE(of39, 12 * kSettings);
  EXPECT_LT(of39, times.size());
}

TEST_F(Search, LeavesSplitSumsAloneAndEndsInTime) {
  Form split = kProposal;
  split.splits = 4;
  run({split});
  EXPECT_TRUE(times.empty());
  run({kProposal}, 0);
  EXPECT_TRUE(times.empty());
}

TEST(OrderTiles, FillsWavesWithLargeTiles) {
  const std::vector<int32_t> ids = {
      CUBLASLT_MATMUL_TILE_32x32, CUBLASLT_MATMUL_TILE_128x128,
      CUBLASLT_MATMUL_TILE_256x128, CUBLASLT_MATMUL_TILE_384x112};
  std::vector<int32_t> ordered;
  for (const GemmTile &tile : orderTiles(ids, 2304, 2304, 1, 132))
    ordered.push_back(tile.id);
  // 126 blocks are one wave, 324 small ones three, 162 two.
  EXPECT_EQ(ordered, (std::vector<int32_t>{CUBLASLT_MATMUL_TILE_384x112,
                                           CUBLASLT_MATMUL_TILE_128x128,
                                           CUBLASLT_MATMUL_TILE_256x128}));
  const std::vector<GemmTile> tall =
      orderTiles(std::span(ids).last(1), 1, 1, 1, 132);
  ASSERT_EQ(tall.size(), 1u);
  EXPECT_EQ(tall[0].rows, 384);
  EXPECT_EQ(tall[0].columns, 112);
}

} // namespace
} // namespace orrery::runtime::cuda
