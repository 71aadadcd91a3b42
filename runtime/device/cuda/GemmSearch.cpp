// Tiles, clusters and options of cuBLASLt's algorithms.
#include "runtime/device/cuda/GemmSearch.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <iterator>
#include <utility>

namespace orrery::runtime::cuda {
namespace {

// Of all tiles that the library has a name for.
constexpr GemmTile kTiles[] = {
#include "GemmTiles.inc"
};

constexpr size_t kMostTiles = 64, kFewTiles = 12; // of an algorithm
constexpr int32_t kMostOptions = 8;               // values of its own option
constexpr size_t kBest = 3; // settings or tiles that are gone on with
constexpr int64_t kLeastSide = 64;
// Of the time, at the end of each turn.
constexpr double kShares[] = {0.5, 0.8, 1};

// Small tiles read more of A and B for each operation: the time of a tile grows
// by this over each of its sides. What fits measurements of an H200.
constexpr double kReading = 16;

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

cublasLtMatmulAlgo_t algorithmOf(const GemmChoice &choice) {
  return std::bit_cast<cublasLtMatmulAlgo_t>(choice.algorithm);
}

template <typename Value> void addNew(std::vector<Value> &to, Value value) {
  if (std::find(to.begin(), to.end(), value) == to.end())
    to.push_back(value);
}

} // namespace

std::vector<GemmTile> orderTiles(std::span<const int32_t> ids, int64_t rows,
                                 int64_t columns, int64_t batch,
                                 int64_t multiprocessors) {
  struct Candidate {
    double time;
    GemmTile tile;
  };
  std::vector<Candidate> candidates;
  for (const GemmTile &tile : kTiles) {
    if (std::find(ids.begin(), ids.end(), tile.id) == ids.end() ||
        std::min(tile.rows, tile.columns) < kLeastSide)
      continue;
    const int64_t blocks =
        divideUp(rows, tile.rows) * divideUp(columns, tile.columns) * batch;
    const double wave = static_cast<double>(tile.rows * tile.columns) *
                        (1 + kReading / static_cast<double>(tile.rows) +
                         kReading / static_cast<double>(tile.columns));
    candidates.push_back(
        {static_cast<double>(divideUp(blocks, multiprocessors)) * wave, tile});
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate &a, const Candidate &b) { return a.time < b.time; });
  std::vector<GemmTile> tiles;
  for (const Candidate &candidate : candidates)
    tiles.push_back(candidate.tile);
  return tiles;
}

GemmSearch::GemmSearch(const CublasLt &blas, const GemmProblem &problem,
                       int64_t multiprocessors)
    : blas(blas), problem(problem), multiprocessors(multiprocessors) {}

std::vector<int32_t> GemmSearch::tilesOf(const GemmChoice &proposal) const {
  const cublasLtMatmulAlgo_t algorithm = algorithmOf(proposal);
  std::vector<int32_t> ids;
  size_t bytes = 0; // asked for first
  for (int i = 0; i < 2; ++i) {
    ids.resize(bytes / sizeof(int32_t));
    if (blas.matmulAlgoCapGetAttribute(&algorithm, CUBLASLT_ALGO_CAP_TILE_IDS,
                                       ids.data(), bytes,
                                       &bytes) != CUBLAS_STATUS_SUCCESS)
      return {};
  }
  std::vector<int32_t> tiles;
  // The library's C is ours transposed.
  for (const GemmTile &tile :
       orderTiles(ids, problem.n, problem.m, problem.batch, multiprocessors))
    if (tiles.size() < kMostTiles)
      tiles.push_back(tile.id);
  return tiles;
}

// Splits of K are left to the library: how many pay depends on the tile.
void GemmSearch::add(const GemmChoice &proposal) {
  const cublasLtMatmulAlgo_t is = algorithmOf(proposal);
  const auto id = blas.config<int32_t>(is, CUBLASLT_ALGO_CONFIG_ID);
  const auto tile = blas.config<int32_t>(is, CUBLASLT_ALGO_CONFIG_TILE_ID);
  const auto split = blas.config<int32_t>(is, CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
  const auto cluster =
      blas.config<uint16_t>(is, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID);
  const auto option =
      blas.config<uint32_t>(is, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION);
  if (!id || !tile || !cluster || !option || split != 1)
    return;
  auto algorithm =
      std::find_if(algorithms.begin(), algorithms.end(),
                   [&](const Algorithm &other) { return other.id == *id; });
  if (algorithm == algorithms.end()) {
    algorithms.push_back({proposal, *id, {}, tilesOf(proposal), {}});
    algorithm = algorithms.end() - 1;
  }
  addNew(algorithm->settings, {*cluster, *option});
  addNew(algorithm->fewTiles, *tile);
}

// Behind the proposals' settings all options in all clusters that were
// proposed, and without a cluster.
void GemmSearch::addSettings(Algorithm &algorithm) const {
  int32_t largest = 0;
  size_t bytes = 0;
  const cublasLtMatmulAlgo_t of = algorithmOf(algorithm.base);
  if (blas.matmulAlgoCapGetAttribute(&of, CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX,
                                     &largest, sizeof(largest),
                                     &bytes) != CUBLAS_STATUS_SUCCESS)
    return;
  std::vector<uint16_t> clusters;
  for (const Setting &setting : algorithm.settings)
    addNew(clusters, setting.cluster);
  addNew(clusters, uint16_t{CUBLASLT_CLUSTER_SHAPE_1x1x1});
  for (uint16_t cluster : clusters)
    for (int32_t option = 0; option <= std::min(largest, kMostOptions - 1);
         ++option)
      addNew(algorithm.settings, {cluster, static_cast<uint32_t>(option)});
}

std::optional<GemmChoice> GemmSearch::choiceOf(const Way &way) const {
  const GemmChoice &base = algorithms[way.algorithm].base;
  cublasLtMatmulAlgo_t algorithm = algorithmOf(base);
  auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto value) {
    return blas.matmulAlgoConfigSetAttribute(&algorithm, attribute, &value,
                                             sizeof(value)) ==
           CUBLAS_STATUS_SUCCESS;
  };
  if (!set(CUBLASLT_ALGO_CONFIG_TILE_ID, way.tile) ||
      !set(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, way.setting.cluster) ||
      !set(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, way.setting.option))
    return std::nullopt;
  GemmChoice choice = base;
  choice.algorithm = std::bit_cast<decltype(choice.algorithm)>(algorithm);
  return choice;
}

void GemmSearch::tryWay(const Way &way, const Measure &measure) {
  auto [at, isNew] = tried.try_emplace(way);
  if (!isNew)
    return;
  if (std::optional<GemmChoice> choice = choiceOf(way))
    at->second = measure(*choice);
}

template <typename Part>
std::vector<GemmSearch::Way> GemmSearch::best(size_t count, Part &&part) const {
  std::vector<std::pair<double, Way>> sorted;
  for (const auto &[way, microseconds] : tried)
    if (microseconds)
      sorted.emplace_back(*microseconds, way);
  std::sort(sorted.begin(), sorted.end());
  std::vector<Way> ways;
  for (const auto &[microseconds, way] : sorted)
    if (ways.size() < count &&
        std::none_of(ways.begin(), ways.end(), [&](const Way &other) {
          return part(other) == part(way);
        }))
      ways.push_back(way);
  return ways;
}

void GemmSearch::run(std::span<const GemmChoice> proposals, double seconds,
                     const Measure &measure) {
  using Clock = std::chrono::steady_clock;
  for (const GemmChoice &proposal : proposals)
    add(proposal);
  const Clock::time_point begin = Clock::now();
  double share = kShares[0];
  auto expired = [&] {
    return std::chrono::duration<double>(Clock::now() - begin).count() >
           share * seconds;
  };
  for (size_t a = 0; a < algorithms.size(); ++a) {
    Algorithm &algorithm = algorithms[a];
    addSettings(algorithm);
    for (int32_t tile : algorithm.tiles)
      if (algorithm.fewTiles.size() < kFewTiles)
        addNew(algorithm.fewTiles, tile);
    for (const Setting &setting : algorithm.settings)
      for (int32_t tile : algorithm.fewTiles)
        if (!expired())
          tryWay({a, tile, setting}, measure);
  }
  share = kShares[1];
  for (const Way &way : best(kBest, [](const Way &way) {
         return std::pair(way.algorithm, way.setting);
       }))
    for (int32_t tile : algorithms[way.algorithm].tiles)
      if (!expired())
        tryWay({way.algorithm, tile, way.setting}, measure);
  share = kShares[2];
  for (const Way &way : best(kBest, [](const Way &way) {
         return std::pair(way.algorithm, way.tile);
       }))
    for (const Setting &setting : algorithms[way.algorithm].settings)
      if (!expired())
        tryWay({way.algorithm, way.tile, setting}, measure);
}

} // namespace orrery::runtime::cuda
