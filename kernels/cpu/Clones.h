// One function, compiled for three generations of x86-64 and chosen by the
// loader. For leaf functions over plain pointers.
#ifndef ORRERY_KERNELS_CPU_CLONES_H
#define ORRERY_KERNELS_CPU_CLONES_H

// Sanitizers instrument the resolver before their runtime is up.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&         \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ORRERY_CLONES                                                          \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ORRERY_CLONES
#endif

#endif // ORRERY_KERNELS_CPU_CLONES_H
