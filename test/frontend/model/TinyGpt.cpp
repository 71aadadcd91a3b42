// A GPT small enough for the interpreter, with parameters and a microbatch.
#include "test/frontend/model/TinyGpt.h"

#include "frontend/model/Gpt.h"

#include <random>

using namespace orrery;
using namespace orrery::interpreter;
using namespace orrery::test;

static constexpr int64_t kSequence = 4, kBatch = 4, kVocabulary = 16;

job::JobSpec orrery::test::tinyJob(Layout layout) {
  job::JobSpec job;
  job::Model &model = *job.mutable_model();
  model.set_num_layers(2);
  model.set_hidden_size(8);
  model.set_ffn_hidden_size(12);
  model.set_num_attention_heads(2);
  model.set_kv_channels(4);
  model.set_max_position_embeddings(kSequence + 1);
  model.set_seq_length(kSequence);
  model.set_vocab_size(kVocabulary - 2);
  model.set_padded_vocab_size(kVocabulary);
  model.set_layernorm_epsilon(1e-5);
  model.set_attention_dropout(0.2);
  model.set_hidden_dropout(0.2);
  model.set_init_method_std(0.02);
  model.set_dtype(job::FLOAT32);
  job::Parallel &parallel = *job.mutable_parallel();
  parallel.set_world_size(layout.numRanks());
  parallel.set_pipeline(layout.pipeline);
  parallel.set_data(layout.data);
  parallel.set_tensor(layout.tensor);
  parallel.set_sequence_parallel(layout.sequenceParallel);
  parallel.set_chunks(1);
  parallel.set_micro_batch_size(kBatch / layout.data);
  parallel.set_global_batch_size(kBatch);
  return job;
}

TinyGpt::TinyGpt(const job::JobSpec &job,
                 llvm::function_ref<void(mlir::OpPassManager &)> passes) {
  auto built = frontend::buildModel(context, job);
  if (failed(built))
    return;
  mlir::PassManager manager(&context);
  passes(manager);
  if (succeeded(manager.run(**built)))
    module = std::move(*built);
}

/// `count` numbers that depend on `name` alone.
static Tensor draw(llvm::ArrayRef<int64_t> shape, llvm::StringRef name,
                   double low, double high) {
  Tensor tensor(shape, 0);
  std::seed_seq seed(name.begin(), name.end());
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  for (double &element : tensor.data)
    element = uniform(engine);
  return tensor;
}

llvm::StringMap<Tensor> orrery::test::tinyParameters(const job::JobSpec &job) {
  TinyGpt gpt(job, [](mlir::OpPassManager &) {});
  llvm::StringMap<Tensor> parameters;
  for (auto &entry : Interpreter(*gpt).getParameterShapes()) {
    llvm::StringRef name = entry.getKey();
    bool scale = name.contains("layernorm.weight");
    parameters[name] =
        draw(entry.getValue(), name, scale ? 0.8 : -0.4, scale ? 1.2 : 0.4);
  }
  return parameters;
}

llvm::StringMap<Tensor> orrery::test::tinyInputs() {
  auto ids = [](llvm::StringRef name, double limit) {
    Tensor tensor = draw({kSequence, kBatch}, name, 0, limit);
    for (double &id : tensor.data)
      id = static_cast<int64_t>(id);
    return tensor;
  };
  llvm::StringMap<Tensor> inputs;
  inputs["tokens"] = ids("tokens", kVocabulary - 2);
  inputs["labels"] = ids("labels", kVocabulary - 2);
  Tensor positions({kSequence, kBatch}, 0), mask({kSequence, kBatch}, 1);
  for (int64_t i = 0; i < positions.size(); ++i)
    positions.data[i] = i / kBatch;
  // Equal counts per sample pair: the mean over replicas is then the same for
  // every number of replicas.
  for (int64_t sample = 0; sample < kBatch; ++sample)
    mask.data[mask.at({sample, sample})] = 0;
  inputs["position_ids"] = positions;
  inputs["loss_mask"] = mask;
  return inputs;
}
