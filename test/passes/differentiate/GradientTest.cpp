// Gradients of a small GPT against central differences in float64, and
// recomputation against keeping.
#include "passes/differentiate/Passes.h"
#include "test/frontend/model/TinyGpt.h"

#include "gtest/gtest.h"

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::test;

static job::JobSpec oneRank(bool postNorm = false, bool erf = false) {
  job::JobSpec job = tinyJob();
  job.mutable_model()->set_residual_post_layernorm(postNorm);
  if (erf)
    job.mutable_model()->set_activation(job::Model::GELU_ERF);
  return job;
}

static auto differentiate(int64_t recomputeLayers,
                          bool productEpilogues = false) {
  return [=](mlir::OpPassManager &manager) {
    passes::DfgDifferentiateOptions options;
    options.recomputeLayers = recomputeLayers;
    options.productEpilogues = productEpilogues;
    manager.addPass(passes::createDfgDifferentiate(options));
  };
}

/// Runs @train once; gradients and loss stay in the interpreter.
static void train(Interpreter &interpreter,
                  const llvm::StringMap<Tensor> &parameters) {
  interpreter.setScalar("loss_seed", 1);
  ASSERT_TRUE(succeeded(interpreter.setParameters(parameters)));
  interpreter.zeroGradients();
  ASSERT_TRUE(succeeded(interpreter.run("train", tinyInputs())));
}

static double lossWith(Interpreter &interpreter,
                       const llvm::StringMap<Tensor> &parameters) {
  train(interpreter, parameters);
  return *interpreter.getMetric("lm_loss");
}

static void compareWithDifferences(const job::JobSpec &job) {
  TinyGpt forward(job, [](mlir::OpPassManager &) {});
  TinyGpt both(job, differentiate(0));
  ASSERT_TRUE(both.isBuilt());
  auto parameters = tinyParameters(job);
  Interpreter gradients(*both), losses(*forward);
  train(gradients, parameters);
  constexpr double kStep = 1e-5;
  for (auto &entry : parameters) {
    Tensor gradient = *gradients.getGradient(entry.getKey());
    auto moved = parameters;
    Tensor &value = moved[entry.getKey()];
    // Three elements of each parameter.
    for (int64_t i = 0; i < 3; ++i) {
      int64_t at = (i * 7 + 1) % value.size();
      double original = value.data[at];
      value.data[at] = original + kStep;
      double above = lossWith(losses, moved);
      value.data[at] = original - kStep;
      double below = lossWith(losses, moved);
      value.data[at] = original;
      EXPECT_NEAR(gradient.data[at], (above - below) / (2 * kStep), 1e-7)
          << entry.getKey().str() << " element " << at;
    }
  }
}

TEST(Gradient, IsTheSlopeOfTheLoss) { compareWithDifferences(oneRank()); }

TEST(Gradient, IsTheSlopeOfTheLossWithTheResidualBehindTheNorm) {
  compareWithDifferences(oneRank(/*postNorm=*/true, /*erf=*/true));
}

TEST(Gradient, IsMultipliedByTheLossSeed) {
  TinyGpt gpt(oneRank(), differentiate(0));
  ASSERT_TRUE(gpt.isBuilt());
  llvm::StringRef name = "language_model.embedding.word_embeddings.weight";
  auto parameters = tinyParameters(oneRank());
  Interpreter plain(*gpt), scaled(*gpt);
  train(plain, parameters);
  train(scaled, parameters);
  scaled.zeroGradients();
  scaled.setScalar("loss_seed", 8);
  ASSERT_TRUE(succeeded(scaled.run("train", tinyInputs())));
  Tensor expected = *plain.getGradient(name);
  for (double &element : expected.data)
    element *= 8;
  EXPECT_LT(distance(*scaled.getGradient(name), expected), 1e-14);
}

TEST(Gradient, IsTheSameWhenLayersAreRecomputed) {
  auto parameters = tinyParameters(oneRank());
  TinyGpt kept(oneRank(), differentiate(0));
  ASSERT_TRUE(kept.isBuilt());
  Interpreter reference(*kept);
  train(reference, parameters);
  for (int64_t layers : {1, 2}) {
    TinyGpt gpt(oneRank(), differentiate(layers));
    ASSERT_TRUE(gpt.isBuilt());
    Interpreter recomputed(*gpt);
    train(recomputed, parameters);
    for (auto &entry : parameters)
      EXPECT_EQ(distance(*recomputed.getGradient(entry.getKey()),
                         *reference.getGradient(entry.getKey())),
                0)
          << entry.getKey().str() << " at " << layers << " layers";
  }
}

TEST(Gradient, IsTheSameWhenProductsAddTheirBias) {
  auto parameters = tinyParameters(oneRank());
  TinyGpt plain(oneRank(), differentiate(0));
  TinyGpt epilogues(oneRank(), differentiate(0, /*productEpilogues=*/true));
  ASSERT_TRUE(plain.isBuilt() && epilogues.isBuilt());
  Interpreter reference(*plain), other(*epilogues);
  train(reference, parameters);
  train(other, parameters);
  for (auto &entry : parameters)
    EXPECT_EQ(distance(*other.getGradient(entry.getKey()),
                       *reference.getGradient(entry.getKey())),
              0)
        << entry.getKey().str();
}

/// Elements of forward values inside layers that the backward reads.
static int64_t keptElements(mlir::ModuleOp module, int64_t numLayers) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("train");
  auto begin = *function.getOps<dfg::BeginBackwardOp>().begin();
  int64_t sum = 0;
  for (mlir::Operation &op : function.front()) {
    if (&op == begin)
      break;
    auto layer = op.getAttrOfType<mlir::IntegerAttr>(dfg::kLayerAttr).getInt();
    for (mlir::Value result : op.getResults())
      if (layer >= 0 && layer < numLayers &&
          llvm::any_of(
              result.getUsers(),
              [&](mlir::Operation *user) {
                return begin->isBeforeInBlock(user);
              }))
        sum += mlir::cast<mlir::RankedTensorType>(result.getType())
                   .getNumElements();
  }
  return sum;
}

TEST(Stash, HoldsFourteenHiddenSizesPerTokenAndLayer) {
  job::JobSpec job = oneRank();
  constexpr int64_t kTokens = 16, kHidden = 8, kFfn = 12, kHeads = 2;
  TinyGpt gpt(job, differentiate(0));
  ASSERT_TRUE(gpt.isBuilt());
  // qkv 3h, attention h and one number per head, x₁, output, two norms with
  // mean and deviation, and the wide product.
  int64_t perToken =
      3 * kHidden + kHidden + kHeads + 2 * kHidden + 2 * (kHidden + 2) + kFfn;
  // Only the last layer's output is read outside of its layer.
  EXPECT_EQ(keptElements(*gpt, 2), 2 * kTokens * perToken);
  // With the bias in the wide product's place nothing grows.
  TinyGpt epilogues(job, differentiate(0, /*productEpilogues=*/true));
  ASSERT_TRUE(epilogues.isBuilt());
  EXPECT_EQ(keptElements(*epilogues, 2), 2 * kTokens * perToken);
}

TEST(Stash, HoldsOnlyLayerInputsWhenLayersAreRecomputed) {
  constexpr int64_t kTokens = 16, kHidden = 8;
  TinyGpt each(oneRank(), differentiate(1)), both(oneRank(), differentiate(2));
  ASSERT_TRUE(each.isBuilt() && both.isBuilt());
  // The input of layer 0 belongs to the embedding; the output of the last
  // layer is read by the head.
  EXPECT_EQ(keptElements(*each, 2), 2 * kTokens * kHidden);
  EXPECT_EQ(keptElements(*both, 2), kTokens * kHidden);
}
