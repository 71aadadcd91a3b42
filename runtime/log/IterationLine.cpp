// Formats Megatron-LM's progress lines.
#include "runtime/log/IterationLine.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace orrery::runtime {

/// Python writes no sign before nan.
static double withoutSign(double value) {
  return std::isnan(value) ? std::fabs(value) : value;
}

std::optional<std::string> IterationLine::add(const StepRecord &record) {
  ++steps;
  milliseconds += record.milliseconds;
  if (record.skipped) {
    ++skipped;
    if (!std::isfinite(record.lmLoss))
      ++notANumber;
  } else {
    ++advanced;
    lossSum += static_cast<float>(record.lmLoss);
  }
  if (record.step % interval != 0)
    return std::nullopt;
  std::string line = format(record);
  *this = IterationLine(iterations, interval);
  return line;
}

std::string IterationLine::format(const StepRecord &last) const {
  std::string line =
      fmt::format(" iteration {:8d}/{:8d} | consumed samples: {:12d} |",
                  last.step, iterations, last.consumedSamples);
  line += fmt::format(" elapsed time per iteration (ms): {:.1f} |",
                      milliseconds / static_cast<double>(steps));
  line += fmt::format(" learning rate: {:.3E} | global batch size: {:5d} |",
                      last.nextLearningRate, last.globalBatchSize);
  const double loss = static_cast<double>(lossSum) /
                      static_cast<double>(std::max<int64_t>(1, advanced));
  if (loss > 0)
    line += fmt::format(" lm loss: {:.6E} |", loss);
  line += fmt::format(" loss scale: {:.1f} |", last.lossScale);
  if (last.gradNorm)
    line += fmt::format(" grad norm: {:.3f} |", withoutSign(*last.gradNorm));
  if (last.numZeros)
    line += fmt::format(" num zeros: {:.1f} |", *last.numZeros);
  if (last.paramsNorm)
    line +=
        fmt::format(" params norm: {:.3f} |", withoutSign(*last.paramsNorm));
  line += fmt::format(" number of skipped iterations: {:3d} |"
                      " number of nan iterations: {:3d} |",
                      skipped, notANumber);
  return line;
}

std::vector<std::string> validationLines(const std::string &place,
                                         double lmLoss) {
  const double loss = withoutSign(lmLoss);
  const double perplexity = std::exp(loss > 20 ? 20.0 : loss);
  std::string line = fmt::format(
      " validation loss at {} | lm loss value: {:.6E} | lm loss PPL: {:.6E} | ",
      place, loss, perplexity);
  const std::string rule(line.size() + 1, '-');
  return {rule, line, rule};
}

} // namespace orrery::runtime
