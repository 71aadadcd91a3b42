// The partitioned program means what the global one means: loss and every
// gradient of a small GPT on several meshes, in float64 on simulated ranks.
#include "frontend/model/Gpt.h"
#include "passes/differentiate/Passes.h"
#include "passes/shard/Passes.h"
#include "passes/stage/Passes.h"
#include "test/interpreter/Interpreter.h"

#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"
#include <map>
#include <random>

using namespace orrery;
using namespace orrery::interpreter;

namespace {
/// A layout of the same model and batch.
struct Layout {
  const char *name;
  int pipeline, dataParallel, tensorParallel;
  bool sequenceParallel = false;
  bool scatterGather = false;
  int recomputeLayers = 0;
  bool documents = false;
};

/// Prints as its name in test names.
void PrintTo(const Layout &layout, std::ostream *os) { *os << layout.name; }

constexpr int64_t kSequence = 8, kBatch = 4, kVocabulary = 32;

job::JobSpec jobOf(const Layout &layout) {
  job::JobSpec job;
  job::Model &model = *job.mutable_model();
  model.set_num_layers(2);
  model.set_hidden_size(16);
  model.set_ffn_hidden_size(24);
  model.set_num_attention_heads(4);
  model.set_kv_channels(4);
  model.set_max_position_embeddings(kSequence);
  model.set_seq_length(kSequence);
  model.set_vocab_size(kVocabulary - 1);
  model.set_padded_vocab_size(kVocabulary);
  model.set_layernorm_epsilon(1e-5);
  model.set_attention_dropout(0.2);
  model.set_hidden_dropout(0.2);
  model.set_init_method_std(0.02);
  model.set_reset_attention_mask(layout.documents);
  model.set_dtype(job::FLOAT32);
  job::Parallel &parallel = *job.mutable_parallel();
  parallel.set_world_size(layout.pipeline * layout.dataParallel *
                          layout.tensorParallel);
  parallel.set_pipeline(layout.pipeline);
  parallel.set_data(layout.dataParallel);
  parallel.set_tensor(layout.tensorParallel);
  parallel.set_sequence_parallel(layout.sequenceParallel);
  parallel.set_chunks(1);
  parallel.set_micro_batch_size(kBatch / layout.dataParallel);
  parallel.set_global_batch_size(kBatch);
  return job;
}

Tensor random(llvm::ArrayRef<int64_t> shape, std::mt19937 &engine, double low,
              double high) {
  Tensor tensor(shape, 0);
  std::uniform_real_distribution<double> draw(low, high);
  for (double &element : tensor.data)
    element = draw(engine);
  return tensor;
}

Tensor randomIds(std::mt19937 &engine) {
  Tensor ids = random({kSequence, kBatch}, engine, 0, kVocabulary - 1);
  for (double &id : ids.data)
    id = static_cast<int64_t>(id);
  return ids;
}

llvm::StringMap<Tensor> inputsOf(bool documents) {
  std::mt19937 engine(7);
  llvm::StringMap<Tensor> inputs;
  inputs["tokens"] = randomIds(engine);
  inputs["labels"] = randomIds(engine);
  inputs["position_ids"] = Tensor({kSequence, kBatch}, 0);
  inputs["loss_mask"] = Tensor({kSequence, kBatch}, 1);
  for (int64_t i = 0; i < kSequence * kBatch; ++i) {
    inputs["position_ids"].data[i] = i / kBatch;
    // As many masked tokens in every replica, so that the mean over replicas
    // is the same for any number of them.
    inputs["loss_mask"].data[i] = i / kBatch == 2 ? 0 : 1;
  }
  if (documents) {
    inputs["document_start"] = Tensor({kSequence, kBatch}, 0);
    for (int64_t i = 4 * kBatch; i < kSequence * kBatch; ++i)
      inputs["document_start"].data[i] = i % 2 ? 4 : 0;
  }
  return inputs;
}

class Partition : public testing::TestWithParam<Layout> {};
} // namespace

/// Builds the layout's model, partitions it where asked, gives it the same
/// weights in every layout, and lets `examine` run it.
static void withModel(const Layout &layout, bool partition,
                      llvm::function_ref<void(Interpreter &)> examine) {
  mlir::MLIRContext context;
  auto model = frontend::buildModel(context, jobOf(layout));
  ASSERT_TRUE(mlir::succeeded(model));
  mlir::PassManager manager(&context);
  passes::DfgDifferentiateOptions options;
  options.recomputeLayers = layout.recomputeLayers;
  manager.addPass(passes::createDfgDifferentiate(options));
  if (partition) {
    manager.addPass(passes::createDfgStage());
    passes::buildShardPipeline(manager,
                               {layout.sequenceParallel, layout.scatterGather});
  }
  ASSERT_TRUE(mlir::succeeded(manager.run(**model)));
  Interpreter interpreter(**model);
  std::map<std::string, Shape> ordered;
  for (auto &entry : interpreter.getParameterShapes())
    ordered[entry.getKey().str()] = entry.getValue();
  std::mt19937 engine(3);
  llvm::StringMap<Tensor> weights;
  for (auto &[name, shape] : ordered)
    weights[name] = random(shape, engine, -0.5, 0.5);
  ASSERT_TRUE(mlir::succeeded(interpreter.setParameters(weights)));
  interpreter.setScalar("loss_seed", 1);
  interpreter.setMicrobatch(3);
  examine(interpreter);
}

/// Runs one microbatch of `function`; its loss.
static double runLoss(Interpreter &interpreter, llvm::StringRef function,
                      bool documents) {
  interpreter.zeroGradients();
  EXPECT_TRUE(mlir::succeeded(interpreter.run(function, inputsOf(documents))));
  auto loss = interpreter.getMetric("lm_loss", function);
  EXPECT_TRUE(mlir::succeeded(loss));
  return mlir::succeeded(loss) ? *loss : -1;
}

TEST_P(Partition, LossAndGradientsAreThoseOfTheGlobalProgram) {
  bool documents = GetParam().documents;
  double evaluated = 0, loss = 0;
  std::map<std::string, Tensor> gradients;
  Layout whole{"whole", 1, 1, 1};
  whole.documents = documents;
  withModel(whole, /*partition=*/false, [&](Interpreter &global) {
    evaluated = runLoss(global, "evaluate", documents);
    loss = runLoss(global, "train", documents);
    for (auto &entry : global.getParameterShapes())
      gradients[entry.getKey().str()] = *global.getGradient(entry.getKey());
  });
  ASSERT_GT(loss, 1);
  ASSERT_EQ(gradients.size(), 28u);
  withModel(GetParam(), /*partition=*/true, [&](Interpreter &local) {
    EXPECT_NEAR(runLoss(local, "evaluate", documents), evaluated, 1e-12);
    EXPECT_NEAR(runLoss(local, "train", documents), loss, 1e-12);
    for (auto &[name, expected] : gradients) {
      auto gradient = local.getGradient(name);
      ASSERT_TRUE(mlir::succeeded(gradient)) << name;
      EXPECT_LT(distance(*gradient, expected), 1e-12) << name;
      EXPECT_GT(distance(expected, Tensor(expected.shape, 0)), 1e-6) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Partition,
    testing::Values(Layout{"one", 1, 1, 1}, Layout{"tp2", 1, 1, 2},
                    Layout{"tp4", 1, 1, 4}, Layout{"dp2", 1, 2, 1},
                    Layout{"dp4", 1, 4, 1}, Layout{"dp2tp2", 1, 2, 2},
                    Layout{"tp2sp", 1, 1, 2, true},
                    Layout{"tp4sp", 1, 1, 4, true},
                    Layout{"dp2tp2sp", 1, 2, 2, true},
                    Layout{"tp2recompute", 1, 1, 2, false, false, 1},
                    Layout{"dp2tp2spRecompute", 1, 2, 2, true, false, 2},
                    Layout{"dp2tp2spDocuments", 1, 2, 2, true, false, 0, true},
                    Layout{"pp2", 2, 1, 1}, Layout{"pp2dp2tp2", 2, 2, 2},
                    Layout{"pp2tp2sp", 2, 1, 2, true},
                    Layout{"pp2dp2tp2Scattered", 2, 2, 2, false, true},
                    Layout{"pp2tp2spRecompute", 2, 1, 2, true, true, 1}),
    [](const testing::TestParamInfo<Layout> &info) {
      return std::string(info.param.name);
    });
