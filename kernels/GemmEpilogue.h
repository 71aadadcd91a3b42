// What follows a matrix product, numbered as in the plan. Nothing but data:
// CUDA sources include this file.
#ifndef ORRERY_KERNELS_GEMMEPILOGUE_H
#define ORRERY_KERNELS_GEMMEPILOGUE_H

namespace orrery::kernels {

/// With x = alpha * op(A) op(B), gelu by the tanh formula:
///   Bias       C = x + bias
///   BiasGelu   aux = x + bias, C = gelu(aux)
///   GeluGrad   C = x * gelu'(aux)
enum class GemmEpilogue : int {
  None = 0,
  Bias = 1,
  BiasGelu = 2,
  GeluGrad = 3
};

} // namespace orrery::kernels

#endif // ORRERY_KERNELS_GEMMEPILOGUE_H
