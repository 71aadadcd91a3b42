// Kernels of the executor's tests, linked to a shared object like those that a
// plan carries.
#include <stdint.h>

extern "C" {

// out[row] = scalar0 + row.
void count_up(void *const *buffers, const int64_t *scalars, int64_t begin,
              int64_t end) {
  float *out = static_cast<float *>(buffers[0]);
  for (int64_t row = begin; row < end; ++row)
    out[row] = static_cast<float>(scalars[0] + row);
}

// out[row] += in[row] * factor; factor = scalar0.
void add_scaled(void *const *buffers, const int64_t *scalars, int64_t begin,
                int64_t end) {
  const float *in = static_cast<const float *>(buffers[0]);
  float *out = static_cast<float *>(buffers[1]);
  for (int64_t row = begin; row < end; ++row)
    out[row] += in[row] * static_cast<float>(scalars[0]);
}

// out[row] = low 20 bits of the stream's key.
void show_key(void *const *buffers, const int64_t *scalars, int64_t begin,
              int64_t end) {
  float *out = static_cast<float *>(buffers[0]);
  for (int64_t row = begin; row < end; ++row)
    out[row] = static_cast<float>(scalars[0] & 0xfffff);
}

// out[row] = int in[row].
void from_integers(void *const *buffers, const int64_t *, int64_t begin,
                   int64_t end) {
  const int32_t *in = static_cast<const int32_t *>(buffers[0]);
  float *out = static_cast<float *>(buffers[1]);
  for (int64_t row = begin; row < end; ++row)
    out[row] = static_cast<float>(in[row]);
}

// weight[row] -= lr[0] * gradient[row] for every row.
void descend(void *const *buffers, const int64_t *, int64_t begin,
             int64_t end) {
  float *weight = static_cast<float *>(buffers[0]);
  const float *gradient = static_cast<const float *>(buffers[1]);
  const float *lr = static_cast<const float *>(buffers[2]);
  for (int64_t row = begin; row < end; ++row)
    weight[row] -= lr[0] * gradient[row];
}
}
