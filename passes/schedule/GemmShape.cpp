// Grouping of contraction letters into the dimensions of a matrix product.
#include "passes/schedule/GemmShape.h"

using namespace mlir;
using namespace orrery::passes;

namespace {
/// A tensor of the contraction: its letters and where they lie.
struct Labelled {
  StringRef letters;
  const Place &place;

  bool has(char letter) const { return letters.contains(letter); }
  int64_t sizeOf(char letter) const {
    return place.shape[letters.find(letter)];
  }
  int64_t strideOf(char letter) const {
    return place.strides[letters.find(letter)];
  }
  /// The stride of `group` taken as one dimension; 0 for an empty group, none
  /// when its letters are not nested in this order.
  std::optional<int64_t> strideOfGroup(StringRef group) const {
    int64_t stride = 0, expected = 0;
    for (char letter : llvm::reverse(group)) {
      int64_t own = strideOf(letter);
      if (expected == 0)
        stride = own;
      else if (own != expected)
        return std::nullopt;
      expected = own * sizeOf(letter);
    }
    return stride;
  }
};

/// Size and strides in two tensors of one dimension of the product.
struct Group {
  std::string letters;
  int64_t size = 1;
};
} // namespace

/// Letters of `from` that are in `with` and not in `without`, without units.
static Group select(const Labelled &from, const Labelled &with,
                    const Labelled *without, const Labelled *alsoWith) {
  Group group;
  for (char letter : from.letters) {
    if (from.sizeOf(letter) == 1 || !with.has(letter) ||
        (without && without->has(letter)) ||
        (alsoWith && !alsoWith->has(letter)))
      continue;
    group.letters += letter;
    group.size *= from.sizeOf(letter);
  }
  return group;
}

/// Row stride of a matrix whose minor dimension has `columns` elements: an
/// operand with one row (stride 0) may claim any.
static int64_t leading(int64_t stride, int64_t columns) {
  return std::max(stride, columns);
}

std::optional<GemmShape> orrery::passes::getGemmShape(StringRef equation,
                                                      const Place &a,
                                                      const Place &b,
                                                      const Place &c) {
  auto [operands, result] = equation.split("->");
  auto [left, right] = operands.split(",");
  Labelled la{left, a}, lb{right, b}, lc{result, c};
  Group batch = select(lc, la, nullptr, &lb);
  Group m = select(lc, la, &lb, nullptr);
  Group n = select(lc, lb, &la, nullptr);
  Group k = select(la, lb, &lc, nullptr);
  auto am = la.strideOfGroup(m.letters), ak = la.strideOfGroup(k.letters);
  auto bk = lb.strideOfGroup(k.letters), bn = lb.strideOfGroup(n.letters);
  auto cm = lc.strideOfGroup(m.letters), cn = lc.strideOfGroup(n.letters);
  auto ab = la.strideOfGroup(batch.letters);
  auto bb = lb.strideOfGroup(batch.letters);
  auto cb = lc.strideOfGroup(batch.letters);
  if (!am || !ak || !bk || !bn || !cm || !cn || !ab || !bb || !cb)
    return std::nullopt;

  GemmShape shape;
  shape.swapped = *cn > 1;
  if (shape.swapped) { // C is column-major: compute its transpose.
    if (*cm > 1)
      return std::nullopt;
    std::swap(m, n);
    std::swap(am, bn);
    std::swap(ak, bk);
    std::swap(cm, cn);
    std::swap(ab, bb);
  }
  shape.m = m.size;
  shape.n = n.size;
  shape.k = k.size;
  shape.batch = batch.size;
  shape.strideA = *ab;
  shape.strideB = *bb;
  shape.strideC = *cb;
  if ((*ak > 1 && *am > 1) || (*bn > 1 && *bk > 1))
    return std::nullopt;
  shape.transposeA = *ak > 1;
  shape.lda = shape.transposeA ? leading(*ak, m.size) : leading(*am, k.size);
  shape.transposeB = *bn > 1;
  shape.ldb = shape.transposeB ? leading(*bn, k.size) : leading(*bk, n.size);
  shape.ldc = leading(*cm, n.size);
  return shape;
}
