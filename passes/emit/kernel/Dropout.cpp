// Random words on several lanes at once; the rule is kernels/ref/Dropout.h,
// the generator kernels/ref/Philox.h.
#include "passes/emit/kernel/Lanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

#include <array>

using namespace mlir;
using namespace orrery::passes;

namespace {
struct PhiloxEmitter {
  const Lanes &lanes; // one counter each
  OpBuilder &b = lanes.builder;
  Location loc = lanes.loc;
  Type i32 = b.getI32Type();

  Value low(Value wide) {
    return arith::TruncIOp::create(b, loc, lanes.type(i32), wide);
  }
  Value high(Value wide) { return low(shift(wide, 32)); }
  Value shift(Value wide, int64_t bits) {
    return arith::ShRUIOp::create(b, loc, wide,
                                  lanes.constant(b.getI64Type(), bits));
  }
  /// All 64 bits of multiplier * word.
  Value product(uint32_t multiplier, Value word) {
    Value wide =
        arith::ExtUIOp::create(b, loc, lanes.type(b.getI64Type()), word);
    return arith::MulIOp::create(
        b, loc, wide, lanes.constant(b.getI64Type(), int64_t(multiplier)));
  }
  Value exclusiveOr(Value x, Value y, Value z) {
    Value xy = arith::XOrIOp::create(b, loc, x, y);
    return arith::XOrIOp::create(b, loc, xy, z);
  }

  /// Words of counters (i64 lanes, upper half zero) under `key` (an i64).
  std::array<Value, 4> generate(Value counters, Value key) {
    Lanes one{b, loc, 1};
    PhiloxEmitter scalar{one};
    Value zero = lanes.constant(i32, int64_t(0));
    std::array<Value, 4> c = {low(counters), high(counters), zero, zero};
    Value k0 = scalar.low(key), k1 = scalar.high(key);
    for (int round = 0; round < 10; ++round) {
      Value p0 = product(0xD2511F53u, c[0]), p1 = product(0xCD9E8D57u, c[2]);
      c = {exclusiveOr(high(p1), c[1], lanes.splat(k0)), low(p1),
           exclusiveOr(high(p0), c[3], lanes.splat(k1)), low(p0)};
      k0 = arith::AddIOp::create(
          b, loc, k0, one.constant(i32, int64_t(int32_t(0x9E3779B9))));
      k1 = arith::AddIOp::create(
          b, loc, k1, one.constant(i32, int64_t(int32_t(0xBB67AE85))));
    }
    return c;
  }
};
} // namespace

/// The word of each of `width` elements from `first`, a multiple of 4: every
/// counter gives words to four neighbours.
static Value alignedWords(const Lanes &lanes, Value key, Value first) {
  OpBuilder &b = lanes.builder;
  Location loc = lanes.loc;
  Lanes counters{b, loc, lanes.width / 4};
  PhiloxEmitter philox{counters};
  Value start = philox.shift(counters.splat(first), 2);
  auto words = philox.generate(
      arith::AddIOp::create(b, loc, start, counters.iota()), key);
  if (counters.width == 1)
    return vector::FromElementsOp::create(
        b, loc, VectorType::get({4}, b.getI32Type()), words);
  auto interleave = [&](Value x, Value y) -> Value {
    return vector::InterleaveOp::create(b, loc, x, y);
  };
  return interleave(interleave(words[0], words[2]),
                    interleave(words[1], words[3]));
}

/// The same for any `first`: each lane has a counter of its own.
static Value anyWords(const Lanes &lanes, Value key, Value first) {
  OpBuilder &b = lanes.builder;
  Location loc = lanes.loc;
  PhiloxEmitter philox{lanes};
  Value element =
      arith::AddIOp::create(b, loc, lanes.splat(first), lanes.iota());
  auto words = philox.generate(philox.shift(element, 2), key);
  Value position = arith::AndIOp::create(
      b, loc, element, lanes.constant(b.getI64Type(), int64_t(3)));
  Value word = words[3];
  for (int64_t i = 2; i >= 0; --i) {
    Value isThis =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, position,
                              lanes.constant(b.getI64Type(), i));
    word = arith::SelectOp::create(b, loc, isThis, words[i], word);
  }
  return word;
}

Value Lanes::dropout(Value x, double probability, Value key, Value first,
                     bool aligned) const {
  if (probability == 0.0)
    return x;
  Value word =
      aligned ? alignedWords(*this, key, first) : anyWords(*this, key, first);
  auto threshold = static_cast<uint32_t>(probability * 4294967296.0);
  Value keep = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::uge, word,
      constant(builder.getI32Type(), int64_t(int32_t(threshold))));
  Type element = getElementTypeOrSelf(x);
  Value scale = constant(wide(element), 1.0 / (1.0 - probability));
  Value scaled =
      arith::MulFOp::create(builder, loc, convert(x, wide(element)), scale);
  Value chosen = arith::SelectOp::create(builder, loc, keep, scaled,
                                         constant(wide(element), 0.0));
  return convert(chosen, element);
}
