// Canonicalisation of dfg ops.
#include "dialects/dfg/DfgDialect.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace orrery::dfg;

namespace {
/// One operand of a concat that is not a constant zero.
struct Segment {
  int64_t start, size;
  Value value;
};

/// add(concat(a, 0, 0), concat(0, b, 0)) → concat(a, b, 0).
///
/// Slices of one value (q, k, v of a joint projection) each give a gradient
/// padded with zeros; joined, the padding and the adds over it are gone, and a
/// value that is partial need not be added to a zero that is not.
struct AddOfDisjointConcats : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddOp add,
                                PatternRewriter &rewriter) const override {
    auto lhs = add.getLhs().getDefiningOp<ConcatOp>();
    auto rhs = add.getRhs().getDefiningOp<ConcatOp>();
    if (!lhs || !rhs || lhs.getDim() != rhs.getDim())
      return rewriter.notifyMatchFailure(
          add, "operands are not concatenations along one dimension");
    SmallVector<Segment> segments = nonZero(lhs);
    llvm::append_range(segments, nonZero(rhs));
    llvm::sort(segments, [](const Segment &a, const Segment &b) {
      return a.start < b.start;
    });
    for (size_t i = 1; i < segments.size(); ++i)
      if (segments[i - 1].start + segments[i - 1].size > segments[i].start)
        return rewriter.notifyMatchFailure(
            add, "both operands are non-zero in one range");
    rewriter.replaceOp(add, join(rewriter, add, segments, lhs.getDim()));
    return success();
  }

private:
  static SmallVector<Segment> nonZero(ConcatOp concat) {
    SmallVector<Segment> segments;
    int64_t start = 0;
    for (Value value : concat.getOperands()) {
      int64_t size =
          cast<RankedTensorType>(value.getType()).getDimSize(concat.getDim());
      auto constant = value.getDefiningOp<ConstantOp>();
      if (!constant || !constant.getValue().isZero())
        segments.push_back({start, size, value});
      start += size;
    }
    return segments;
  }

  /// New ops belong to the layer of the one that they replace.
  static Value inLayerOf(AddOp add, Operation *op) {
    if (Attribute layer = add->getAttr(kLayerAttr))
      op->setAttr(kLayerAttr, layer);
    return op->getResult(0);
  }

  /// Concatenates the segments with zeros in the gaps.
  static Value join(PatternRewriter &rewriter, AddOp add,
                    ArrayRef<Segment> segments, int64_t dim) {
    auto type = cast<RankedTensorType>(add.getType());
    SmallVector<Value> parts;
    int64_t reached = 0;
    auto fillUpTo = [&](int64_t start) {
      if (start == reached)
        return;
      SmallVector<int64_t> shape(type.getShape());
      shape[dim] = start - reached;
      parts.push_back(inLayerOf(
          add, ConstantOp::create(rewriter, add.getLoc(), type.clone(shape),
                                  rewriter.getF64FloatAttr(0.0))));
    };
    for (const Segment &segment : segments) {
      fillUpTo(segment.start);
      parts.push_back(segment.value);
      reached = segment.start + segment.size;
    }
    fillUpTo(type.getDimSize(dim));
    return inLayerOf(
        add, ConcatOp::create(rewriter, add.getLoc(), type, parts, dim));
  }
};
} // namespace

void AddOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add<AddOfDisjointConcats>(context);
}
