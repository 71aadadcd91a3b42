// What is reduced over all elements of a flat value, on CPUs and on GPUs.
// Nothing but data: CUDA sources include this file.
#ifndef ORRERY_KERNELS_FLATREDUCTION_H
#define ORRERY_KERNELS_FLATREDUCTION_H

namespace orrery::kernels {

enum class FlatReduction { SquareSum, CountZeros, CountNotFinite };

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_FLATREDUCTION_H
