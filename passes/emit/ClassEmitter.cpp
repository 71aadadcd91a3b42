// Structure of a rank class in the plan.
#include "passes/emit/ClassEmitter.h"

using namespace mlir;
using namespace orrery;
using namespace orrery::passes;

plan::ElementType orrery::passes::toElementType(Type type) {
  if (type.isF32())
    return plan::F32;
  if (type.isF16())
    return plan::F16;
  if (type.isBF16())
    return plan::BF16;
  if (type.isF64())
    return plan::F64;
  if (type.isInteger(32))
    return plan::I32;
  if (type.isInteger(64))
    return plan::I64;
  return plan::ELEMENT_TYPE_UNSPECIFIED;
}

LogicalResult ClassEmitter::run() {
  out.set_name(rankClass.getSymName().str());
  emitMembers();
  emitBuffers();
  emitBuckets();
  emitParameters();
  for (auto program : rankClass.getOps<rank::ProgramOp>())
    if (failed(emitProgram(program)))
      return failure();
  for (auto schedule : rankClass.getOps<rank::ScheduleOp>())
    emitSchedule(schedule);
  return success();
}

void ClassEmitter::emitMembers() {
  for (auto [stage, layer, warmup, slots] :
       llvm::zip_equal(rankClass.getStages(), rankClass.getFirstLayers(),
                       rankClass.getWarmups(), rankClass.getSlots())) {
    plan::Member &member = *out.add_members();
    member.set_stage(stage);
    member.set_first_layer(layer);
    member.set_warmup(warmup);
    member.set_slots(slots);
    member.set_arena_bytes(rankClass.getArenaBytes(slots));
  }
}

void ClassEmitter::emitBuffers() {
  for (auto op : rankClass.getOps<rank::BufferOp>()) {
    buffers[op.getSymName()] = out.buffers_size();
    plan::Buffer &buffer = *out.add_buffers();
    auto type = cast<MemRefType>(op.getType());
    buffer.set_name(op.getLabel().value_or(op.getSymName()).str());
    buffer.set_kind(
        static_cast<plan::Buffer::Kind>(static_cast<int>(op.getKind())));
    buffer.set_offset(op.getOffset().value_or(0));
    buffer.set_bytes(op.getByteSize());
    buffer.set_slot_stride(op.getSlotStride().value_or(0));
    buffer.set_slots(op.getSlots());
    buffer.set_type(toElementType(type.getElementType()));
    for (int64_t size : type.getShape())
      buffer.add_shape(size);
  }
}

void ClassEmitter::emitBuckets() {
  for (auto op : rankClass.getOps<rank::BucketOp>()) {
    buckets[op.getSymName()] = out.buckets_size();
    plan::Bucket &bucket = *out.add_buckets();
    bucket.set_name(op.getSymName().str());
    bucket.set_elements(op.getElements());
    bucket.set_weight_decay(op.getWeightDecay());
    for (auto [field, symbol] : llvm::zip(op.getFields(), op.getBuffers())) {
      StringRef name = cast<StringAttr>(field).getValue();
      unsigned buffer = buffers.at(cast<FlatSymbolRefAttr>(symbol).getValue());
      if (name == "weight") {
        bucket.set_weight(buffer);
      } else if (name == "gradient") {
        bucket.set_gradient(buffer);
      } else {
        plan::Bucket::State &state = *bucket.add_states();
        state.set_name(name.str());
        state.set_buffer(buffer);
      }
    }
  }
}

void ClassEmitter::emitParameters() {
  for (auto op : rankClass.getOps<rank::ParameterOp>()) {
    plan::Parameter &parameter = *out.add_parameters();
    parameter.set_name(op.getName().str());
    parameter.set_layer(op.getName().contains("{layer}") ? op.getLayer() : -1);
    parameter.set_bucket(buckets.at(op.getBucket()));
    parameter.set_offset(op.getOffset());
    for (int64_t size : op.getGlobalShape())
      parameter.add_global_shape(size);
    for (Attribute dim : op.getSharding().getDims()) {
      plan::Sharding &sharding = *parameter.add_sharding();
      for (Attribute axis : cast<ArrayAttr>(dim))
        sharding.add_axes(cast<StringAttr>(axis).getValue().str());
    }
    double deviation = op.getInitStd().convertToDouble();
    plan::Initializer &init = *parameter.mutable_init();
    init.set_kind(deviation != 0 ? plan::Initializer::NORMAL
                                 : plan::Initializer::CONSTANT);
    init.set_value(deviation != 0 ? deviation
                                  : op.getInitValue().convertToDouble());
    parameter.set_owner(op.getOwner());
  }
}

LogicalResult ClassEmitter::emitProgram(rank::ProgramOp op) {
  plan::Program &program = *out.add_programs();
  program.set_name(op.getSymName().str());
  for (Operation &nested : op.getBody().front()) {
    if (isa<rank::ViewOp>(nested))
      continue;
    plan::Instruction &instruction = *program.add_instructions();
    if (auto label = nested.getAttrOfType<StringAttr>(rank::kLabelAttr))
      instruction.set_label(label.getValue().str());
    else
      instruction.set_label(nested.getName().stripDialect().str());
    auto layer = nested.getAttrOfType<IntegerAttr>(dfg::kLayerAttr);
    instruction.set_layer(layer ? layer.getInt() : -1);
    if (auto flops = nested.getAttrOfType<IntegerAttr>(rank::kFlopsAttr))
      instruction.set_flops(flops.getInt());
    if (auto stream = nested.getAttrOfType<IntegerAttr>(rank::kStreamAttr))
      instruction.set_stream(stream.getInt());
    instruction.set_last_run_only(nested.hasAttr(rank::kLastRunOnlyAttr));
    if (failed(emitInstruction(&nested, instruction)))
      return failure();
  }
  return success();
}

void ClassEmitter::emitSchedule(rank::ScheduleOp op) {
  plan::Schedule &schedule =
      op.getName() == "train" ? *out.mutable_train() : *out.mutable_evaluate();
  for (auto phaseOp : op.getOps<rank::PhaseOp>()) {
    plan::Schedule::Phase &phase = *schedule.add_phases();
    phase.set_count(static_cast<plan::Schedule::Phase::Count>(
        static_cast<int>(phaseOp.getCount())));
    for (Attribute program : phaseOp.getPrograms())
      phase.add_programs(cast<StringAttr>(program).getValue().str());
  }
}
