// The GPT of Megatron-LM as a dataflow program.
//
//   x₀ = dropout(word[tokens] + position[ids])
//   per layer  a  = norm(x)            u   = norm(x₁)
//              x₁ = x + dropout(proj(attention(qkv(a))) + b)
//              x  = x₁ + dropout(4h_to_h(gelu(h_to_4h(u))) + b)
//   logits = norm(x) · wordᵀ, loss = masked mean of cross entropy
//
// With residual_post_layernorm the residual is a (u) in place of x (x₁).
// Sources: megatron/model/{language_model,transformer,gpt_model}.py.
#include "frontend/model/Gpt.h"

#include "frontend/job/Check.h"
#include "frontend/model/ModelBuilder.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

#include <cmath>

using namespace mlir;
using namespace orrery::dfg;

namespace orrery::frontend {

static constexpr StringLiteral kEmbedding = "language_model.embedding.";
static constexpr StringLiteral kLayer =
    "language_model.encoder.layers.{layer}.";
static constexpr StringLiteral kEncoder = "language_model.encoder.";
static constexpr StringLiteral kResidualAttr = "dfg.residual";

namespace {
/// Builds @train and @evaluate alike.
class GptBuilder {
public:
  GptBuilder(ModuleOp module, const job::JobSpec &job)
      : b(module, job), model(job.model()) {}

  void buildFunction(StringRef name, bool training);

private:
  Value buildEmbedding();
  Value buildLayer(Value x, int64_t layer);
  Value buildAttention(Value x);
  Value buildMlp(Value x);
  Value buildLogits(Value x);
  Value buildTokenLoss(Value logits);
  Value buildMeanLoss(Value tokenLoss);

  Value wordTable();
  /// Marks `value` as part of the residual stream.
  Value residual(Value value);
  /// residual + dropout(branch) in the type of the residual.
  Value addBranch(Value residual, Value branch, StringRef stream);
  /// Output layers start narrower: σ / √(2L), megatron/model/utils.py.
  double outputDeviation() const {
    return model.init_method_std() / std::sqrt(2.0 * model.num_layers());
  }

  ModelBuilder b;
  const job::Model &model;
};
} // namespace

Value GptBuilder::residual(Value value) {
  value.getDefiningOp()->setAttr(kResidualAttr, b.getBuilder().getUnitAttr());
  return value;
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

Value GptBuilder::wordTable() {
  return b.weight("word_embeddings.weight",
                  {model.padded_vocab_size(), model.hidden_size()},
                  Role::Vocabulary, {model.init_method_std()});
}

Value GptBuilder::buildEmbedding() {
  b.setScope(-1, kEmbedding);
  auto lookUp = [&](Value table, StringRef ids) -> Value {
    RankedTensorType type =
        b.tensor({model.seq_length(), b.getBatch(), model.hidden_size()});
    return b.create<EmbeddingOp>(type, table, b.input(ids), b.zeroIndex());
  };
  Value words = lookUp(wordTable(), "tokens");
  Value table = b.weight("position_embeddings.weight",
                         {model.max_position_embeddings(), model.hidden_size()},
                         Role::Replicated, {model.init_method_std()});
  Value sum = b.create<AddOp>(words, lookUp(table, "position_ids"));
  Value x = b.dropout(sum, model.hidden_dropout(), "embedding.dropout");
  if (model.fp32_residual())
    x = b.cast(x, b.getBuilder().getF32Type());
  return residual(x);
}

//===----------------------------------------------------------------------===//
// Transformer layer
//===----------------------------------------------------------------------===//

Value GptBuilder::addBranch(Value base, Value branch, StringRef stream) {
  Value dropped = b.dropout(branch, model.hidden_dropout(), stream);
  return residual(
      b.create<AddOp>(base, b.cast(dropped, typeOf(base).getElementType())));
}

/// Query, key and value lie side by side in each head's rows:
/// [s, b, n·3·k] → [s, b, n, 3, k] → three of [s, b, n, k].
Value GptBuilder::buildAttention(Value x) {
  Builder &attrs = b.getBuilder();
  int64_t s = model.seq_length(), batch = b.getBatch(),
          n = model.num_attention_heads(), k = model.kv_channels();
  Value fused = b.linear(x, "self_attention.query_key_value", n * 3 * k,
                         Role::Column, model.init_method_std());
  fused = b.addBias(fused, "self_attention.query_key_value", Role::Column);
  Value heads = b.reshape(fused, {s, batch, n, 3, k});
  auto part = [&](int64_t index) {
    Value slice = b.create<SliceOp>(b.tensor({s, batch, n, 1, k}), heads,
                                    /*dim=*/3, /*start=*/index, /*size=*/1);
    return b.reshape(slice, {s, batch, n, k});
  };
  Value query = part(0), key = part(1), value = part(2);
  Value documents =
      model.reset_attention_mask() ? b.input("document_start") : Value();
  double probability = b.isTraining() ? model.attention_dropout() : 0;
  auto attention = b.create<AttentionOp>(
      TypeRange{query.getType(), b.tensor({batch, n, s}, attrs.getF32Type())},
      query, key, value, documents,
      attrs.getF64FloatAttr(1 / std::sqrt(static_cast<double>(k))),
      attrs.getBoolAttr(true), attrs.getF64FloatAttr(probability),
      attrs.getStringAttr("layers.{layer}.self_attention.dropout"),
      attrs.getI64IntegerAttr(b.getLayer()), b.zeroIndex(),
      attrs.getI64IntegerAttr(batch), b.zeroIndex(),
      attrs.getI64IntegerAttr(n));
  Value context = b.reshape(attention.getResult(), {s, batch, n * k});
  Value projected = b.linear(context, "self_attention.dense",
                             model.hidden_size(), Role::Row, outputDeviation());
  return b.addBias(projected, "self_attention.dense", Role::Row);
}

Value GptBuilder::buildMlp(Value x) {
  Value wide = b.linear(x, "mlp.dense_h_to_4h", model.ffn_hidden_size(),
                        Role::Column, model.init_method_std());
  wide = b.addBias(wide, "mlp.dense_h_to_4h", Role::Column);
  GeluForm form = model.activation() == job::Model::GELU_ERF ? GeluForm::Erf
                                                             : GeluForm::Tanh;
  Value active = b.create<GeluOp>(wide.getType(), form, wide);
  Value narrow = b.linear(active, "mlp.dense_4h_to_h", model.hidden_size(),
                          Role::Row, outputDeviation());
  return b.addBias(narrow, "mlp.dense_4h_to_h", Role::Row);
}

Value GptBuilder::buildLayer(Value x, int64_t layer) {
  b.setScope(layer, kLayer);
  bool fromNorm = model.residual_post_layernorm();
  Value a = b.norm(x, "input_layernorm");
  Value x1 = addBranch(fromNorm ? a : x, buildAttention(a),
                       "layers.{layer}.self_attention.output.dropout");
  Value u = b.norm(x1, "post_attention_layernorm");
  return addBranch(fromNorm ? u : x1, buildMlp(u),
                   "layers.{layer}.mlp.output.dropout");
}

//===----------------------------------------------------------------------===//
// Logits and loss
//===----------------------------------------------------------------------===//

Value GptBuilder::buildLogits(Value x) {
  b.setScope(model.num_layers(), kEncoder);
  Value normed = b.norm(x, "final_layernorm");
  b.setScope(model.num_layers(), kEmbedding);
  Value logits = b.create<MatmulOp>(
      b.tensor({model.seq_length(), b.getBatch(), model.padded_vocab_size()}),
      "sbh,vh->sbv", normed, wordTable());
  if (model.fp16_cross_entropy())
    return logits;
  return b.cast(logits, b.getBuilder().getF32Type());
}

/// −log softmax(logits)[label] = log Σ exp z − z[label], z = logits − max.
/// The maximum only guards against overflow: its derivative cancels.
Value GptBuilder::buildTokenLoss(Value logits) {
  ArrayRef<int64_t> shape = typeOf(logits).getShape();
  Value max = b.reduce(Reduction::Max, logits, {2});
  Value z = b.create<SubOp>(logits, b.broadcast(max, {0, 1}, shape));
  Value exp = b.create<ExpOp>(z.getType(), z);
  Value sum = b.reduce(Reduction::Sum, exp, {2});
  Value picked =
      b.create<PickOp>(sum.getType(), z, b.input("labels"), b.zeroIndex());
  Value log = b.create<LogOp>(sum.getType(), sum);
  return b.cast(b.create<SubOp>(log, picked), b.getBuilder().getF32Type());
}

/// [s, B] → [s, replica, b]: each replica divides by its own count of tokens,
/// then the replicas are averaged.
Value GptBuilder::buildMeanLoss(Value tokenLoss) {
  int64_t replicas = b.getJob().parallel().data();
  auto sumPerReplica = [&](Value x) {
    Value split = b.reshape(x, {model.seq_length(), replicas,
                                b.getJob().parallel().micro_batch_size()});
    return b.reduce(Reduction::Sum, split, {0, 2});
  };
  Value mask = b.input("loss_mask");
  Value total = sumPerReplica(b.create<MulOp>(tokenLoss, mask));
  Value means = b.create<DivOp>(total, sumPerReplica(mask));
  Value sum = b.reduce(Reduction::Sum, means, {0});
  Value share = b.create<ConstantOp>(
      sum.getType(), b.getBuilder().getF64FloatAttr(1.0 / replicas));
  return b.create<MulOp>(sum, share);
}

void GptBuilder::buildFunction(StringRef name, bool training) {
  b.beginFunction(name, training);
  Value x = buildEmbedding();
  for (int64_t layer = 0; layer < model.num_layers(); ++layer)
    x = buildLayer(x, layer);
  Value loss = buildMeanLoss(buildTokenLoss(buildLogits(x)));
  b.create<MetricOp>("lm_loss", loss, /*objective=*/training);
  b.endFunction();
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

static LogicalResult checkJob(Location loc, const job::JobSpec &job) {
  job::Diagnostics faults;
  job::checkModel(job, faults);
  job::checkParallel(job, faults);
  for (const job::Diagnostic &fault : faults)
    emitError(loc) << fault.str();
  return success(faults.empty());
}

static MeshAttr makeMesh(MLIRContext *context, const job::Parallel &parallel) {
  Builder builder(context);
  return MeshAttr::get(
      context,
      {builder.getStringAttr("pp"), builder.getStringAttr("dp"),
       builder.getStringAttr("tp")},
      {parallel.pipeline(), parallel.data(), parallel.tensor()});
}

FailureOr<OwningOpRef<ModuleOp>> buildModel(MLIRContext &context,
                                            const job::JobSpec &job) {
  Location loc = UnknownLoc::get(&context);
  if (failed(checkJob(loc, job)))
    return failure();
  context.loadDialect<DfgDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  (*module)->setAttr(kMeshAttr, makeMesh(&context, job.parallel()));
  GptBuilder gpt(*module, job);
  gpt.buildFunction("train", /*training=*/true);
  gpt.buildFunction("evaluate", /*training=*/false);
  if (failed(verify(*module)))
    return failure();
  return module;
}

} // namespace orrery::frontend
