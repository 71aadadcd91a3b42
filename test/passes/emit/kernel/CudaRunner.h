// Runs kernels on the machine's first GPU.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_CUDARUNNER_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_CUDARUNNER_H

#include "test/passes/emit/kernel/KernelRun.h"

namespace orrery::passes {

/// Why no kernel can run here; empty when one can.
std::string whyNoCuda();

/// The first GPU, with code for its compute capability. Buffers have canaries
/// on both sides; writing them stops the test.
Backend cudaBackend();

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_CUDARUNNER_H
