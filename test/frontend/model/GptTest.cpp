// The built GPT: its parameters are those of the original, its loss is right.
#include "frontend/model/Gpt.h"
#include "test/frontend/Recorded.h"
#include "test/frontend/model/TinyGpt.h"

#include "gtest/gtest.h"

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::test;

static void noPasses(mlir::OpPassManager &) {}

/// The model of recorded case m1.
static job::JobSpec recordedJob() {
  job::JobSpec job = tinyJob();
  job::Model &model = *job.mutable_model();
  model.set_num_layers(4);
  model.set_hidden_size(64);
  model.set_ffn_hidden_size(256);
  model.set_num_attention_heads(4);
  model.set_kv_channels(16);
  model.set_max_position_embeddings(80);
  model.set_seq_length(64);
  model.set_vocab_size(257);
  model.set_padded_vocab_size(384);
  return job;
}

/// The JSON header of a safetensors file: 8 bytes of length, then text.
static nlohmann::json readHeader(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  uint64_t size = 0;
  stream.read(reinterpret_cast<char *>(&size), sizeof size);
  std::string text(size, ' ');
  stream.read(text.data(), size);
  return nlohmann::json::parse(text);
}

TEST(Gpt, HasTheParametersOfTheOriginal) {
  auto path = recordedFolder() / "megatron_lm/m1/weights_init.safetensors";
  ORRERY_SKIP_WITHOUT(path);
  nlohmann::json header = readHeader(path);
  header.erase("__metadata__");
  TinyGpt gpt(recordedJob(), noPasses);
  ASSERT_TRUE(gpt.isBuilt());
  llvm::StringMap<Shape> shapes = Interpreter(*gpt).getParameterShapes();
  EXPECT_EQ(shapes.size(), header.size());
  for (auto &[name, entry] : header.items()) {
    ASSERT_TRUE(shapes.count(name)) << name;
    std::vector<int64_t> expected = entry["shape"];
    EXPECT_EQ(std::vector<int64_t>(shapes[name].begin(), shapes[name].end()),
              expected)
        << name;
  }
}

TEST(Gpt, DecaysAllButNormsAndBiases) {
  TinyGpt gpt(tinyJob(), noPasses);
  ASSERT_TRUE(gpt.isBuilt());
  for (auto parameter : (*gpt).getOps<dfg::ParameterOp>()) {
    llvm::StringRef name = parameter.getSymName();
    EXPECT_EQ(parameter.getWeightDecay(),
              !name.contains("layernorm") && !name.ends_with("bias"))
        << name.str();
  }
}

TEST(Gpt, StartsAsTheOriginalDoes) {
  TinyGpt gpt(tinyJob(), noPasses);
  ASSERT_TRUE(gpt.isBuilt());
  auto check = [&](llvm::StringRef name, double deviation, double value) {
    auto parameter = (*gpt).lookupSymbol<dfg::ParameterOp>(name);
    ASSERT_TRUE(parameter) << name.str();
    EXPECT_DOUBLE_EQ(parameter.getInitStd().convertToDouble(), deviation);
    EXPECT_DOUBLE_EQ(parameter.getInitValue().convertToDouble(), value);
  };
  std::string layer = "language_model.encoder.layers.1.";
  check("language_model.embedding.word_embeddings.weight", 0.02, 0);
  check(layer + "mlp.dense_h_to_4h.weight", 0.02, 0);
  check(layer + "mlp.dense_h_to_4h.bias", 0, 0);
  check(layer + "mlp.dense_4h_to_h.weight", 0.02 / 2, 0); // sqrt(2 L) = 2
  check(layer + "self_attention.dense.weight", 0.02 / 2, 0);
  check(layer + "input_layernorm.weight", 0, 1);
  check(layer + "input_layernorm.bias", 0, 0);
}

/// Loss of `function` on one rank, whatever mesh the job names.
static double lossOf(const job::JobSpec &job, llvm::StringRef function,
                     llvm::StringMap<Tensor> parameters) {
  TinyGpt gpt(job, noPasses);
  EXPECT_TRUE(gpt.isBuilt());
  auto mesh = dfg::getMesh(*gpt);
  (*gpt)->setAttr(
      dfg::kMeshAttr,
      dfg::MeshAttr::get(mesh.getContext(), mesh.getNames(), {1, 1, 1}));
  Interpreter interpreter(*gpt);
  EXPECT_TRUE(succeeded(interpreter.setParameters(parameters)));
  llvm::StringMap<Tensor> inputs = tinyInputs();
  if (job.model().reset_attention_mask())
    inputs["document_start"] = Tensor({4, 4}, 0);
  EXPECT_TRUE(succeeded(interpreter.run(function, inputs)));
  return *interpreter.getMetric("lm_loss", function);
}

TEST(Gpt, GivesEveryTokenTheSameChanceWhenTheTableIsZero) {
  job::JobSpec job = tinyJob();
  auto parameters = tinyParameters(job);
  auto &table = parameters["language_model.embedding.word_embeddings.weight"];
  table = Tensor(table.shape, 0);
  EXPECT_NEAR(lossOf(job, "evaluate", parameters), std::log(16.0), 1e-12);
}

TEST(Gpt, AveragesReplicasOfEqualTokenCountsLikeOne) {
  auto parameters = tinyParameters(tinyJob());
  double one = lossOf(tinyJob(), "evaluate", parameters);
  EXPECT_NEAR(lossOf(tinyJob({1, 2, 1}), "evaluate", parameters), one, 1e-12);
}

TEST(Gpt, DropsOutInTrainingOnly) {
  job::JobSpec job = tinyJob();
  auto parameters = tinyParameters(job);
  double train = lossOf(job, "train", parameters);
  double evaluate = lossOf(job, "evaluate", parameters);
  EXPECT_GT(std::abs(train - evaluate), 1e-6);
  job.mutable_model()->set_attention_dropout(0);
  job.mutable_model()->set_hidden_dropout(0);
  EXPECT_DOUBLE_EQ(lossOf(job, "train", parameters), evaluate);
}

TEST(Gpt, HonoursTheOptionsOfTheModel) {
  auto parameters = tinyParameters(tinyJob());
  double plain = lossOf(tinyJob(), "evaluate", parameters);
  job::JobSpec erf = tinyJob(), postNorm = tinyJob(), documents = tinyJob();
  erf.mutable_model()->set_activation(job::Model::GELU_ERF);
  postNorm.mutable_model()->set_residual_post_layernorm(true);
  documents.mutable_model()->set_reset_attention_mask(true);
  double erfLoss = lossOf(erf, "evaluate", parameters);
  EXPECT_NE(erfLoss, plain);
  EXPECT_NEAR(erfLoss, plain, 1e-3); // tanh only approximates
  EXPECT_GT(std::abs(lossOf(postNorm, "evaluate", parameters) - plain), 1e-3);
  // Documents that all start at 0 change nothing.
  EXPECT_NEAR(lossOf(documents, "evaluate", parameters), plain, 1e-12);
}

TEST(Gpt, KeepsNormsAndLossInF32WhenTheModelIsNarrow) {
  job::JobSpec job = tinyJob();
  job.mutable_model()->set_dtype(job::BFLOAT16);
  job.mutable_model()->set_fp32_residual(true);
  TinyGpt gpt(job, noPasses);
  ASSERT_TRUE(gpt.isBuilt());
  int residuals = 0;
  (*gpt).walk([&](mlir::Operation *op) {
    auto isF32 = [](mlir::Value value) {
      return mlir::getElementTypeOrSelf(value.getType()).isF32();
    };
    if (mlir::isa<dfg::LayerNormOp, dfg::PickOp, dfg::MetricOp>(op)) {
      EXPECT_TRUE(isF32(op->getOperand(0)));
    }
    if (mlir::isa<dfg::MatmulOp, dfg::GeluOp, dfg::AttentionOp>(op)) {
      EXPECT_TRUE(
          mlir::getElementTypeOrSelf(op->getResult(0).getType()).isBF16());
    }
    if (op->hasAttr("dfg.residual")) {
      ++residuals;
      EXPECT_TRUE(isF32(op->getResult(0)));
    }
  });
  EXPECT_EQ(residuals, 2 * (1 + 2 * 2)); // two functions of two layers
}

TEST(Gpt, RefusesWhatTheMeshCannotDivide) {
  job::JobSpec job = tinyJob({1, 1, 3});
  mlir::MLIRContext context;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
    message += d.str() + "\n";
    return mlir::success();
  });
  EXPECT_TRUE(failed(frontend::buildModel(context, job)));
  EXPECT_NE(message.find("model.num_attention_heads"), std::string::npos);
  EXPECT_NE(message.find("nearest legal choice"), std::string::npos);
}
