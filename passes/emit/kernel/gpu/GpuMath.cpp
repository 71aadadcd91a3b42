// Functions as instructions of NVIDIA GPUs.
#include "passes/emit/kernel/gpu/PtxCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace orrery::passes;

namespace {
/// f32 arithmetic on single numbers.
struct Scalar {
  OpBuilder &builder;
  Location loc;
  Type f32 = builder.getF32Type();

  Value number(float value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getF32FloatAttr(value));
  }
  Value call(StringRef intrinsic, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(
               builder, loc, f32, builder.getStringAttr(intrinsic), operands)
        .getResult(0);
  }
  /// 2^(x * scale), to 2^-22 of itself and |x * scale| 2^-24.
  Value exp2(Value x, float scale) {
    Value scaled = arith::MulFOp::create(builder, loc, x, number(scale));
    return call("llvm.nvvm.ex2.approx.ftz", scaled);
  }
};

constexpr float kLog2E = 1.44269504f;

Value makeExp(Scalar s, Value x) { return s.exp2(x, kLog2E); }

/// 1 - 2 / (exp(2 x) + 1): right at both ends, where exp is 0 or infinite.
Value makeTanh(Scalar s, Value x) {
  Value grown = arith::AddFOp::create(s.builder, s.loc, s.exp2(x, 2 * kLog2E),
                                      s.number(1));
  Value inverse = s.call("llvm.nvvm.rcp.approx.ftz.f", grown);
  Value twice = arith::MulFOp::create(s.builder, s.loc, inverse, s.number(-2));
  return arith::AddFOp::create(s.builder, s.loc, twice, s.number(1));
}

Value makeSqrt(Scalar s, Value x) {
  return s.call("llvm.nvvm.sqrt.approx.f", x);
}

Value makeRsqrt(Scalar s, Value x) {
  return s.call("llvm.nvvm.rsqrt.approx.f", x);
}

/// Replaces `op` by `make` of each lane of `operand`.
void replaceLanes(Operation *op, Value operand, PatternRewriter &rewriter,
                  Value (*make)(Scalar, Value)) {
  Location loc = op->getLoc();
  Scalar scalar{rewriter, loc};
  auto vector = dyn_cast<VectorType>(operand.getType());
  if (!vector)
    return rewriter.replaceOp(op, make(scalar, operand));
  SmallVector<Value> lanes;
  for (int64_t i = 0; i < vector.getNumElements(); ++i)
    lanes.push_back(
        make(scalar, vector::ExtractOp::create(rewriter, loc, operand,
                                               ArrayRef<int64_t>{i})));
  rewriter.replaceOpWithNewOp<vector::FromElementsOp>(op, vector, lanes);
}

template <typename Op, Value (*make)(Scalar, Value)>
struct UseInstruction : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    replaceLanes(op, op.getOperand(), rewriter, make);
    return success();
  }
};

/// 1 / sqrt(x) is one instruction; other divisions of f32 become approximate.
struct UseFastDivision : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    constexpr auto kApproximate = arith::FastMathFlags::afn;
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    if (bitEnumContainsAny(op.getFastmath(), kApproximate))
      return rewriter.notifyMatchFailure(op, "is approximate");
    auto root = op.getRhs().getDefiningOp<math::SqrtOp>();
    if (root && matchPattern(op.getLhs(), m_OneFloat())) {
      replaceLanes(op, root.getOperand(), rewriter, makeRsqrt);
      return success();
    }
    rewriter.modifyOpInPlace(op, [&] { op.setFastmath(kApproximate); });
    return success();
  }
};

/// Two numbers are rounded by one instruction.
struct RoundInPairs : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    auto vector = dyn_cast<VectorType>(op.getType());
    if (!vector || vector.getNumElements() % 2 != 0 ||
        !getElementTypeOrSelf(op.getIn().getType()).isF32() ||
        vector.getElementTypeBitWidth() != 16)
      return rewriter.notifyMatchFailure(op, "has no pairs of f32");
    Location loc = op.getLoc();
    Type element = vector.getElementType(), i32 = rewriter.getI32Type();
    auto pair = VectorType::get({2}, element);
    StringRef intrinsic =
        element.isBF16() ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn";
    auto lane = [&](int64_t i) -> Value {
      return vector::ExtractOp::create(rewriter, loc, op.getIn(),
                                       ArrayRef<int64_t>{i});
    };
    SmallVector<Value> words;
    for (int64_t i = 0; i < vector.getNumElements(); i += 2) {
      auto rounded = LLVM::CallIntrinsicOp::create(
          rewriter, loc, pair, rewriter.getStringAttr(intrinsic),
          ValueRange{lane(i + 1), lane(i)}); // the high half comes first
      words.push_back(
          LLVM::BitcastOp::create(rewriter, loc, i32, rounded.getResult(0)));
    }
    auto packed = VectorType::get({static_cast<int64_t>(words.size())}, i32);
    Value all = vector::FromElementsOp::create(rewriter, loc, packed, words);
    rewriter.replaceOpWithNewOp<LLVM::BitcastOp>(op, vector, all);
    return success();
  }
};

/// Two bf16 of a word become two f32 by one instruction each.
struct WidenInPairs : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    auto from = dyn_cast<VectorType>(op.getIn().getType());
    if (!from || from.getNumElements() % 2 != 0 ||
        !from.getElementType().isBF16() ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "has no pairs of bf16");
    Location loc = op.getLoc();
    Type i32 = rewriter.getI32Type(), f32 = rewriter.getF32Type();
    int64_t words = from.getNumElements() / 2;
    Value packed = LLVM::BitcastOp::create(
        rewriter, loc, VectorType::get({words}, i32), op.getIn());
    auto constant = [&](int32_t bits) -> Value {
      return arith::ConstantOp::create(rewriter, loc,
                                       rewriter.getI32IntegerAttr(bits));
    };
    Value high = constant(int32_t(0xffff0000)), sixteen = constant(16);
    SmallVector<Value> lanes;
    for (int64_t i = 0; i < words; ++i) {
      Value word = vector::ExtractOp::create(rewriter, loc, packed,
                                             ArrayRef<int64_t>{i});
      Value halves[] = {arith::ShLIOp::create(rewriter, loc, word, sixteen),
                        arith::AndIOp::create(rewriter, loc, word, high)};
      for (Value half : halves)
        lanes.push_back(arith::BitcastOp::create(rewriter, loc, f32, half));
    }
    rewriter.replaceOpWithNewOp<vector::FromElementsOp>(
        op, cast<VectorType>(op.getType()), lanes);
    return success();
  }
};

/// The low half of a product of 32-bit numbers needs no 64-bit product; the
/// high half then becomes one instruction.
struct MultiplyLowHalves : OpRewritePattern<arith::TruncIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncIOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getIn().getDefiningOp<arith::MulIOp>();
    if (!product || !getElementTypeOrSelf(op.getType()).isInteger(32))
      return rewriter.notifyMatchFailure(op, "is no half of a product");
    auto half = [&](Value wide) -> Value {
      return arith::TruncIOp::create(rewriter, op.getLoc(), op.getType(), wide);
    };
    rewriter.replaceOpWithNewOp<arith::MulIOp>(op, half(product.getLhs()),
                                               half(product.getRhs()));
    return success();
  }
};

struct GpuMath : PassWrapper<GpuMath, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GpuMath)
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<vector::VectorDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    // log is rare, and lg2.approx loses what is left of it near 1.
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name == "math.log" || name == "math.erf";
    });
    patterns.add<UseInstruction<math::ExpOp, makeExp>,
                 UseInstruction<math::TanhOp, makeTanh>, UseFastDivision,
                 RoundInPairs, WidenInPairs, MultiplyLowHalves>(&getContext());
    // Behind UseFastDivision, which looks for roots.
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    RewritePatternSet roots(&getContext());
    roots.add<UseInstruction<math::SqrtOp, makeSqrt>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(roots))))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> orrery::passes::createGpuMathPass() {
  return std::make_unique<GpuMath>();
}
