// A pipeline of stages computes what one program does.
#include "passes/differentiate/Passes.h"
#include "passes/stage/Passes.h"
#include "test/frontend/model/TinyGpt.h"

#include "gtest/gtest.h"

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::test;

static job::JobSpec jobOf(int layers, int stages) {
  job::JobSpec job = tinyJob({stages, 1, 1});
  job.mutable_model()->set_num_layers(layers);
  return job;
}

static auto passesOf(int64_t recomputeLayers, bool cut) {
  return [=](mlir::OpPassManager &manager) {
    passes::DfgDifferentiateOptions options;
    options.recomputeLayers = recomputeLayers;
    manager.addPass(passes::createDfgDifferentiate(options));
    if (cut)
      manager.addPass(passes::createDfgStage());
  };
}

static void train(Interpreter &interpreter,
                  const llvm::StringMap<Tensor> &parameters) {
  interpreter.setScalar("loss_seed", 1);
  ASSERT_TRUE(succeeded(interpreter.setParameters(parameters)));
  ASSERT_TRUE(succeeded(interpreter.run("train", tinyInputs())));
}

class Pipeline : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(Pipeline, ComputesWhatOneProgramDoes) {
  auto [stages, recompute] = GetParam();
  TinyGpt whole(jobOf(4, 1), passesOf(0, false));
  TinyGpt parts(jobOf(4, stages), passesOf(recompute, true));
  ASSERT_TRUE(whole.isBuilt() && parts.isBuilt());
  auto parameters = tinyParameters(jobOf(4, 1));
  Interpreter one(*whole), many(*parts);
  ASSERT_EQ(many.getNumRanks(), stages);
  train(one, parameters);
  train(many, parameters);
  EXPECT_DOUBLE_EQ(*many.getMetric("lm_loss"), *one.getMetric("lm_loss"));
  for (auto &entry : parameters)
    EXPECT_LT(distance(*many.getGradient(entry.getKey()),
                       *one.getGradient(entry.getKey())),
              1e-12)
        << entry.getKey().str();
  ASSERT_TRUE(succeeded(one.run("evaluate", tinyInputs())));
  ASSERT_TRUE(succeeded(many.run("evaluate", tinyInputs())));
  EXPECT_DOUBLE_EQ(*many.getMetric("lm_loss", "evaluate"),
                   *one.getMetric("lm_loss", "evaluate"));
}

INSTANTIATE_TEST_SUITE_P(Layouts, Pipeline,
                         testing::Combine(testing::Values(1, 2, 4),
                                          testing::Values(0, 1)));

static std::vector<std::string> classNames(mlir::ModuleOp module) {
  std::vector<std::string> names;
  for (auto rankClass : module.getOps<mlir::ModuleOp>())
    names.push_back(rankClass.getSymName()->str());
  return names;
}

TEST(RankClass, HoldsAllMiddleStages) {
  TinyGpt gpt(jobOf(16, 8), passesOf(0, true));
  ASSERT_TRUE(gpt.isBuilt());
  EXPECT_EQ(classNames(*gpt),
            (std::vector<std::string>{"stage0", "stage1-6", "stage7"}));
}

TEST(RankClass, HoldsSixtyTwoStagesOfATrillionParameters) {
  job::JobSpec job = tinyJob({64, 6, 8});
  job::Model &model = *job.mutable_model();
  model.set_num_layers(128);
  model.set_hidden_size(25600);
  model.set_ffn_hidden_size(4 * 25600);
  model.set_num_attention_heads(160);
  model.set_kv_channels(160);
  model.set_max_position_embeddings(2048);
  model.set_seq_length(2048);
  model.set_vocab_size(50257);
  model.set_padded_vocab_size(51200);
  job.mutable_parallel()->set_micro_batch_size(1);
  job.mutable_parallel()->set_global_batch_size(3072);
  TinyGpt gpt(job, passesOf(1, true));
  ASSERT_TRUE(gpt.isBuilt());
  EXPECT_EQ(classNames(*gpt),
            (std::vector<std::string>{"stage0", "stage1-62", "stage63"}));
}

TEST(RankClass, IsTheOnlyOneWithoutAPipeline) {
  TinyGpt gpt(jobOf(2, 1), passesOf(0, true));
  ASSERT_TRUE(gpt.isBuilt());
  EXPECT_EQ(classNames(*gpt), (std::vector<std::string>{"stage0"}));
  auto table = mlir::SymbolTable::lookupSymbolIn(
      *(*gpt).getOps<mlir::ModuleOp>().begin(),
      "language_model.embedding.word_embeddings.weight");
  EXPECT_FALSE(mlir::cast<dfg::ParameterOp>(table).getTied());
}
