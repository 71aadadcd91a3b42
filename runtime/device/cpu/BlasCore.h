// OpenBLAS picks its kernels by a table of processor models, and takes AVX2
// ones on processors that are newer than the table although they have AVX-512.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_BLASCORE_H
#define ORRERY_RUNTIME_DEVICE_CPU_BLASCORE_H

namespace orrery::runtime {

/// Call first in main. Where the processor has AVX-512 and OpenBLAS chose
/// kernels for less, and OPENBLAS_CORETYPE is not set, sets it and starts the
/// program anew (the choice is made when the library is loaded); the process
/// id stays. Else, or when that fails, returns and costs only speed: matrix
/// products at 129 instead of 246 GFLOP/s per core on an EPYC of 2024.
void preferWideBlas(char **argv);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_BLASCORE_H
