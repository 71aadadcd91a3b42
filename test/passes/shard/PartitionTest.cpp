// The partitioned program means what the global one means: loss and every
// gradient of a small GPT on several meshes, in float64 on simulated ranks.
#include "frontend/model/Gpt.h"
#include "passes/differentiate/Passes.h"
#include "passes/shard/Passes.h"
#include "test/interpreter/Interpreter.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"
#include <random>

using namespace orrery;
using namespace orrery::interpreter;

namespace {
/// A layout of the same model and batch.
struct Layout {
  const char *name;
  int dataParallel, tensorParallel;
  bool sequenceParallel;
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
  parallel.set_world_size(layout.dataParallel * layout.tensorParallel);
  parallel.set_pipeline(1);
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

/// Runs `passes` on the layout's model, then one microbatch of its @train.
static void runTrain(mlir::MLIRContext &context, const Layout &layout,
                     bool partition,
                     std::function<void(Interpreter &)> examine) {
  auto model = frontend::buildModel(context, jobOf(layout));
  ASSERT_TRUE(mlir::succeeded(model));
  mlir::PassManager manager(&context);
  passes::DfgDifferentiateOptions options;
  options.recomputeLayers = layout.recomputeLayers;
  manager.addPass(passes::createDfgDifferentiate(options));
  if (partition)
    passes::buildShardPipeline(
        manager, {layout.sequenceParallel, /*scatterGather=*/false});
  ASSERT_TRUE(mlir::succeeded(manager.run(**model)));
  Interpreter interpreter(**model);
  std::mt19937 engine(3);
  llvm::StringMap<Tensor> weights;
  std::map<std::string, Shape> ordered;
  for (auto &entry : interpreter.getParameterShapes())
    ordered[entry.getKey().str()] = entry.getValue();
  for (auto &[name, shape] : ordered)
    weights[name] = random(shape, engine, -0.5, 0.5);
  ASSERT_TRUE(mlir::succeeded(interpreter.setParameters(weights)));
  interpreter.setScalar("loss_seed", 1);
  interpreter.setMicrobatch(3);
  ASSERT_TRUE(
      mlir::succeeded(interpreter.run("train", inputsOf(layout.documents))));
  examine(interpreter);
}

TEST_P(Partition, LossAndGradientsAreThoseOfTheGlobalProgram) {
  mlir::MLIRContext context;
  Layout whole = GetParam();
  whole.recomputeLayers = 0;
  whole.sequenceParallel = false;
  double loss = 0;
  std::map<std::string, Tensor> gradients;
  runTrain(context, {"whole", 1, 1, false, 0, whole.documents},
           /*partition=*/false, [&](Interpreter &global) {
             loss = *global.getMetric("lm_loss");
             for (auto &entry : global.getParameterShapes())
               gradients[entry.getKey().str()] =
                   *global.getGradient(entry.getKey());
           });
  ASSERT_GT(loss, 1);
  runTrain(context, GetParam(), /*partition=*/true, [&](Interpreter &local) {
    auto partitioned = local.getMetric("lm_loss");
    ASSERT_TRUE(mlir::succeeded(partitioned));
    EXPECT_NEAR(*partitioned, loss, 1e-12 * loss);
    ASSERT_GT(gradients.size(), 25u);
    for (auto &[name, expected] : gradients) {
      auto gradient = local.getGradient(name);
      ASSERT_TRUE(mlir::succeeded(gradient)) << name;
      double scale = 0;
      for (double element : expected.data)
        scale = std::max(scale, std::abs(element));
      EXPECT_GT(scale, 0) << name;
      EXPECT_LT(distance(*gradient, expected), 1e-12) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Partition,
    testing::Values(Layout{"dp1", 1, 1, false}, Layout{"tp2", 1, 2, false},
                    Layout{"tp4", 1, 4, false}, Layout{"dp2", 2, 1, false},
                    Layout{"dp4", 4, 1, false}, Layout{"dp2tp2", 2, 2, false},
                    Layout{"tp2sp", 1, 2, true}, Layout{"tp4sp", 1, 4, true},
                    Layout{"dp2tp2sp", 2, 2, true},
                    Layout{"tp2recompute", 1, 2, false, 1},
                    Layout{"dp2tp2spRecompute", 2, 2, true, 2},
                    Layout{"dp2tp2spDocuments", 2, 2, true, 0, true}),
    [](const testing::TestParamInfo<Layout> &info) {
      return std::string(info.param.name);
    });
