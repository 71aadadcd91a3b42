// Builds the plan class by class; the arena grows as buffers are added.
#include "test/runtime/plan/ToyPlan.h"

#include "runtime/plan/ElementType.h"

#include <initializer_list>

namespace orrery::test {
namespace {

constexpr int64_t kSequence = 6, kBatch = 2, kHeads = 2;

// Communicators of the plan, in order.
enum : uint32_t { TENSOR, DATA, PIPELINE, TIED, EVERY_STAGE };

/// Adds buffers, parameters and instructions to one class.
class ClassBuilder {
public:
  ClassBuilder(const ToyLayout &layout, plan::Plan &plan, bool first, bool last)
      : layout(layout), rankClass(*plan.add_classes()), first(first),
        last(last) {}

  void build(const std::string &name, int32_t stage, int32_t members);

private:
  uint32_t addBuffer(const std::string &name, plan::Buffer::Kind kind,
                     plan::ElementType type, std::vector<int64_t> shape,
                     uint32_t slots = 1);
  void addParameter(const std::string &name, int layer, uint32_t bucket,
                    std::vector<int64_t> shape, int shardedDimension,
                    bool owner = true);
  void addBuckets();
  void addForward(const std::string &name);
  void addBackward();
  void addUpdate();
  void addSchedules();
  plan::View view(uint32_t buffer, std::vector<int64_t> shape,
                  uint64_t offset = 0) const;
  plan::View whole(uint32_t buffer) const;
  plan::Program *addProgram(const std::string &name);
  void addTransfer(plan::Program *program, bool send, uint32_t buffer,
                   int32_t delta, int32_t tag);
  void addCollective(plan::Program *program, plan::Collective::Op op,
                     uint32_t communicator, const plan::View &in,
                     const plan::View &out);

  const ToyLayout &layout;
  plan::RankClass &rankClass;
  const bool first, last;
  uint64_t arena = 0;
  uint64_t elements[2] = {0, 0}; // per bucket, so far
  uint32_t input = 0, output = 0, gradIn = 0, gradOut = 0;
  uint32_t tokens = 0, squares = 0;
};

uint32_t ClassBuilder::addBuffer(const std::string &name,
                                 plan::Buffer::Kind kind,
                                 plan::ElementType type,
                                 std::vector<int64_t> shape, uint32_t slots) {
  plan::Buffer *buffer = rankClass.add_buffers();
  uint64_t bytes = runtime::elementBytes(type);
  for (int64_t size : shape)
    bytes *= size;
  buffer->set_name(name);
  buffer->set_kind(kind);
  buffer->set_type(type);
  buffer->mutable_shape()->Assign(shape.begin(), shape.end());
  buffer->set_offset(arena);
  buffer->set_bytes(bytes);
  buffer->set_slots(slots);
  uint64_t stride = (bytes + 63) / 64 * 64;
  if (slots != 1)
    buffer->set_slot_stride(stride);
  // Slots 0 stands for the member's number, at most one per stage.
  arena += stride * (slots ? slots : layout.pp);
  return static_cast<uint32_t>(rankClass.buffers_size() - 1);
}

void ClassBuilder::addParameter(const std::string &name, int layer,
                                uint32_t bucket, std::vector<int64_t> shape,
                                int shardedDimension, bool owner) {
  plan::Parameter *parameter = rankClass.add_parameters();
  parameter->set_name(name);
  parameter->set_layer(layer);
  parameter->set_bucket(bucket);
  parameter->set_offset(elements[bucket]);
  parameter->set_owner(owner);
  uint64_t local = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool sharded = static_cast<int>(d) == shardedDimension;
    parameter->add_global_shape(shape[d]);
    plan::Sharding *sharding = parameter->add_sharding();
    if (sharded)
      sharding->add_axes("tp");
    local *= shape[d] / (sharded ? layout.tp : 1);
  }
  elements[bucket] += local;
  bool isNorm = bucket == 1;
  parameter->mutable_init()->set_kind(isNorm ? plan::Initializer::CONSTANT
                                             : plan::Initializer::NORMAL);
  parameter->mutable_init()->set_value(isNorm ? 1 : 0.02);
}

void ClassBuilder::addBuckets() {
  for (uint32_t number : {0u, 1u}) {
    plan::Bucket *bucket = rankClass.add_buckets();
    std::string name = number == 0 ? "decay" : "plain";
    int64_t padded = static_cast<int64_t>(elements[number] + 15) / 16 * 16;
    bucket->set_name(name);
    bucket->set_elements(padded);
    bucket->set_weight_decay(number == 0);
    bucket->set_weight(addBuffer(name + ".weight", plan::Buffer::WEIGHT,
                                 layout.is16Bit ? plan::BF16 : plan::F32,
                                 {padded}));
    bucket->set_gradient(addBuffer(name + ".gradient", plan::Buffer::GRADIENT,
                                   plan::F32, {padded}));
    std::vector<std::string> states = {"exp_avg", "exp_avg_sq"};
    if (layout.is16Bit)
      states.push_back("master");
    for (const std::string &stateName : states) {
      plan::Bucket::State *state = bucket->add_states();
      state->set_name(stateName);
      state->set_buffer(addBuffer(name + "." + stateName,
                                  plan::Buffer::OPTIMIZER, plan::F32,
                                  {padded}));
    }
  }
}

plan::View ClassBuilder::view(uint32_t buffer, std::vector<int64_t> shape,
                              uint64_t offset) const {
  plan::View result;
  result.set_buffer(buffer);
  result.set_offset(offset);
  result.set_type(rankClass.buffers(static_cast<int>(buffer)).type());
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  result.mutable_shape()->Assign(shape.begin(), shape.end());
  result.mutable_strides()->Assign(strides.begin(), strides.end());
  return result;
}

plan::View ClassBuilder::whole(uint32_t buffer) const {
  const auto &shape = rankClass.buffers(static_cast<int>(buffer)).shape();
  return view(buffer, {shape.begin(), shape.end()});
}

plan::Program *ClassBuilder::addProgram(const std::string &name) {
  plan::Program *program = rankClass.add_programs();
  program->set_name(name);
  return program;
}

void ClassBuilder::addTransfer(plan::Program *program, bool send,
                               uint32_t buffer, int32_t delta, int32_t tag) {
  plan::Instruction *instruction = program->add_instructions();
  instruction->set_label(send ? "send" : "receive");
  plan::Transfer *transfer =
      send ? instruction->mutable_send() : instruction->mutable_receive();
  transfer->set_communicator(PIPELINE);
  transfer->set_delta(delta);
  transfer->set_tag(tag);
  *transfer->mutable_view() = whole(buffer);
}

void ClassBuilder::addCollective(plan::Program *program,
                                 plan::Collective::Op op, uint32_t communicator,
                                 const plan::View &in, const plan::View &out) {
  plan::Collective *collective =
      program->add_instructions()->mutable_collective();
  collective->set_op(op);
  collective->set_communicator(communicator);
  *collective->mutable_in() = in;
  *collective->mutable_out() = out;
}

/// embedding or receive; gemm; all-reduce; attention; launch; send.
void ClassBuilder::addForward(const std::string &name) {
  plan::Program *program = addProgram(name);
  int64_t h = layout.hidden, rows = kSequence * kBatch;
  const plan::Parameter &table = rankClass.parameters(0);
  if (first) {
    plan::Embedding *op = program->add_instructions()->mutable_embedding();
    *op->mutable_table() = view(rankClass.buckets(0).weight(),
                                {table.global_shape(0) / layout.tp, h});
    *op->mutable_ids() = whole(tokens);
    *op->mutable_out() = view(input, {kSequence, kBatch, h});
    plan::Index::Term *term = op->mutable_first_row()->add_terms();
    term->set_axis("tp");
    term->set_stride(table.global_shape(0) / layout.tp);
  } else {
    addTransfer(program, false, input, -1, 0);
  }
  plan::Gemm *gemm = program->add_instructions()->mutable_gemm();
  *gemm->mutable_a() = view(input, {rows, h});
  *gemm->mutable_b() = view(rankClass.buckets(0).weight(), {h, h});
  *gemm->mutable_c() = view(output, {rows, h});
  gemm->set_transpose_b(true);
  gemm->set_m(rows);
  gemm->set_n(h);
  gemm->set_k(h);
  gemm->set_lda(h);
  gemm->set_ldb(h);
  gemm->set_ldc(h);
  gemm->set_batch(1);
  gemm->set_alpha(1);
  if (!layout.is16Bit) {
    addCollective(program, plan::Collective::ALL_REDUCE, TENSOR, whole(output),
                  whole(output));
    plan::Attention *op = program->add_instructions()->mutable_attention();
    plan::View heads = view(output, {kSequence, kBatch, kHeads, h / kHeads});
    *op->mutable_q() = heads;
    *op->mutable_k() = heads;
    *op->mutable_v() = heads;
    *op->mutable_o() = view(gradOut, {kSequence, kBatch, kHeads, h / kHeads});
    *op->mutable_lse() = view(squares, {kBatch, kHeads, kSequence}, 64);
    op->mutable_lse()->set_type(plan::F32);
    op->mutable_shape()->set_scale(0.5);
    op->mutable_shape()->set_total_heads(kHeads);
  }
  if (layout.kernels) {
    plan::Launch *launch = program->add_instructions()->mutable_launch();
    *launch->add_buffers() = whole(output);
    launch->add_scalars()->mutable_stream()->set_name("dropout.{layer}");
    launch->set_rows(rows);
  }
  if (!last)
    addTransfer(program, true, output, 1, 0);
}

/// receive; copy; embedding gradient or send.
void ClassBuilder::addBackward() {
  plan::Program *program = addProgram("backward");
  if (!last)
    addTransfer(program, false, gradOut, 1, 1);
  plan::Copy *copy = program->add_instructions()->mutable_copy();
  *copy->mutable_in() = whole(input);
  *copy->mutable_out() = whole(gradIn);
  if (!first) {
    addTransfer(program, true, gradIn, -1, 1);
    return;
  }
  const plan::Parameter &table = rankClass.parameters(0);
  plan::EmbeddingGrad *op =
      program->add_instructions()->mutable_embedding_grad();
  *op->mutable_ids() = whole(tokens);
  *op->mutable_grad_out() = view(gradIn, {kSequence, kBatch, layout.hidden});
  *op->mutable_grad() =
      view(rankClass.buckets(0).gradient(),
           {table.global_shape(0) / layout.tp, layout.hidden});
}

/// dp all-reduce; tied all-reduce; column sum; norm over all stages; fill.
void ClassBuilder::addUpdate() {
  plan::Program *program = addProgram("update");
  uint32_t gradient = rankClass.buckets(0).gradient();
  addCollective(program, plan::Collective::ALL_REDUCE, DATA, whole(gradient),
                whole(gradient));
  const plan::Parameter &table = rankClass.parameters(0);
  if (first != last) {
    plan::View tied =
        view(gradient, {table.global_shape(0) / layout.tp, layout.hidden});
    addCollective(program, plan::Collective::ALL_REDUCE, TIED, tied, tied);
  }
  plan::ColumnSum *sum = program->add_instructions()->mutable_column_sum();
  *sum->mutable_in() = view(input, {kSequence * kBatch, layout.hidden});
  *sum->mutable_out() = view(rankClass.buckets(1).gradient(), {layout.hidden});
  sum->set_accumulate(true);
  plan::FlatReduce *square = program->add_instructions()->mutable_flat_reduce();
  *square->mutable_in() = whole(gradient);
  *square->mutable_out() = view(squares, {});
  addCollective(program, plan::Collective::ALL_REDUCE, EVERY_STAGE,
                view(squares, {}), view(squares, {}));
  *program->add_instructions()->mutable_fill()->mutable_out() = whole(gradient);
}

void ClassBuilder::addSchedules() {
  using Phase = plan::Schedule::Phase;
  auto add = [](plan::Schedule *schedule, Phase::Count count,
                std::initializer_list<const char *> programs) {
    Phase *phase = schedule->add_phases();
    phase->set_count(count);
    for (const char *program : programs)
      phase->add_programs(program);
  };
  add(rankClass.mutable_train(), Phase::FIRST, {"forward"});
  add(rankClass.mutable_train(), Phase::REST, {"forward", "backward"});
  add(rankClass.mutable_train(), Phase::FIRST, {"backward"});
  add(rankClass.mutable_train(), Phase::ONCE, {"update"});
  add(rankClass.mutable_evaluate(), Phase::ALL, {"evaluate"});
  add(rankClass.mutable_evaluate(), Phase::ONCE, {"evaluate_finish"});
}

void ClassBuilder::build(const std::string &name, int32_t stage,
                         int32_t members) {
  rankClass.set_name(name);
  int64_t h = layout.hidden, multiple = layout.paddedTo * layout.tp;
  int64_t padded = (layout.vocabulary + multiple - 1) / multiple * multiple;
  if (first || last)
    addParameter("embedding.weight", -1, 0, {padded, h}, 0, first);
  if (first)
    addParameter("position.weight", -1, 0, {6, h}, -1);
  for (int layer = 0; layer < layout.layers / layout.pp; ++layer) {
    addParameter("layers.{layer}.row", layer, 0, {h, 3 * h}, 1);
    addParameter("layers.{layer}.column", layer, 0, {3 * h, h}, 0);
    addParameter("layers.{layer}.norm", layer, 1, {h}, -1);
  }
  if (last)
    addParameter("final.norm", -1, 1, {h}, -1);
  addBuckets();
  plan::ElementType type = layout.is16Bit ? plan::BF16 : plan::F32;
  std::vector<int64_t> stream = {kSequence * kBatch, h};
  input = addBuffer("input", plan::Buffer::BOUNDARY, type, stream, 0);
  output = addBuffer("output", plan::Buffer::BOUNDARY, type, stream, 0);
  gradIn = addBuffer("grad_in", plan::Buffer::BOUNDARY, type, stream, 0);
  gradOut = addBuffer("grad_out", plan::Buffer::BOUNDARY, type, stream, 0);
  tokens = addBuffer("tokens", plan::Buffer::INPUT, plan::I32,
                     {kSequence, kBatch}, 0);
  squares = addBuffer("squares", plan::Buffer::WORK, plan::F64, {64});
  addBuffer("lr", plan::Buffer::SCALAR, plan::F32, {});
  addForward("forward");
  addBackward();
  addUpdate();
  addForward("evaluate");
  addProgram("evaluate_finish");
  addSchedules();
  for (int32_t i = 0; i < members; ++i) {
    plan::Member *member = rankClass.add_members();
    member->set_stage(stage + i);
    member->set_first_layer(
        static_cast<int32_t>((stage + i) * (layout.layers / layout.pp)));
    member->set_warmup(layout.pp - 1 - (stage + i));
    member->set_slots(layout.pp - (stage + i));
    member->set_arena_bytes(arena);
  }
}

void addCommunicator(plan::Plan &plan, const std::string &name,
                     std::initializer_list<const char *> axes,
                     std::vector<int32_t> only = {}) {
  plan::Communicator *communicator = plan.add_communicators();
  communicator->set_name(name);
  for (const char *axis : axes)
    communicator->add_axes(axis);
  communicator->mutable_only()->Assign(only.begin(), only.end());
}

void fillJob(const ToyLayout &layout, job::JobSpec &job) {
  int64_t multiple = layout.paddedTo * layout.tp;
  job::Model &model = *job.mutable_model();
  model.set_num_layers(layout.layers);
  model.set_hidden_size(layout.hidden);
  model.set_vocab_size(layout.vocabulary);
  model.set_padded_vocab_size((layout.vocabulary + multiple - 1) / multiple *
                              multiple);
  model.set_dtype(layout.is16Bit ? job::BFLOAT16 : job::FLOAT32);
  job::Parallel &parallel = *job.mutable_parallel();
  parallel.set_world_size(layout.pp * layout.dp * layout.tp);
  parallel.set_micro_batch_size(kBatch);
  parallel.set_global_batch_size(kBatch * layout.dp * layout.microbatches);
  job::Train &train = *job.mutable_train();
  train.set_lr(1e-3);
  train.set_min_lr(1e-5);
  train.set_lr_decay_samples(200);
  train.set_seed(1234);
  job.mutable_runtime()->set_save_optimizer(true);
  job.mutable_runtime()->set_load_optimizer(true);
}

} // namespace

plan::Plan toyPlan(const ToyLayout &layout) {
  plan::Plan plan;
  plan.set_format(1);
  fillJob(layout, *plan.mutable_job());
  auto addAxis = [&](const char *name, int32_t size) {
    plan::Mesh::Axis *axis = plan.mutable_mesh()->add_axes();
    axis->set_name(name);
    axis->set_size(size);
  };
  addAxis("pp", layout.pp);
  addAxis("dp", layout.dp);
  addAxis("tp", layout.tp);
  addCommunicator(plan, "tensor", {"tp"});
  addCommunicator(plan, "data", {"dp"});
  addCommunicator(plan, "pipeline", {"pp"});
  addCommunicator(plan, "tied", {"pp"},
                  layout.pp > 1 ? std::vector<int32_t>{0, layout.pp - 1}
                                : std::vector<int32_t>{0});
  addCommunicator(plan, "model", {"pp", "tp"});
  if (layout.kernels) {
    plan::Kernel *kernel = plan.add_kernels();
    kernel->set_symbol("fused0");
    kernel->set_buffers(1);
    kernel->set_scalars(1);
    plan.set_kernel_object("\177ELF, but not really");
  }
  if (layout.pp == 1) {
    ClassBuilder(layout, plan, true, true).build("only", 0, 1);
    return plan;
  }
  ClassBuilder(layout, plan, true, false).build("first", 0, 1);
  if (layout.pp > 2)
    ClassBuilder(layout, plan, false, false).build("middle", 1, layout.pp - 2);
  ClassBuilder(layout, plan, false, true).build("last", layout.pp - 1, 1);
  return plan;
}

plan::Instruction *instructionOf(plan::Plan &plan, int rankClass,
                                 const std::string &program, int index) {
  for (plan::Program &candidate :
       *plan.mutable_classes(rankClass)->mutable_programs())
    if (candidate.name() == program)
      return candidate.mutable_instructions(index);
  return nullptr;
}

} // namespace orrery::test
