// JSON lines to numbers; comparisons within a relative tolerance.
#include "test/e2e/Metrics.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace orrery::test {

using Json = nlohmann::json;

/// A number, or 0 where the key is absent or null.
static double numberOf(const Json &object, const char *key) {
  auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

static void addLine(Json object, Metrics &metrics) {
  int64_t step = object.value("step", int64_t{-1});
  if (object.contains("lm_loss"))
    metrics.steps.push_back({step, numberOf(object, "lm_loss"),
                             numberOf(object, "grad_norm"),
                             numberOf(object, "lr"),
                             object.value("consumed_samples", int64_t{-1})});
  else
    metrics.evaluations.push_back({step, numberOf(object, "valid_lm_loss"),
                                   numberOf(object, "test_lm_loss")});
  object.erase("step_ms");
  object.erase("tokens_per_s");
  metrics.lines.push_back(object.dump());
}

Metrics readMetrics(const std::string &path) {
  Metrics metrics;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  for (std::string line; std::getline(file, line);) {
    Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(object.is_object()) << path << ": " << line;
    if (object.is_object())
      addLine(std::move(object), metrics);
  }
  return metrics;
}

static bool near(double actual, double expected, double tolerance) {
  return std::abs(actual - expected) <= tolerance * std::abs(expected);
}

testing::AssertionResult
lossesAgree(const Metrics &actual, const Metrics &expected, double tolerance) {
  auto fail = [&](int64_t step, const char *what, double is, double should) {
    return testing::AssertionFailure()
           << what << " of step " << step << ": " << is << " for " << should
           << ", relative difference "
           << std::abs(is - should) / std::abs(should) << " above "
           << tolerance;
  };
  if (actual.steps.size() != expected.steps.size())
    return testing::AssertionFailure()
           << actual.steps.size() << " steps for " << expected.steps.size();
  if (actual.evaluations.size() != expected.evaluations.size())
    return testing::AssertionFailure()
           << actual.evaluations.size() << " evaluations for "
           << expected.evaluations.size();
  for (size_t i = 0; i < expected.steps.size(); ++i) {
    const StepMetrics &is = actual.steps[i], &should = expected.steps[i];
    if (is.step != should.step || !(should.lmLoss > 0) ||
        !near(is.lmLoss, should.lmLoss, tolerance))
      return fail(should.step, "lm_loss", is.lmLoss, should.lmLoss);
  }
  for (size_t i = 0; i < expected.evaluations.size(); ++i) {
    const EvaluationMetrics &is = actual.evaluations[i],
                            &should = expected.evaluations[i];
    if (is.step != should.step ||
        !near(is.validLoss, should.validLoss, tolerance))
      return fail(should.step, "valid_lm_loss", is.validLoss, should.validLoss);
    if (!near(is.testLoss, should.testLoss, tolerance))
      return fail(should.step, "test_lm_loss", is.testLoss, should.testLoss);
  }
  return testing::AssertionSuccess();
}

Metrics after(const Metrics &metrics, int64_t step) {
  Metrics result;
  for (const StepMetrics &entry : metrics.steps)
    if (entry.step > step)
      result.steps.push_back(entry);
  for (const EvaluationMetrics &entry : metrics.evaluations)
    if (entry.step > step)
      result.evaluations.push_back(entry);
  for (const std::string &line : metrics.lines)
    if (Json::parse(line).value("step", int64_t{-1}) > step)
      result.lines.push_back(line);
  return result;
}

} // namespace orrery::test
