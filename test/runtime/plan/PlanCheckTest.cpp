// The static check: sound plans of many layouts pass, and every single fault
// is found, with a message that names its place.
#include "runtime/plan/PlanCheck.h"
#include "test/runtime/plan/PlanFault.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::expectFound;
using test::Fault;
using test::instructionOf;
using test::nameOfFault;
using test::ToyLayout;

TEST(PlanCheck, PassesSoundPlansOfEveryLayout) {
  for (int32_t pp : {1, 2, 4})
    for (int32_t dp : {1, 2})
      for (int32_t tp : {1, 2, 4})
        for (bool is16Bit : {false, true}) {
          ToyLayout layout{.pp = pp, .dp = dp, .tp = tp, .is16Bit = is16Bit};
          absl::Status status = checkPlan(test::toyPlan(layout));
          EXPECT_TRUE(status.ok())
              << status << " at pp " << pp << " dp " << dp << " tp " << tp;
        }
}

/// Of class 0 ("first").
plan::Buffer *named(plan::Plan &plan, const std::string &name) {
  for (plan::Buffer &buffer : *plan.mutable_classes(0)->mutable_buffers())
    if (buffer.name() == name)
      return &buffer;
  return nullptr;
}

/// Lays the two slots of each of two buffers of one size, the second of which
/// is behind the first, by turns.
void interleave(plan::Buffer &first, plan::Buffer &second) {
  const uint64_t stride = first.slot_stride();
  second.set_offset(first.offset() + stride);
  first.set_slot_stride(2 * stride);
  second.set_slot_stride(2 * stride);
}

TEST(PlanCheck, PassesSlotsByTurnsAndSharedWork) {
  plan::Plan plan = test::toyPlan({.pp = 2, .tp = 2});
  interleave(*named(plan, "input"), *named(plan, "output"));
  plan::Buffer shared = *named(plan, "squares");
  *plan.mutable_classes(0)->add_buffers() = shared;
  absl::Status status = checkPlan(plan);
  EXPECT_TRUE(status.ok()) << status;
}

class PlanFault : public ::testing::TestWithParam<Fault> {};

TEST_P(PlanFault, IsFound) { expectFound(GetParam()); }

// Instructions of class 0 ("first"), program forward: 0 embedding, 1 gemm,
// 2 collective, 3 attention, 4 launch, 5 send; backward: 0 receive, 1 copy,
// 2 embedding_grad; update: 0, 1 collectives, 2 column_sum, 3 flat_reduce,
// 4 collective, 5 fill.
plan::Instruction *forward(plan::Plan &plan, int index) {
  return instructionOf(plan, 0, "forward", index);
}
plan::Instruction *backward(plan::Plan &plan, int index) {
  return instructionOf(plan, 0, "backward", index);
}
plan::Instruction *update(plan::Plan &plan, int index) {
  return instructionOf(plan, 0, "update", index);
}
plan::Buffer *buffer(plan::Plan &plan, int number) {
  return plan.mutable_classes(0)->mutable_buffers(number);
}
plan::Parameter *parameter(plan::Plan &plan, int number) {
  return plan.mutable_classes(0)->mutable_parameters(number);
}

std::vector<Fault> structureFaults() {
  using P = plan::Plan;
  return {
      {"Format", [](P &p) { p.set_format(2); }, {"schema version 2"}},
      {"WorldSize",
       [](P &p) { p.mutable_job()->mutable_parallel()->set_world_size(8); },
       {"8 ranks", "mesh has 4"}},
      {"BatchDoesNotDivide",
       [](P &p) {
         p.mutable_job()->mutable_parallel()->set_global_batch_size(3);
       },
       {"not a multiple"}},
      {"MeshAxisSize",
       [](P &p) { p.mutable_mesh()->mutable_axes(2)->set_size(0); },
       {"axis 'tp' has size 0"}},
      {"CommunicatorAxis",
       [](P &p) { p.mutable_communicators(0)->set_axes(0, "cp"); },
       {"communicator 'tensor'", "axis 'cp'"}},
      {"CommunicatorTwice",
       [](P &p) { p.mutable_communicators(0)->set_name("data"); },
       {"communicator 'data' is listed twice"}},
      {"CommunicatorWithoutAxis",
       [](P &p) { p.mutable_communicators(0)->clear_axes(); },
       {"has no axis"}},
      {"OnlyOutOfRange",
       [](P &p) { p.mutable_communicators(3)->set_only(1, 2); },
       {"'tied'", "has 2", "0..1"}},
      {"OnlyNotAscending",
       [](P &p) { p.mutable_communicators(3)->set_only(0, 1); },
       {"must ascend"}},
      {"OnlyOverTwoAxes",
       [](P &p) { p.mutable_communicators(3)->add_axes("tp"); },
       {"exactly one axis"}},
      {"KernelWithoutObject",
       [](P &p) { p.clear_kernel_object(); },
       {"no kernel object"}},
      {"KernelWithoutSymbol",
       [](P &p) { p.mutable_kernels(0)->clear_symbol(); },
       {"kernel 0 has no symbol"}},
      {"StageTwice",
       [](P &p) { p.mutable_classes(0)->mutable_members(0)->set_stage(1); },
       {"stage 1 is in two classes"}},
      {"StageMissing",
       [](P &p) { p.mutable_classes()->RemoveLast(); },
       {"stage 1 of 2 is in no class"}},
      {"StageOutOfRange",
       [](P &p) { p.mutable_classes(0)->mutable_members(0)->set_stage(5); },
       {"class 'first'", "stage 5", "0..1"}},
      {"ClassTwice",
       [](P &p) { p.mutable_classes(1)->set_name("first"); },
       {"class 'first' is listed twice"}},
      {"BufferBeyondArena",
       [](P &p) { buffer(p, 0)->set_offset(1 << 30); },
       {"class 'first', buffer 0 'decay.weight'", "beyond the arena"}},
      {"BufferOffsetOverflows",
       [](P &p) { buffer(p, 0)->set_offset(~uint64_t{63}); },
       {"beyond the arena"}},
      {"BufferSlotsOverflow",
       [](P &p) { buffer(p, 10)->set_slot_stride(~uint64_t{63}); },
       {"beyond the arena"}},
      {"BufferShape",
       [](P &p) { buffer(p, 0)->set_shape(0, 1 << 20); },
       {"buffer 0", "exceeds its"}},
      {"BufferKind", [](P &p) { buffer(p, 0)->clear_kind(); }, {"kind 0"}},
      {"BufferType",
       [](P &p) { buffer(p, 0)->clear_type(); },
       {"element type 0"}},
      {"BufferMisaligned",
       [](P &p) { buffer(p, 0)->set_offset(2); },
       {"must be multiples of 4"}},
      {"SlotsOverlap",
       [](P &p) {
         buffer(p, 10)->set_slots(2);
         buffer(p, 10)->set_slot_stride(4);
       },
       {"slot stride 4 is below"}},
      {"NoSlots",
       [](P &p) { p.mutable_classes(0)->mutable_members(0)->set_slots(0); },
       {"has 0 slots on stage 0"}},
      {"WeightsOverwritten",
       [](P &p) { buffer(p, 10)->set_offset(buffer(p, 0)->offset()); },
       {"lies over buffer", "must keep its content"}},
      {"SecondSlotOverwritten",
       [](P &p) {
         const plan::Buffer &output = *named(p, "output");
         named(p, "tokens")->set_offset(output.offset() + output.slot_stride());
       },
       {"'tokens'", "lies over buffer", "'output'", "on stage 0"}},
      {"InterleavedSlotsOverlap",
       [](P &p) {
         interleave(*named(p, "input"), *named(p, "output"));
         named(p, "input")->set_slot_stride(named(p, "input")->bytes());
       },
       {"'output'", "lies over buffer", "'input'"}},
      {"WorkOverBoundary",
       [](P &p) {
         named(p, "squares")->set_offset(named(p, "grad_in")->offset());
       },
       {"lies over buffer", "'squares'", "'grad_in'"}},
      {"TooManySlots",
       [](P &p) {
         p.mutable_classes(0)->mutable_members(0)->set_arena_bytes(1ull << 50);
         named(p, "tokens")->set_slot_stride(1 << 16);
         named(p, "tokens")->set_slots(1 << 30);
       },
       {"more than 4194304 slots", "'tokens' with 1073741824"}},
      {"ScalarType",
       [](P &p) {
         p.mutable_classes(0)->mutable_buffers()->rbegin()->set_type(
             plan::BF16);
       },
       {"scalar 'lr' has element type BF16"}},
      {"ScalarTwice",
       [](P &p) {
         *p.mutable_classes(0)->add_buffers() =
             *p.mutable_classes(0)->mutable_buffers()->rbegin();
         p.mutable_classes(0)->mutable_buffers()->rbegin()->set_offset(0);
       },
       {"scalar 'lr' is listed twice"}},
  };
}

std::vector<Fault> parameterFaults() {
  using P = plan::Plan;
  return {
      {"BucketBuffer",
       [](P &p) { p.mutable_classes(0)->mutable_buckets(0)->set_weight(99); },
       {"bucket 'decay', weight: buffer 99 does not exist"}},
      {"BucketKind",
       [](P &p) { p.mutable_classes(0)->mutable_buckets(0)->set_weight(1); },
       {"kind GRADIENT", "expected WEIGHT"}},
      {"BucketSize",
       [](P &p) {
         p.mutable_classes(0)->mutable_buckets(0)->set_elements(1 << 20);
       },
       {"exceed the"}},
      {"StateUnnamed",
       [](P &p) {
         p.mutable_classes(0)
             ->mutable_buckets(0)
             ->mutable_states(0)
             ->clear_name();
       },
       {"unnamed or listed twice"}},
      {"ParameterBucket",
       [](P &p) { parameter(p, 0)->set_bucket(2); },
       {"parameter 'embedding.weight'", "bucket 2 does not exist"}},
      {"ParameterBeyondBucket",
       [](P &p) { parameter(p, 0)->set_offset(1 << 20); },
       {"end beyond the"}},
      {"ParametersOverlap",
       [](P &p) { parameter(p, 1)->set_offset(parameter(p, 0)->offset()); },
       {"overlap at element"}},
      {"ShardingDoesNotDivide",
       [](P &p) { parameter(p, 0)->set_global_shape(0, 33); },
       {"size 33 does not divide into 2"}},
      {"ShardingAxis",
       [](P &p) { parameter(p, 0)->mutable_sharding(0)->set_axes(0, "ep"); },
       {"axis 'ep'", "not in the mesh"}},
      {"ShardingOverStages",
       [](P &p) { parameter(p, 0)->mutable_sharding(0)->set_axes(0, "pp"); },
       {"sharded on 'pp'"}},
      {"ShardingTwice",
       [](P &p) { parameter(p, 0)->mutable_sharding(1)->add_axes("tp"); },
       {"axis 'tp' shards twice"}},
      {"ShardingCount",
       [](P &p) { parameter(p, 0)->mutable_sharding()->RemoveLast(); },
       {"1 shardings for 2 dimensions"}},
      {"LayerWithoutPlace",
       [](P &p) { parameter(p, 0)->set_layer(0); },
       {"layer 0 with a name without {layer}"}},
      {"LayerMissing",
       [](P &p) {
         p.mutable_classes(1)->mutable_members(0)->set_first_layer(3);
       },
       {"is on no stage"}},
      {"LayerTwice",
       [](P &p) {
         p.mutable_classes(1)->mutable_members(0)->set_first_layer(1);
       },
       {"has 2 owning stages"}},
      {"Ownerless",
       [](P &p) { parameter(p, 0)->set_owner(false); },
       {"'embedding.weight' has 0 owning stages"}},
      {"TwoOwners",
       [](P &p) {
         p.mutable_classes(1)->mutable_parameters(0)->set_owner(true);
       },
       {"has 2 owning stages"}},
      {"TiedShapesDiffer",
       [](P &p) {
         p.mutable_classes(1)->mutable_parameters(0)->set_global_shape(1, 4);
       },
       {"global shape", "elsewhere"}},
  };
}

std::vector<Fault> instructionFaults() {
  using P = plan::Plan;
  return {
      {"EmptyInstruction",
       [](P &p) { forward(p, 0)->clear_embedding(); },
       {"class 'first', program 'forward', instruction 0 (nothing"}},
      {"ViewBuffer",
       [](P &p) { forward(p, 1)->mutable_gemm()->mutable_a()->set_buffer(99); },
       {"instruction 1 (gemm", "operand a: buffer 99 does not exist"}},
      {"ViewBeyondBuffer",
       [](P &p) {
         forward(p, 1)->mutable_gemm()->mutable_a()->set_offset(1 << 20);
       },
       {"operand a", "beyond the"}},
      {"ViewOffsetOverflows",
       [](P &p) {
         forward(p, 1)->mutable_gemm()->mutable_a()->set_offset(~uint64_t{63});
       },
       {"operand a", "beyond the"}},
      {"ViewShapeOverflows",
       [](P &p) {
         forward(p, 1)->mutable_gemm()->mutable_a()->set_shape(0, int64_t{1}
                                                                      << 62);
       },
       {"larger than 2^48"}},
      {"ViewStride",
       [](P &p) {
         forward(p, 1)->mutable_gemm()->mutable_a()->set_strides(0, -1);
       },
       {"stride -1"}},
      {"ViewStrideCount",
       [](P &p) { forward(p, 1)->mutable_gemm()->mutable_a()->add_strides(1); },
       {"2 sizes and 3 strides"}},
      {"ViewMisaligned",
       [](P &p) { forward(p, 1)->mutable_gemm()->mutable_a()->set_offset(2); },
       {"not aligned"}},
      {"OutputOverlapsItself",
       [](P &p) {
         forward(p, 1)->mutable_gemm()->mutable_c()->set_strides(0, 0);
       },
       {"operand c", "several elements in one place"}},
      {"AttentionHeads",
       [](P &p) {
         forward(p, 3)->mutable_attention()->mutable_shape()->set_total_heads(
             1);
       },
       {"heads 0..1 exceed the 1"}},
      {"AttentionKeys",
       [](P &p) {
         plan::View *k = forward(p, 3)->mutable_attention()->mutable_k();
         k->set_shape(0, k->shape(0) - 1);
       },
       {"operands k", "must be shaped as q"}},
      {"AttentionDropout",
       [](P &p) {
         forward(p, 3)->mutable_attention()->mutable_shape()->set_dropout(1);
       },
       {"dropout 1 is not in [0, 1)"}},
      {"AttentionStatistics",
       [](P &p) {
         forward(p, 3)->mutable_attention()->mutable_lse()->set_shape(2, 5);
       },
       {"operand lse", "F32[2, 2, 6]"}},
      {"LaunchKernel",
       [](P &p) { forward(p, 4)->mutable_launch()->set_kernel(1); },
       {"kernel 1 does not exist, the plan has 1"}},
      {"LaunchBuffers",
       [](P &p) { forward(p, 4)->mutable_launch()->clear_buffers(); },
       {"takes 1 buffers, found 0"}},
      {"LaunchScalars",
       [](P &p) { forward(p, 4)->mutable_launch()->add_scalars(); },
       {"takes 1 scalars, found 2"}},
      {"LaunchScalarEmpty",
       [](P &p) {
         forward(p, 4)->mutable_launch()->mutable_scalars(0)->clear_stream();
       },
       {"scalar 0: is empty"}},
      {"LaunchInputs",
       [](P &p) { forward(p, 4)->mutable_launch()->set_inputs(9); },
       {"9 inputs"}},
      {"LaunchRows",
       [](P &p) { forward(p, 4)->mutable_launch()->set_rows(0); },
       {"0 rows"}},
      {"EmbeddingIds",
       [](P &p) {
         forward(p, 0)->mutable_embedding()->mutable_ids()->set_type(plan::F32);
       },
       {"must be I32"}},
      {"EmbeddingIndexAxis",
       [](P &p) {
         forward(p, 0)
             ->mutable_embedding()
             ->mutable_first_row()
             ->mutable_terms(0)
             ->set_axis("ep");
       },
       {"index uses axis 'ep'"}},
      {"CollectiveCommunicator",
       [](P &p) { forward(p, 2)->mutable_collective()->set_communicator(77); },
       {"communicator 77 does not exist"}},
      {"GatherSize",
       [](P &p) {
         forward(p, 2)->mutable_collective()->set_op(
             plan::Collective::ALL_GATHER);
       },
       {"operand out", "F32[24, 8] in a group of 2"}},
      {"ScatterDimension",
       [](P &p) {
         forward(p, 2)->mutable_collective()->set_op(
             plan::Collective::REDUCE_SCATTER);
         forward(p, 2)->mutable_collective()->set_dimension(2);
       },
       {"dimension 2 is not one of"}},
      {"SendBeyondTheLastStage",
       [](P &p) { forward(p, 5)->mutable_send()->set_delta(-1); },
       {"stage 0 has no neighbour -1 away"}},
      {"SendOverTensorAxis",
       [](P &p) { forward(p, 5)->mutable_send()->set_communicator(0); },
       {"transfers need all of the one axis pp"}},
      {"CopyShapes",
       [](P &p) {
         backward(p, 1)->mutable_copy()->mutable_in()->set_shape(0, 11);
       },
       {"instruction 1 (copy", "must be as in"}},
      {"ColumnSumOutput",
       [](P &p) {
         update(p, 2)->mutable_column_sum()->mutable_out()->set_shape(0, 7);
       },
       {"must be F32[8]"}},
      {"FlatReduceOutput",
       [](P &p) {
         update(p, 3)->mutable_flat_reduce()->mutable_out()->set_type(
             plan::F32);
       },
       {"must be one F64"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Structure, PlanFault,
                         ::testing::ValuesIn(structureFaults()), nameOfFault);
INSTANTIATE_TEST_SUITE_P(Parameters, PlanFault,
                         ::testing::ValuesIn(parameterFaults()), nameOfFault);
INSTANTIATE_TEST_SUITE_P(Instructions, PlanFault,
                         ::testing::ValuesIn(instructionFaults()), nameOfFault);

} // namespace
} // namespace orrery::runtime
