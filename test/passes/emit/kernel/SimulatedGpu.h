// Runs kernels for GPUs on this machine, thread by thread.
#ifndef ORRERY_TEST_PASSES_EMIT_KERNEL_SIMULATEDGPU_H
#define ORRERY_TEST_PASSES_EMIT_KERNEL_SIMULATEDGPU_H

#include "test/passes/emit/kernel/KernelRun.h"

namespace orrery::passes {

/// The kernels are compiled for this machine; what they ask of a GPU (numbers
/// of threads and blocks, shuffles, barriers, approximate functions, here
/// exact) is answered by a scheduler that lets the threads of a block run one
/// after the other, each until it has to wait. Aligned accesses trap when they
/// are not. Stops the test when threads wait for each other for ever.
///
/// `backwards` starts with the last block and thread: results that then differ
/// betray a race.
Backend simulatedGpu(bool backwards = false);

} // namespace orrery::passes

#endif // ORRERY_TEST_PASSES_EMIT_KERNEL_SIMULATEDGPU_H
