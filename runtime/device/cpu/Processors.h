// How many processors a rank may use, and that its threads may use them.
#ifndef ORRERY_RUNTIME_DEVICE_CPU_PROCESSORS_H
#define ORRERY_RUNTIME_DEVICE_CPU_PROCESSORS_H

namespace orrery::runtime {

/// The machine's processors shared evenly among the ranks that mpirun started
/// on it; at least 1.
int threadsPerRank();

/// mpirun binds small runs to one processor per rank, where several threads
/// would take turns. Widens the binding to all processors if the present one
/// has fewer than `threads`; call before threads start.
void allowThreads(int threads);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_CPU_PROCESSORS_H
