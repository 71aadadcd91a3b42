// The median step and its rates.
#include "runtime/exec/Benchmark.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace orrery::runtime {

double modelFlops(const job::JobSpec &job, int64_t samples) {
  const job::Model &model = job.model();
  const double s = static_cast<double>(model.seq_length());
  const double h = static_cast<double>(model.hidden_size());
  const double layers = static_cast<double>(model.num_layers());
  const double v = static_cast<double>(model.padded_vocab_size());
  return 72 * static_cast<double>(samples) * s * layers * h * h *
         (1 + s / (6 * h) + v / (12 * layers * h));
}

BenchmarkResult benchmarkOf(const job::JobSpec &job, int64_t samples,
                            std::vector<double> milliseconds) {
  BenchmarkResult result;
  milliseconds.erase(milliseconds.begin(),
                     milliseconds.begin() + milliseconds.size() / 2);
  if (milliseconds.empty())
    return result;
  std::sort(milliseconds.begin(), milliseconds.end());
  result.steps = static_cast<int64_t>(milliseconds.size());
  result.milliseconds = milliseconds[milliseconds.size() / 2];
  const double seconds = result.milliseconds / 1e3;
  result.tokensPerSecond =
      static_cast<double>(samples * job.model().seq_length()) / seconds;
  result.teraflopsPerRank =
      modelFlops(job, samples) / seconds / 1e12 / job.parallel().world_size();
  return result;
}

std::string benchmarkLine(const BenchmarkResult &result, int ranks,
                          int64_t memoryBytes, double firstLoss,
                          double lastLoss) {
  // By a division, whose result is the number nearest to the decimal one.
  auto rounded = [](double value, double perUnit) {
    return std::round(value * perUnit) / perUnit;
  };
  const nlohmann::ordered_json json = {
      {"impl", "orrery"},
      {"world", ranks},
      {"step_ms", rounded(result.milliseconds, 100)},
      {"tok_s", std::round(result.tokensPerSecond)},
      {"tflops_gpu", rounded(result.teraflopsPerRank, 10)},
      {"mem_gib", rounded(static_cast<double>(memoryBytes) / (1 << 30), 10)},
      {"loss0", firstLoss},
      {"lossN", lastLoss},
      {"steps", result.steps}};
  return json.dump();
}

} // namespace orrery::runtime
