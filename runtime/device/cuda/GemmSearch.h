// Further ways to compute a matrix product than the library proposes.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_GEMMSEARCH_H
#define ORRERY_RUNTIME_DEVICE_CUDA_GEMMSEARCH_H

#include "runtime/device/cuda/CublasLt.h"
#include "runtime/device/cuda/GemmAlgorithms.h"
#include "runtime/device/cuda/GemmProblem.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace orrery::runtime::cuda {

/// Rows and columns of C, as the library sees it (column-major), that a block
/// computes.
struct GemmTile {
  int32_t id = 0; // cublasLtMatmulTile_t
  int64_t rows = 0, columns = 0;
};

/// Those of `ids` that a product with C of `rows` x `columns`, `batch` times,
/// may be fast with, by the time that they should take: blocks run in waves of
/// one for each multiprocessor, and small tiles read more for each operation.
/// With 132 multiprocessors and C [2304, 2304] a tile of [384, 112] comes
/// before one of [256, 128]: 126 blocks are one wave, 162 are two. Tiles with a
/// side below 64 are left out.
std::vector<GemmTile> orderTiles(std::span<const int32_t> ids, int64_t rows,
                                 int64_t columns, int64_t batch,
                                 int64_t multiprocessors);

/// An algorithm of the library is a kernel for every tile, shape of a cluster
/// of blocks, and value of an option of its own: thousands, of which it
/// proposes a few, and not always the fastest.
///
/// Tiles and settings (cluster and option) are searched in turn:
///   1. the proposals' tiles and those that should be fastest, all settings
///   2. the best settings, all tiles
///   3. the best tiles, all settings
class GemmSearch {
public:
  /// Microseconds of a run; nothing where the library does not take it.
  using Measure = std::function<std::optional<double>(const GemmChoice &)>;

  GemmSearch(const CublasLt &blas, const GemmProblem &problem,
             int64_t multiprocessors);

  /// Measures what is around the algorithms of `proposals`, each way once.
  /// Begins nothing new after so many seconds, of which each turn has a share.
  void run(std::span<const GemmChoice> proposals, double seconds,
           const Measure &measure);

private:
  struct Setting {
    uint16_t cluster = 0;
    uint32_t option = 0;
    auto operator<=>(const Setting &) const = default;
  };
  struct Way {
    size_t algorithm = 0; // of `algorithms`
    int32_t tile = 0;
    Setting setting;
    auto operator<=>(const Way &) const = default;
  };
  struct Algorithm {
    GemmChoice
        base; // its first proposal: what is no tile or setting is as there
    int32_t id = 0;
    std::vector<Setting> settings;
    std::vector<int32_t> tiles, fewTiles; // for the second and the first turn
  };

  void add(const GemmChoice &proposal);
  void addSettings(Algorithm &algorithm) const;
  std::vector<int32_t> tilesOf(const GemmChoice &proposal) const;
  std::optional<GemmChoice> choiceOf(const Way &way) const;
  void tryWay(const Way &way, const Measure &measure);
  /// The fastest ways so far that differ in `part`.
  template <typename Part>
  std::vector<Way> best(size_t count, Part &&part) const;

  const CublasLt &blas;
  const GemmProblem &problem;
  int64_t multiprocessors;
  std::vector<Algorithm> algorithms;
  std::map<Way, std::optional<double>> tried; // microseconds
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_GEMMSEARCH_H
