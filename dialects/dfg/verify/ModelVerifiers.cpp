// Verifiers of the model's ops: products, lookups, norms, attention.
#include "dialects/dfg/DfgDialect.h"
#include "dialects/dfg/verify/ShapeCheck.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace orrery::dfg;

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

namespace {
/// Sizes of an equation's letters, and where each was seen first.
class LetterSizes {
public:
  explicit LetterSizes(MatmulOp op) : op(op) {}

  /// Takes the letters of one tensor; reports C1, C2 and C3.
  LogicalResult add(StringRef what, StringRef letters, RankedTensorType type) {
    if (static_cast<int64_t>(letters.size()) != type.getRank()) // C1
      return op.emitOpError()
             << what << " has " << type.getRank() << " dimensions, equation \""
             << op.getEquation() << "\" gives it " << letters.size();
    for (auto [dim, letter] : llvm::enumerate(letters)) {
      int64_t size = type.getDimSize(dim);
      if (letters.count(letter) > 1) // C3
        return op.emitOpError() << "letter '" << Twine(letter)
                                << "' occurs twice in the " << what;
      auto [seen, inserted] = sizes.try_emplace(letter, std::pair(size, what));
      if (!inserted && seen->second.first != size) // C2
        return op.emitOpError()
               << "letter '" << Twine(letter) << "' has size "
               << seen->second.first << " in the " << seen->second.second
               << " and " << size << " in the " << what;
    }
    return success();
  }

private:
  MatmulOp op;
  llvm::SmallDenseMap<char, std::pair<int64_t, StringRef>> sizes;
};
} // namespace

LogicalResult MatmulOp::verify() {
  auto [operands, result] = getEquation().split("->");
  auto [lhs, rhs] = operands.split(",");
  auto onlyLetters = [](StringRef text) {
    return llvm::all_of(text, llvm::isAlpha);
  };
  if (getEquation().count("->") != 1 || getEquation().count(',') != 1 ||
      !onlyLetters(lhs) || !onlyLetters(rhs) || !onlyLetters(result)) // C1
    return emitOpError() << "equation \"" << getEquation()
                         << "\" is not of the form \"ac,bc->ab\"";
  LetterSizes sizes(*this);
  if (failed(sizes.add("lhs", lhs, getLhs().getType())) ||
      failed(sizes.add("rhs", rhs, getRhs().getType())) ||
      failed(sizes.add("result", result, getResult().getType())))
    return failure();
  for (char letter : result)
    if (!lhs.contains(letter) && !rhs.contains(letter)) // C4
      return emitOpError() << "letter '" << Twine(letter)
                           << "' of the result occurs in no operand";
  Type element = getLhs().getType().getElementType();
  if (failed(checkElement(*this, "rhs", getRhs().getType(), element))) // C5
    return failure();
  Type out = getResult().getType().getElementType();
  if (out != element && !out.isF32()) // C5
    return emitOpError() << "result has elements of type " << out
                         << ", must have " << element << " or f32";
  return success();
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  RankedTensorType table = getTable().getType();
  if (failed(checkRank(*this, "table", table, 2))) // C1
    return failure();
  if (failed(
          checkShape(*this, "result", getResult().getType(), // C2
                     append(getIds().getType().getShape(), table.getDimSize(1)),
                     "ids and row size")))
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C3
                      table.getElementType());
}

LogicalResult EmbeddingGradOp::verify() {
  RankedTensorType table = getResult().getType();
  if (failed(checkRank(*this, "result", table, 2))) // C1
    return failure();
  return checkShape(*this, "grad", getGrad().getType(), // C2
                    append(getIds().getType().getShape(), table.getDimSize(1)),
                    "ids and row size");
}

/// `rows` must be the shape of `ids` and one dimension more.
static LogicalResult checkRows(Operation *op, StringRef what,
                               RankedTensorType rows, RankedTensorType ids) {
  if (rows.getRank() == ids.getRank() + 1 &&
      rows.getShape().drop_back() == ids.getShape())
    return success();
  return op->emitOpError() << what << " has shape "
                           << shapeText(rows.getShape())
                           << ", must have the shape of ids "
                           << shapeText(ids.getShape())
                           << " and one dimension more";
}

LogicalResult PickOp::verify() {
  RankedTensorType ids = getIds().getType();
  if (failed(checkRows(*this, "operand", getOperand().getType(), ids)) || // C1
      failed(checkShape(*this, "result", getResult().getType(),           // C2
                        ids.getShape(), "ids")))
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C3
                      getOperand().getType().getElementType());
}

LogicalResult PickGradOp::verify() {
  RankedTensorType ids = getIds().getType();
  if (failed(checkShape(*this, "grad", getGrad().getType(), // C1
                        ids.getShape(), "ids")) ||
      failed(checkRows(*this, "result", getResult().getType(), ids))) // C2
    return failure();
  return checkElement(*this, "result", getResult().getType(), // C3
                      getGrad().getType().getElementType());
}

//===----------------------------------------------------------------------===//
// Layer norm
//===----------------------------------------------------------------------===//

/// gamma-like vectors (C1) and mean-like f32 statistics (C2) of rows of `x`.
static LogicalResult checkVector(Operation *op, StringRef what,
                                 RankedTensorType type, RankedTensorType x) {
  return checkShape(op, what, type, x.getShape().take_back(), "a row"); // C1
}
static LogicalResult checkStatistic(Operation *op, StringRef what,
                                    RankedTensorType type, RankedTensorType x) {
  if (failed(checkShape(op, what, type, x.getShape().drop_back(), // C2
                        "the rows")))
    return failure();
  // f64 where the whole program is, as in checks of gradients.
  if (x.getElementType().isF64())
    return checkElement(op, what, type, x.getElementType());               // C2
  return checkElement(op, what, type, Float32Type::get(op->getContext())); // C2
}

LogicalResult LayerNormOp::verify() {
  RankedTensorType x = getOperand().getType();
  if (x.getRank() == 0) // C1
    return emitOpError("operand has no dimensions, must have a row");
  if (failed(checkVector(*this, "gamma", getGamma().getType(), x)) ||
      failed(checkVector(*this, "beta", getBeta().getType(), x)) ||
      failed(checkStatistic(*this, "mean", getMean().getType(), x)) ||
      failed(checkStatistic(*this, "rstd", getRstd().getType(), x)))
    return failure();
  if (getResult().getType() != x) // C3
    return emitOpError() << "result has type " << getResult().getType()
                         << ", must have the operand's " << x;
  if (!(getEpsilon().convertToDouble() >= 0)) // C4
    return emitOpError() << "epsilon is " << getEpsilon().convertToDouble()
                         << ", must be at least 0";
  return success();
}

LogicalResult LayerNormGradOp::verify() {
  RankedTensorType x = getOperand().getType();
  if (x.getRank() == 0) // C1
    return emitOpError("operand has no dimensions, must have a row");
  if (failed(checkVector(*this, "gamma", getGamma().getType(), x)) ||
      failed(checkVector(*this, "grad_gamma", getGradGamma().getType(), x)) ||
      failed(checkVector(*this, "grad_beta", getGradBeta().getType(), x)) ||
      failed(checkStatistic(*this, "mean", getMean().getType(), x)) ||
      failed(checkStatistic(*this, "rstd", getRstd().getType(), x)))
    return failure();
  if (getGrad().getType() != x || getGradOperand().getType() != x) // C3
    return emitOpError() << "grad has type " << getGrad().getType()
                         << " and grad_operand " << getGradOperand().getType()
                         << ", both must have the operand's " << x;
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// C1: every tensor like q is 4-d and of q's type.
static LogicalResult
checkLikeQ(Operation *op, RankedTensorType q,
           ArrayRef<std::pair<StringRef, RankedTensorType>> others) {
  if (failed(checkRank(op, "q", q, 4))) // C1
    return failure();
  for (auto [what, type] : others)
    if (type != q) // C1
      return op->emitOpError()
             << what << " has type " << type << ", must have q's " << q;
  return success();
}

/// What attention and its gradient have in common: C2 to C5.
template <typename Op>
static LogicalResult checkAttention(Op op, RankedTensorType lse) {
  ArrayRef<int64_t> q = op.getQ().getType().getShape();     // [s, b, n, d]
  if (failed(checkShape(op, "lse", lse, {q[1], q[2], q[0]}, // C2
                        "[b, n, s] of q")))
    return failure();
  if (op.getDocumentStart() &&
      failed(checkShape(op, "document_start", // C3
                        op.getDocumentStart().getType(), {q[0], q[1]},
                        "[s, b] of q")))
    return failure();
  double probability = op.getProbability().convertToDouble();
  if (!(probability >= 0 && probability < 1)) // C4
    return op.emitOpError() << "probability is " << probability
                            << ", must be at least 0 and below 1";
  if (q[1] > static_cast<int64_t>(op.getNumSamples())) // C5
    return op.emitOpError() << "q has " << q[1] << " samples, num_samples is "
                            << op.getNumSamples();
  if (q[2] > static_cast<int64_t>(op.getNumHeads())) // C5
    return op.emitOpError()
           << "q has " << q[2] << " heads, num_heads is " << op.getNumHeads();
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(checkLikeQ(*this, getQ().getType(),
                        {{"k", getK().getType()},
                         {"v", getV().getType()},
                         {"result", getResult().getType()}})))
    return failure();
  return checkAttention(*this, getLse().getType());
}

LogicalResult AttentionGradOp::verify() {
  if (failed(checkLikeQ(*this, getQ().getType(),
                        {{"k", getK().getType()},
                         {"v", getV().getType()},
                         {"result", getResult().getType()},
                         {"grad", getGrad().getType()},
                         {"grad_q", getGradQ().getType()},
                         {"grad_k", getGradK().getType()},
                         {"grad_v", getGradV().getType()}})))
    return failure();
  return checkAttention(*this, getLse().getType());
}
