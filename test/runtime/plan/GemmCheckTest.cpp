// The static check of matrix products: their places, types and epilogues.
#include "test/runtime/plan/PlanFault.h"
#include "test/runtime/plan/ToyPlan.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

using test::expectFound;
using test::Fault;
using test::nameOfFault;

/// The first product of the forward of class "first": 12 rows by a weight of
/// 8 x 8, transposed.
plan::Gemm &product(plan::Plan &plan) {
  return *test::instructionOf(plan, 0, "forward", 1)->mutable_gemm();
}

/// The forward's product with an epilogue and the operands that it needs: the
/// first row of its weight as bias, its input as aux.
plan::Gemm &withEpilogue(plan::Plan &plan, plan::Gemm::Epilogue epilogue) {
  plan::Gemm &gemm = product(plan);
  gemm.set_epilogue(epilogue);
  gemm.set_beta(0);
  if (epilogue != plan::Gemm::GELU_GRAD) {
    *gemm.mutable_bias() = gemm.b();
    gemm.mutable_bias()->set_shape(0, 1);
  }
  if (epilogue != plan::Gemm::BIAS)
    *gemm.mutable_aux() = gemm.a();
  return gemm;
}

/// The product as a batch of two, the upper and the lower half of its rows.
plan::Gemm &inTwo(plan::Gemm &gemm) {
  gemm.set_batch(2);
  gemm.set_m(gemm.m() / 2);
  gemm.set_stride_a(gemm.m() * gemm.lda());
  gemm.set_stride_c(gemm.m() * gemm.ldc());
  return gemm;
}

TEST(GemmCheck, PassesProductsWithEpilogues) {
  for (plan::Gemm::Epilogue epilogue :
       {plan::Gemm::BIAS, plan::Gemm::BIAS_GELU, plan::Gemm::GELU_GRAD})
    for (bool batch : {false, true}) {
      plan::Plan plan = test::toyPlan({.pp = 2, .tp = 2});
      plan::Gemm &gemm = withEpilogue(plan, epilogue);
      if (batch)
        inTwo(gemm);
      absl::Status status = checkPlan(plan);
      EXPECT_TRUE(status.ok())
          << plan::Gemm::Epilogue_Name(epilogue) << ": " << status;
    }
}

TEST(GemmCheck, PassesProductsWhoseViewsHaveTheirElementsInAnotherOrder) {
  plan::Plan plan = test::toyPlan({.pp = 2, .tp = 2});
  plan::Gemm &gemm = product(plan);
  for (plan::View *view : {gemm.mutable_a(), gemm.mutable_c()}) {
    view->mutable_shape()->Clear(); // columns, a unit, 3 x 4 rows
    view->mutable_strides()->Clear();
    for (int64_t size : {8, 1, 4, 3})
      view->add_shape(size);
    for (int64_t stride : {1, 5, 8, 32})
      view->add_strides(stride);
  }
  EXPECT_TRUE(checkPlan(plan).ok()) << checkPlan(plan);
  // Products that share a matrix.
  inTwo(gemm);
  EXPECT_TRUE(checkPlan(plan).ok()) << checkPlan(plan);
}

/// A product at the end of the backward of class "first" that overwrites the
/// last 8 x 8 elements of a gradient in its first run.
plan::Gemm &overwriting(plan::Plan &plan) {
  const plan::Gemm source = product(plan);
  plan::RankClass &first = *plan.mutable_classes(0);
  for (plan::Program &program : *first.mutable_programs()) {
    if (program.name() != "backward")
      continue;
    plan::Gemm &gemm = *program.add_instructions()->mutable_gemm();
    gemm = source;
    gemm.set_transpose_a(true);
    gemm.set_transpose_b(false);
    *gemm.mutable_b() = source.a();
    gemm.set_m(8);
    gemm.set_k(source.m());
    plan::View &c = *gemm.mutable_c();
    c.set_buffer(first.buckets(0).gradient());
    c.set_offset((first.buckets(0).elements() - 64) * 4);
    c.set_shape(0, 8);
    gemm.set_beta(1);
    gemm.set_first_run_overwrites(true);
    return gemm;
  }
  ADD_FAILURE() << "no backward";
  return product(plan);
}

TEST(GemmCheck, PassesProductsThatAreTheFirstToTouchAGradient) {
  plan::Plan plan = test::toyPlan({.pp = 2, .tp = 2});
  overwriting(plan);
  EXPECT_TRUE(checkPlan(plan).ok()) << checkPlan(plan);
}

std::vector<Fault> overwriteFaults() {
  using P = plan::Plan;
  return {
      {"Beta",
       [](P &p) { overwriting(p).set_beta(0); },
       {"(gemm", "first run only and has beta 0, expected 1"}},
      {"NoGradient",
       [](P &p) { *overwriting(p).mutable_c() = product(p).b(); },
       {"overwrites c in the first run", "which is no gradient"}},
      {"Gaps",
       [](P &p) {
         plan::Gemm &gemm = overwriting(p);
         gemm.mutable_c()->set_offset(gemm.c().offset() - 7 * 32);
         gemm.mutable_c()->set_strides(0, 16);
         gemm.set_ldc(16);
       },
       {"overwrites c in the first run, but c has gaps"}},
      {"Twice",
       [](P &p) {
         overwriting(p);
         overwriting(p);
       },
       {"program 'backward', instruction", "overwrites c in the first run",
        "of 'backward' touches it before"}},
      {"BehindAnother",
       [](P &p) {
         overwriting(p).mutable_c()->set_offset(0); // the word embeddings'
       },
       {"of 'backward' touches it before"}},
      {"BehindTheForward",
       [](P &p) {
         plan::Gemm &gemm = overwriting(p);
         *test::instructionOf(p, 0, "forward", 1)->mutable_gemm() = gemm;
       },
       {"program 'backward'", "instruction 1 of 'forward' touches it before"}},
      {"LastRunOnly",
       [](P &p) {
         overwriting(p);
         for (plan::Program &program :
              *p.mutable_classes(0)->mutable_programs())
           if (program.name() == "backward")
             program.mutable_instructions(program.instructions_size() - 1)
                 ->set_last_run_only(true);
       },
       {"overwrites c in the first run", "runs in the last run only"}},
      {"BehindAnotherWithoutAWarmUp",
       [](P &p) {
         // With a warm-up the backward runs first.
         plan::RankClass &first = *p.mutable_classes(0);
         *test::instructionOf(p, 0, "forward", 1)->mutable_gemm() =
             overwriting(p);
         first.mutable_train()->mutable_phases(0)->set_programs(0, "backward");
         test::instructionOf(p, 0, "forward", 1)
             ->mutable_gemm()
             ->set_first_run_overwrites(false);
       },
       {"program 'backward'", "instruction 1 of 'forward' touches it before"}},
      {"NotTrained",
       [](P &p) {
         plan::Gemm &gemm = overwriting(p);
         *test::instructionOf(p, 0, "evaluate", 1)->mutable_gemm() = gemm;
       },
       {"program 'evaluate', instruction 1", "is not in the train schedule"}},
  };
}

std::vector<Fault> placeFaults() {
  using P = plan::Plan;
  return {
      {"Reach",
       [](P &p) { product(p).set_m(13); },
       {"operand a", "goes beyond"}},
      {"LeadingDimension",
       [](P &p) { product(p).set_lda(7); },
       {"leading dimension 7 is below its 8 columns"}},
      {"LeavesOutElements",
       [](P &p) { product(p).set_m(11); },
       {"operand a: 1 x [11, 8] with leading dimension 8",
        "are not the elements of F32[12, 8] with strides [8, 1]"}},
      {"SkipsElements",
       [](P &p) {
         // Every second row of an operand whose view has the rows themselves.
         plan::Gemm &gemm = product(p);
         gemm.set_m(6);
         gemm.set_lda(16);
       },
       {"operand a: 1 x [6, 8] with leading dimension 16",
        "are not the elements of F32[12, 8] with strides [8, 1]"}},
      {"ViewSkipsElements",
       [](P &p) {
         plan::Gemm &gemm = product(p);
         gemm.set_m(6);
         gemm.mutable_a()->set_shape(0, 6);
         gemm.mutable_a()->set_strides(0, 16);
       },
       {"operand a: 1 x [6, 8] with leading dimension 8",
        "are not the elements of F32[6, 8] with strides [16, 1]"}},
      {"OutputSkipsElements",
       [](P &p) {
         // Written with gaps between rows; the view has none.
         plan::Gemm &gemm = product(p);
         gemm.set_m(6);
         gemm.mutable_a()->set_shape(0, 6);
         gemm.mutable_c()->set_strides(0, 8);
         gemm.set_ldc(16);
       },
       {"operand c: 1 x [6, 8] with leading dimension 16",
        "are not the elements of F32[12, 8]"}},
      {"BatchDistance",
       [](P &p) {
         plan::Gemm &gemm = product(p);
         gemm.set_batch(2);
         gemm.set_m(6);
         gemm.set_stride_a(40); // the second product begins in the first
         gemm.set_stride_c(48);
       },
       {"operand a: 2 x [6, 8]", "batch stride 40 are not the elements of"}},
      {"OutputOfABatchInOnePlace",
       [](P &p) {
         plan::Gemm &gemm = product(p);
         gemm.set_batch(2);
       },
       {"operand c: 2 x [12, 8] elements are written to F32[12, 8]"}},
      {"Types",
       [](P &p) { product(p).mutable_b()->set_type(plan::BF16); },
       {"one floating-point type"}},
  };
}

std::vector<Fault> epilogueFaults() {
  using P = plan::Plan;
  using G = plan::Gemm;
  return {
      {"Unknown",
       [](P &p) { product(p).set_epilogue(static_cast<G::Epilogue>(7)); },
       {"instruction 1 (gemm", "epilogue 7 is not known"}},
      {"Accumulates",
       [](P &p) { withEpilogue(p, G::BIAS).set_beta(1); },
       {"epilogue BIAS with beta 1, expected 0"}},
      {"AuxOfABatch",
       [](P &p) {
         // C leaves out the last row of each half, aux has no gap there.
         G &gemm = inTwo(withEpilogue(p, G::GELU_GRAD));
         gemm.set_m(gemm.m() - 1);
         auto place = [&](plan::View &view, int64_t distance) {
           view.mutable_shape()->Clear();
           view.mutable_strides()->Clear();
           for (int64_t size : {int64_t(2), gemm.m(), gemm.n()})
             view.add_shape(size);
           for (int64_t stride : {distance, gemm.ldc(), int64_t(1)})
             view.add_strides(stride);
         };
         place(*gemm.mutable_a(), gemm.stride_a());
         place(*gemm.mutable_c(), gemm.stride_c());
         place(*gemm.mutable_aux(), gemm.m() * gemm.ldc());
       },
       {"operand aux: 2 x [", "goes beyond"}},
      {"BiasMissing",
       [](P &p) { withEpilogue(p, G::BIAS).clear_bias(); },
       {"epilogue BIAS needs operand bias"}},
      {"BiasUnused",
       [](P &p) { withEpilogue(p, G::BIAS).set_epilogue(G::NONE); },
       {"epilogue NONE has no use for operand bias"}},
      {"AuxMissing",
       [](P &p) { withEpilogue(p, G::BIAS_GELU).clear_aux(); },
       {"epilogue BIAS_GELU needs operand aux"}},
      {"AuxUnused",
       [](P &p) { *withEpilogue(p, G::BIAS).mutable_aux() = product(p).a(); },
       {"epilogue BIAS has no use for operand aux"}},
      {"BiasSize",
       [](P &p) { withEpilogue(p, G::BIAS).mutable_bias()->set_shape(0, 2); },
       {"operand bias F32[2, 8] must be 8 elements of"}},
      {"BiasType",
       [](P &p) {
         withEpilogue(p, G::BIAS).mutable_bias()->set_type(plan::BF16);
       },
       {"operand bias BF16[1, 8] must be 8 elements of"}},
      {"BiasNotInARow",
       [](P &p) {
         G &gemm = withEpilogue(p, G::BIAS);
         gemm.mutable_bias()->set_shape(0, 8);
         gemm.mutable_bias()->set_shape(1, 1);
       },
       {"operand bias F32[8, 1] must be 8 elements of"}},
      {"AuxType",
       [](P &p) {
         withEpilogue(p, G::BIAS_GELU).mutable_aux()->set_type(plan::BF16);
       },
       {"operand aux BF16[12, 8] must be as c F32[12, 8]"}},
      {"AuxElements",
       [](P &p) {
         withEpilogue(p, G::GELU_GRAD).mutable_aux()->set_shape(0, 11);
       },
       {"operand aux F32[11, 8] must be as c F32[12, 8]"}},
      {"AuxBeyondBuffer",
       [](P &p) {
         withEpilogue(p, G::GELU_GRAD).mutable_aux()->set_offset(1 << 20);
       },
       {"operand aux", "beyond the"}},
      {"AuxOverlapsItself",
       [](P &p) {
         withEpilogue(p, G::BIAS_GELU).mutable_aux()->set_strides(0, 0);
       },
       {"operand aux", "several elements in one place"}},
      {"AuxReach",
       [](P &p) {
         withEpilogue(p, G::GELU_GRAD).mutable_aux()->set_strides(0, 4);
       },
       {"operand aux", "goes beyond"}},
  };
}

class GemmFault : public ::testing::TestWithParam<Fault> {};

TEST_P(GemmFault, IsFound) { expectFound(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Places, GemmFault, ::testing::ValuesIn(placeFaults()),
                         nameOfFault);
INSTANTIATE_TEST_SUITE_P(Overwrites, GemmFault,
                         ::testing::ValuesIn(overwriteFaults()), nameOfFault);
INSTANTIATE_TEST_SUITE_P(Epilogues, GemmFault,
                         ::testing::ValuesIn(epilogueFaults()), nameOfFault);

} // namespace
} // namespace orrery::runtime
