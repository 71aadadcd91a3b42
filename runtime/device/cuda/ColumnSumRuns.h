// Column sums of a program that one launch does together.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_COLUMNSUMRUNS_H
#define ORRERY_RUNTIME_DEVICE_CUDA_COLUMNSUMRUNS_H

#include "runtime/plan/RankPlan.h"

#include <cstdint>
#include <vector>

namespace orrery::runtime::cuda {

/// The distance of `out`'s elements, in elements.
int64_t outStrideOf(const plan::ColumnSum &op);

/// By instruction, how many it does: itself and those behind it that it does
/// with itself, at most kernels::cuda::kMaxColumnSums; 0 for these. A run is
/// column sums behind each other, alike but for where operands lie, none of
/// which writes what another reads or writes in any microbatch.
///
///   sum a   sum b   sum c   gemm   sum d
///   3       0       0       1      1
std::vector<int> columnSumRuns(const plan::Program &program,
                               const RankPlan &rank);

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_COLUMNSUMRUNS_H
