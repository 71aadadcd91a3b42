// The optimizer step against its formula, and on several meshes against one
// rank.
#include "passes/differentiate/Passes.h"
#include "passes/shard/Passes.h"
#include "passes/stage/Passes.h"
#include "passes/update/Passes.h"
#include "test/frontend/model/TinyGpt.h"

#include "gtest/gtest.h"
#include <cmath>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::passes;
using namespace orrery::test;

namespace {
constexpr double kLearningRate = 0.01;
constexpr int kSteps = 2;

DfgUpdateOptions optionsOf(llvm::StringRef optimizer, double clip) {
  DfgUpdateOptions options;
  options.optimizer = optimizer.str();
  options.clip = clip;
  options.weightDecay = 0.1;
  options.logParamsNorm = options.logNumZeros = true;
  return options;
}

auto passesOf(Layout layout, DfgUpdateOptions options) {
  return [=](mlir::OpPassManager &manager) {
    manager.addPass(createDfgDifferentiate());
    manager.addPass(createDfgStage());
    ShardOptions shard;
    shard.sequenceParallel = layout.sequenceParallel;
    shard.scatterGather = true;
    buildShardPipeline(manager, shard);
    manager.addPass(createDfgUpdate(options));
  };
}

/// Sets what the host sets before step `step`, counted from 1.
void setScalars(Interpreter &interpreter, int step) {
  interpreter.setScalar("loss_seed", 1);
  interpreter.setScalar("lr", kLearningRate);
  interpreter.setScalar("correction1", 1 - std::pow(0.9, step));
  interpreter.setScalar("correction2", 1 - std::pow(0.999, step));
}

/// The metric on the rank that has it: written by @update, equal on all.
double metricOf(Interpreter &interpreter, llvm::StringRef name) {
  return interpreter.getState(interpreter.getNumRanks() - 1).metrics[name];
}

void runStep(Interpreter &interpreter, int step) {
  setScalars(interpreter, step);
  interpreter.zeroGradients();
  ASSERT_TRUE(succeeded(interpreter.run("train", tinyInputs())));
  ASSERT_TRUE(succeeded(interpreter.run("update", llvm::StringMap<Tensor>())));
}

using Parameters = llvm::StringMap<Tensor>;

/// The formulas of the pass's description, one element at a time.
struct HandOptimizer {
  DfgUpdateOptions options;
  Parameters first, second; // states
  double norm = 0;

  void step(Parameters &weights, const Parameters &grads, int step) {
    double squares = 0;
    for (auto &entry : grads)
      for (double g : entry.getValue().data)
        squares += g * g;
    norm = std::sqrt(squares);
    double factor =
        options.clip > 0 ? std::min(1.0, options.clip / (norm + 1e-6)) : 1;
    for (auto &entry : weights) {
      llvm::StringRef name = entry.getKey();
      bool decays = !name.contains("layernorm") && !name.ends_with("bias");
      double decay = decays ? options.weightDecay : 0;
      Tensor &weight = entry.getValue();
      if (!first.count(name))
        first[name] = second[name] = Tensor(weight.shape, 0);
      for (int64_t i = 0; i < weight.size(); ++i) {
        double g = grads.at(name).data[i] * factor, &p = weight.data[i];
        double &m = first[name].data[i], &v = second[name].data[i];
        if (options.optimizer == "sgd") {
          m = options.momentum * m + g + decay * p;
          p -= kLearningRate * m;
          continue;
        }
        m = options.beta1 * m + (1 - options.beta1) * g;
        v = options.beta2 * v + (1 - options.beta2) * g * g;
        double mean = m / (1 - std::pow(options.beta1, step));
        double root = std::sqrt(v / (1 - std::pow(options.beta2, step)));
        p -= kLearningRate * (mean / (root + options.epsilon) + decay * p);
      }
    }
  }
};

class Formula
    : public testing::TestWithParam<std::tuple<const char *, double>> {};

TEST_P(Formula, IsThatOfTheOptimizer) {
  auto [optimizer, clip] = GetParam();
  DfgUpdateOptions options = optionsOf(optimizer, clip);
  TinyGpt gpt(tinyJob(), passesOf({}, options));
  ASSERT_TRUE(gpt.isBuilt());
  Parameters expected = tinyParameters(tinyJob());
  Interpreter interpreter(*gpt);
  ASSERT_TRUE(succeeded(interpreter.setParameters(expected)));
  HandOptimizer hand{options, {}, {}};
  for (int step = 1; step <= kSteps; ++step) {
    runStep(interpreter, step);
    Parameters grads;
    for (auto &entry : expected)
      grads[entry.getKey()] = *interpreter.getGradient(entry.getKey());
    hand.step(expected, grads, step);
    // Metrics and the clipping factor are f32 in the program, doubles here.
    EXPECT_NEAR(metricOf(interpreter, "grad_norm"), hand.norm,
                1e-6 * hand.norm);
  }
  for (auto &entry : expected)
    EXPECT_LT(
        distance(*interpreter.getParameter(entry.getKey()), entry.getValue()),
        1e-6)
        << entry.getKey().str();
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Formula,
                         testing::Combine(testing::Values("adam", "sgd"),
                                          testing::Values(0.0, 0.1, 100.0)));

TEST(Overflow, LeavesEverythingAsItWas) {
  DfgUpdateOptions options = optionsOf("adam", 1.0);
  options.scaledLoss = true;
  Layout layout{2, 1, 2};
  TinyGpt gpt(tinyJob(layout), passesOf(layout, options));
  ASSERT_TRUE(gpt.isBuilt());
  Parameters initial = tinyParameters(tinyJob());
  Interpreter interpreter(*gpt);
  ASSERT_TRUE(succeeded(interpreter.setParameters(initial)));
  auto step = [&](double seed) {
    setScalars(interpreter, 1);
    interpreter.setScalar("loss_seed", seed);
    interpreter.setScalar("inverse_scale", 1 / seed);
    interpreter.zeroGradients();
    ASSERT_TRUE(succeeded(interpreter.run("train", tinyInputs())));
    ASSERT_TRUE(succeeded(interpreter.run("update", Parameters())));
  };
  step(std::numeric_limits<double>::infinity());
  for (int64_t rank = 0; rank < interpreter.getNumRanks(); ++rank)
    EXPECT_EQ(interpreter.getState(rank).metrics["overflow"], 1);
  for (auto &entry : initial)
    EXPECT_EQ(
        distance(*interpreter.getParameter(entry.getKey()), entry.getValue()),
        0)
        << entry.getKey().str();
  step(1024);
  EXPECT_EQ(metricOf(interpreter, "overflow"), 0);
  double scaledNorm = metricOf(interpreter, "grad_norm");
  EXPECT_GT(distance(*interpreter.getParameter(
                         "language_model.encoder.final_layernorm.weight"),
                     initial["language_model.encoder.final_layernorm.weight"]),
            1e-3);
  // The reported norm is that of the unscaled gradients.
  TinyGpt plain(tinyJob(), passesOf({}, optionsOf("adam", 1.0)));
  Interpreter reference(*plain);
  ASSERT_TRUE(succeeded(reference.setParameters(initial)));
  runStep(reference, 1);
  EXPECT_NEAR(scaledNorm, metricOf(reference, "grad_norm"), 1e-6);
}

class Mesh : public testing::TestWithParam<Layout> {};

TEST_P(Mesh, StepsAsOneRankDoes) {
  DfgUpdateOptions options = optionsOf("adam", 0.1);
  TinyGpt whole(tinyJob(), passesOf({}, options));
  TinyGpt parts(tinyJob(GetParam()), passesOf(GetParam(), options));
  ASSERT_TRUE(whole.isBuilt() && parts.isBuilt());
  Parameters initial = tinyParameters(tinyJob());
  Interpreter one(*whole), many(*parts);
  ASSERT_TRUE(succeeded(one.setParameters(initial)));
  ASSERT_TRUE(succeeded(many.setParameters(initial)));
  for (int step = 1; step <= kSteps; ++step) {
    runStep(one, step);
    runStep(many, step);
    for (llvm::StringRef name : {"lm_loss", "grad_norm", "params_norm"})
      EXPECT_NEAR(metricOf(many, name), metricOf(one, name),
                  1e-9 * metricOf(one, name))
          << name.str() << " in step " << step;
    // The 16 key biases have gradients of rounding errors only, any of which
    // may be zero; so are the 8 of the position that never occurs.
    EXPECT_NEAR(metricOf(many, "num_zeros"), 16, 8) << "in step " << step;
  }
  for (auto &entry : initial) {
    auto stepped = many.getParameter(entry.getKey());
    ASSERT_TRUE(succeeded(stepped)) << entry.getKey().str();
    // The key part of this bias has a gradient of rounding errors only, which
    // Adam blows up.
    if (entry.getKey().ends_with("query_key_value.bias"))
      continue;
    EXPECT_LT(distance(*stepped, *one.getParameter(entry.getKey())), 1e-9)
        << entry.getKey().str();
  }
}

std::string nameOf(const testing::TestParamInfo<Layout> &info) {
  Layout layout = info.param;
  return "pp" + std::to_string(layout.pipeline) + "dp" +
         std::to_string(layout.data) + "tp" + std::to_string(layout.tensor) +
         (layout.sequenceParallel ? "sp" : "");
}

INSTANTIATE_TEST_SUITE_P(Layouts, Mesh,
                         testing::Values(Layout{2, 1, 1}, Layout{1, 2, 1},
                                         Layout{1, 1, 2}, Layout{1, 1, 2, true},
                                         Layout{2, 2, 2},
                                         Layout{2, 2, 2, true}),
                         nameOf);

} // namespace
