// The arguments of the attention kernels, of CPUs and of GPUs. Nothing but
// data: translation units that are compiled once per instruction set and CUDA
// sources include this file.
#ifndef ORRERY_KERNELS_ATTENTIONARGUMENTS_H
#define ORRERY_KERNELS_ATTENTIONARGUMENTS_H

#include <stdint.h>

namespace orrery::kernels {

/// A [s, b, n, d] tensor; strides in elements.
struct AttentionTensor {
  void *data = nullptr;
  int64_t strideS = 0;
  int64_t strideB = 0;
  int64_t strideN = 0;
};

struct AttentionShape {
  int64_t sequence = 0; // s
  int64_t batch = 0;    // b
  int64_t heads = 0;    // n, of this rank
  int64_t dim = 0;      // d
  double scale = 1;
  bool causal = false;
  double dropout = 0;     // p in [0, 1)
  uint64_t randomKey = 0; // Philox key of this operation and step
  int64_t sample = 0;     // global index of the first sample
  int64_t head = 0;       // global index of the first head
  int64_t totalHeads = 0; // of the whole model
  // First position that query i of sample b may attend to; null: position 0.
  const int32_t *documentStart = nullptr;
  int64_t documentStrideS = 0;
  int64_t documentStrideB = 0;
};

struct AttentionForwardArguments {
  AttentionShape shape;
  AttentionTensor q, k, v, o; // o is written
  float *lse = nullptr;       // written
};

struct AttentionBackwardArguments {
  AttentionShape shape;
  AttentionTensor q, k, v, o;
  const float *lse = nullptr;
  AttentionTensor gradO;
  AttentionTensor gradQ, gradK, gradV; // written
};

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_ATTENTIONARGUMENTS_H
