// Kernels of the device's tests by the calling convention of Plan.proto,
// message Kernel; the same as test/runtime/exec/TestKernels.cpp.
#include <stdint.h>

// Every row once, whatever the number of blocks.
#define FOR_EACH_ROW(row)                                                      \
  for (int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;           \
       row < rows; row += int64_t(gridDim.x) * blockDim.x)

extern "C" {

__global__ void count_up(float *out, int64_t first, int64_t rows) {
  FOR_EACH_ROW(row) out[row] = static_cast<float>(first + row);
}

__global__ void add_scaled(const float *in, float *out, int64_t factor,
                           int64_t rows) {
  FOR_EACH_ROW(row) out[row] += in[row] * static_cast<float>(factor);
}

__global__ void show_key(float *out, const uint64_t *key, int64_t rows) {
  FOR_EACH_ROW(row) out[row] = static_cast<float>(*key & 0xfffff);
}

__global__ void from_integers(const int32_t *in, float *out, int64_t rows) {
  FOR_EACH_ROW(row) out[row] = static_cast<float>(in[row]);
}

__global__ void descend(float *weight, const float *gradient, const float *lr,
                        int64_t rows) {
  FOR_EACH_ROW(row) weight[row] -= lr[0] * gradient[row];
}
}
