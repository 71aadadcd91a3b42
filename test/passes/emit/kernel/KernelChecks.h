// What the tests of GPU kernels ask of results, simulated or not.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCHECKS_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCHECKS_H

#include "test/passes/emit/kernel/KernelCases.h"
#include "test/passes/emit/kernel/KernelRun.h"

#include <gtest/gtest.h>

namespace orrery::passes {

inline void expectSameBits(const interpreter::Tensors &actual,
                           const interpreter::Tensors &expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_EQ(actual[i].data, expected[i].data) << "result " << i;
}

/// Of a case of SumCases.h: the interpreter's numbers, and the same bits by
/// `again` in place for each number of blocks.
inline void expectSums(FusedProgram &program, FusedProgram &again,
                       const std::string &element,
                       std::initializer_list<int64_t> blockCounts) {
  interpreter::Tensors inputs = program->makeInputs(8, -0.5, 0.5);
  interpreter::Tensors expected = program->expected(inputs);
  interpreter::Tensors usual = program->run(inputs);
  for (size_t i = 0; i < usual.size(); ++i)
    EXPECT_LT(distance(usual[i], expected[i]), tolerance(element))
        << "result " << i;
  for (int64_t blocks : blockCounts)
    expectSameBits(again->run(inputs, {}, /*inPlace=*/true, blocks), usual);
}

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_KERNELCHECKS_H
