// The text of the linear plan, and its token files.
#include "test/runtime/exec/LinearPlan.h"

#include "runtime/data/IndexedDatasetWriter.h"
#include "test/runtime/exec/PlanText.h"

namespace orrery::runtime {

// The update adds gradients and losses up over dp; each rank's share of the
// mean is already in its products.
static constexpr const char *kPlan = R"(
  job {
    model { num_layers: 1 hidden_size: 4 num_attention_heads: 1 seq_length: 4
            vocab_size: 100 padded_vocab_size: 128 dtype: FLOAT32 }
    parallel { world_size: REPLICAS pipeline: 1 data: REPLICAS tensor: 1
               chunks: 1 micro_batch_size: 1 global_batch_size: 4 }
    train { optimizer: SGD lr: 0.01 decay: LINEAR lr_decay_samples: 40
            train_iters: ITERATIONS seed: 5 }
    data { split: "80,10,10" eod_token: -1 implementation: "mmap" }
    runtime { log_interval: INTERVAL eval_interval: 4 eval_iters: 2 save_interval: INTERVAL
              save_optimizer: true load_optimizer: true }
  }
  mesh { axes { name: "pp" size: 1 } axes { name: "dp" size: REPLICAS } }
  communicators { name: "dp" axes: "dp" }
  classes {
    name: "all"
    members { stage: 0 slots: 1 arena_bytes: 4096 }
    buffers { name: "w" kind: WEIGHT offset: 0 bytes: 16 slots: 1 type: F32
              shape: 4 }
    buffers { name: "g" kind: GRADIENT offset: 64 bytes: 16 slots: 1 type: F32
              shape: 4 }
    buffers { name: "tokens" kind: INPUT offset: 128 bytes: 16 slots: 1
              type: I32 shape: [4, 1] }
    buffers { kind: WORK offset: 192 bytes: 16 slots: 1 type: F32 shape: 4 }
    buffers { name: "lm_loss" kind: SCALAR offset: 256 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buffers { name: "lr" kind: SCALAR offset: 320 bytes: 4 slots: 1 type: F32
              shape: 1 }
    buffers { name: "loss_seed" kind: SCALAR offset: 384 bytes: 4 slots: 1
              type: F32 shape: 1 }
    buckets { name: "all" elements: 4 weight: 0 gradient: 1 }
    parameters { name: "w" layer: -1 bucket: 0 global_shape: 4 sharding {}
                 init { kind: NORMAL value: 0.02 } owner: true }
    programs { name: "forward"
      instructions { label: "convert" layer: -1 launch { kernel: 3
        buffers { buffer: 2 shape: 4 strides: 1 type: I32 } buffers: V(3, 4)
        rows: 4 } }
      instructions { label: "loss" layer: -1 gemm { a: M(3, 1, 4) b: M(0, 4, 1)
        c: M(4, 1, 1) m: 1 n: 1 k: 4 lda: 4 ldb: 1 ldc: 1 batch: 1
        alpha: SHARE beta: 1 } }
      instructions { label: "gradient" layer: -1 gemm { a: M(3, 4, 1)
        b: M(6, 1, 1) c: M(1, 4, 1) m: 4 n: 1 k: 1 lda: 1 ldb: 1 ldc: 1
        batch: 1 alpha: SHARE beta: 1 first_run_overwrites: true } } }
    programs { name: "update"
      instructions { layer: -1 collective { in: V(1, 4) out: V(1, 4) } }
      instructions { layer: -1 collective { in: V(4, 1) out: V(4, 1) } }
      instructions { layer: -1 launch { kernel: 4 buffers: V(0, 4)
        buffers: V(1, 4) buffers: V(5, 1) rows: 4 } } }
    programs { name: "evaluate"
      instructions { layer: -1 launch { kernel: 3
        buffers { buffer: 2 shape: 4 strides: 1 type: I32 } buffers: V(3, 4)
        rows: 4 } }
      instructions { layer: -1 gemm { a: M(3, 1, 4) b: M(0, 4, 1)
        c: M(4, 1, 1) m: 1 n: 1 k: 4 lda: 4 ldb: 1 ldc: 1 batch: 1
        alpha: SHARE beta: 1 } } }
    programs { name: "evaluate_finish"
      instructions { layer: -1 collective { in: V(4, 1) out: V(4, 1) } } }
    train { phases { count: ALL programs: "forward" }
            phases { count: ONCE programs: "update" } }
    evaluate { phases { count: ALL programs: "evaluate" }
               phases { count: ONCE programs: "evaluate_finish" } }
  }
)";

plan::Plan linearPlan(int replicas, int64_t iterations, int64_t interval) {
  std::string text = kPlan;
  auto replace = [&](const std::string &from, const std::string &to) {
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, from.size(), to);
  };
  replace("REPLICAS", std::to_string(replicas));
  replace("SHARE", std::to_string(1.0 / replicas));
  replace("ITERATIONS", std::to_string(iterations));
  replace("INTERVAL", std::to_string(interval));
  return planFromText(text);
}

absl::Status writeTokens(const std::string &prefix) {
  auto writer = IndexedDatasetWriter::create(prefix, TokenType::U16);
  if (!writer.ok())
    return writer.status();
  for (int64_t document = 0; document < 60; ++document) {
    std::vector<int64_t> tokens;
    for (int64_t i = 0; i < 5 + document % 7; ++i)
      tokens.push_back((document * 31 + i * i * 17) % 100);
    absl::Status status = writer->addItem(tokens);
    if (status.ok())
      status = writer->endDocument();
    if (!status.ok())
      return status;
  }
  return writer->finish();
}

} // namespace orrery::runtime
