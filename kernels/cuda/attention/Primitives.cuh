// What the attention kernels ask of the hardware, one small function each:
// lanes, barriers, asynchronous copies, fragments of tensor cores, roundings.
//
// The kernels use nothing else of CUDA, so a test may compile them for the
// host: it defines ORRERY_EMULATE_GPU and declares these functions itself.
#ifndef ORRERY_KERNELS_CUDA_ATTENTION_PRIMITIVES_CUH
#define ORRERY_KERNELS_CUDA_ATTENTION_PRIMITIVES_CUH

#ifndef ORRERY_EMULATE_GPU

#include <cuda_runtime.h>
#include <stdint.h>

#define ORRERY_DEVICE __device__ __forceinline__
#define ORRERY_KERNEL(threads, blocks)                                         \
  __global__ void __launch_bounds__(threads, blocks)

namespace orrery::kernels::cuda::flash {

/// The 16-bit element types, as bits.
struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

ORRERY_DEVICE int threadIndex() { return threadIdx.x; }
ORRERY_DEVICE int blockIndex() { return blockIdx.x; }

/// The block's dynamic shared memory, aligned to 16 bytes.
ORRERY_DEVICE char *sharedMemory() {
  extern __shared__ __align__(16) char shared[];
  return shared;
}

ORRERY_DEVICE void syncBlock() { __syncthreads(); }
ORRERY_DEVICE void syncWarp() { __syncwarp(); }

/// Value of lane (own ^ mask); every lane of the warp calls it.
ORRERY_DEVICE float shuffleXor(float x, int mask) {
  return __shfl_xor_sync(~0u, x, mask);
}
ORRERY_DEVICE int shuffleXor(int x, int mask) {
  return __shfl_xor_sync(~0u, x, mask);
}
ORRERY_DEVICE uint32_t shuffleXor(uint32_t x, int mask) {
  return __shfl_xor_sync(~0u, x, mask);
}
ORRERY_DEVICE bool anyLane(bool x) { return __any_sync(~0u, x); }

/// Starts a copy of 16 or 8 bytes to shared memory; zeros when `valid` is
/// false, and then `global` is not read. Both pointers are aligned to the size.
ORRERY_DEVICE void copyAsync16(void *shared, const void *global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(shared))),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
ORRERY_DEVICE void copyAsync8(void *shared, const void *global) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(shared))),
               "l"(global)
               : "memory");
}
/// Ends a group of copies of this thread.
ORRERY_DEVICE void commitCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until all but the `Pending` latest groups of this thread are there.
template <int Pending> ORRERY_DEVICE void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// Four 8×8 matrices of 16-bit elements; lanes 8i … 8i+7 give the rows of
/// matrix i (16 bytes each, aligned). Lane 4g + t receives elements 2t, 2t + 1
/// of row g of matrix i in r[i]; transposed: elements (2t, g), (2t + 1, g).
ORRERY_DEVICE void loadMatrices(uint32_t (&r)[4], const void *row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
      : "memory");
}
ORRERY_DEVICE void loadMatricesTransposed(uint32_t (&r)[4], const void *row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
      : "memory");
}

/// c += a b for a [16, 16], b [16, 8], c [16, 8]; `T` is the type of a and b.
template <class T>
ORRERY_DEVICE void multiplyAdd(float (&c)[4], const uint32_t (&a)[4],
                               uint32_t b0, uint32_t b1);
template <>
ORRERY_DEVICE void multiplyAdd<Half>(float (&c)[4], const uint32_t (&a)[4],
                                     uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
ORRERY_DEVICE void multiplyAdd<Bfloat16>(float (&c)[4], const uint32_t (&a)[4],
                                         uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Two values rounded to nearest even, `low` in the low half.
template <class T> ORRERY_DEVICE uint32_t packPair(float low, float high);
template <> ORRERY_DEVICE uint32_t packPair<Half>(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
template <> ORRERY_DEVICE uint32_t packPair<Bfloat16>(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

ORRERY_DEVICE float widen(float x) { return x; }
ORRERY_DEVICE float widen(Bfloat16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}
ORRERY_DEVICE float widen(Half x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}

/// 2^x on the special function unit: relative error 2^-22, 0 at -infinity.
ORRERY_DEVICE float exp2Fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// To the last bits of F32.
ORRERY_DEVICE float exp2Exact(float x) { return exp2f(x); }
ORRERY_DEVICE float log2Exact(float x) { return log2f(x); }
ORRERY_DEVICE float fusedMultiplyAdd(float a, float b, float c) {
  return fmaf(a, b, c);
}
ORRERY_DEVICE float largest(float a, float b) { return fmaxf(a, b); }
ORRERY_DEVICE float infinity() { return __int_as_float(0x7f800000); }

/// Runs `kernel` on `blocks` blocks of `threads` threads.
template <class P>
cudaError_t launch(void (*kernel)(P), int64_t blocks, int threads,
                   int sharedBytes, P parameters, cudaStream_t stream) {
  const void *function = reinterpret_cast<const void *>(kernel);
  if (blocks > INT32_MAX)
    return cudaErrorInvalidValue;
  if (sharedBytes > 48 * 1024) {
    cudaError_t error = cudaFuncSetAttribute(
        function, cudaFuncAttributeMaxDynamicSharedMemorySize, sharedBytes);
    if (error != cudaSuccess)
      return error;
  }
  void *arguments[] = {&parameters};
  return cudaLaunchKernel(function, dim3(static_cast<unsigned>(blocks)),
                          dim3(threads), arguments, sharedBytes, stream);
}

} // namespace orrery::kernels::cuda::flash

#endif // ORRERY_EMULATE_GPU
#endif // ORRERY_KERNELS_CUDA_ATTENTION_PRIMITIVES_CUH
