// Arithmetic on several columns at once.
#ifndef ORRERY_PASSES_EMIT_KERNEL_LANES_H
#define ORRERY_PASSES_EMIT_KERNEL_LANES_H

#include "dialects/dfg/DfgDialect.h"

namespace orrery::passes {

/// Emits code for `width` neighbouring columns: vectors, or plain numbers when
/// width is 1. Values are of the tensor's element type; 16-bit floats compute
/// in f32 and are rounded after each op. bf16 is only converted, loaded and
/// stored: the machine has no other operation on it, not even a choice.
struct Lanes {
  mlir::OpBuilder &builder;
  mlir::Location loc;
  int64_t width;

  mlir::Type type(mlir::Type element) const;
  /// `value` in every lane; integers and floats.
  mlir::Value constant(mlir::Type element, double value) const;
  mlir::Value constant(mlir::Type element, int64_t value) const;
  mlir::Value splat(mlir::Value number) const;
  /// {0, 1, …, width - 1} as i64.
  mlir::Value iota() const;

  /// Loads or stores lanes at element `index` of `pointer`. The address is a
  /// multiple of `alignment` bytes; 0: of the element's size.
  mlir::Value load(mlir::Type element, mlir::Value pointer, mlir::Value index,
                   int64_t alignment = 0) const;
  void store(mlir::Value value, mlir::Value pointer, mlir::Value index,
             int64_t alignment = 0) const;

  /// The result of a `dfg` op that treats each element alone, given its
  /// operands: arithmetic, functions, casts. Null for another op.
  mlir::Value compute(mlir::Operation *op, mlir::ValueRange operands) const;
  /// The type that elements of `element` compute in: f32 or f64.
  mlir::Type wide(mlir::Type element) const;
  /// `value` of float type as `element`.
  mlir::Value convert(mlir::Value value, mlir::Type element) const;
  /// x kept where the random word of its element is at least
  /// floor(probability * 2^32), scaled by 1 / (1 - probability); else zero.
  /// Lane i is element `first` + i of the stream `key` (i64 numbers). `aligned`
  /// promises that `first` is a multiple of 4; then `width` must be as well.
  mlir::Value dropout(mlir::Value x, double probability, mlir::Value key,
                      mlir::Value first, bool aligned) const;

  /// a + b or max(a, b).
  mlir::Value combine(dfg::Reduction kind, mlir::Value a, mlir::Value b) const;
  /// The neutral element of `kind`.
  mlir::Value neutral(dfg::Reduction kind, mlir::Type element) const;
  /// One number out of all lanes, in a fixed order.
  mlir::Value reduce(dfg::Reduction kind, mlir::Value value) const;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_LANES_H
