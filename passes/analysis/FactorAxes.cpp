// Claims of mesh axes by the factors of an op.
#include "passes/analysis/FactorAxes.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

FactorAxes::FactorAxes(ShardingRule rule, MeshAttr mesh)
    : rule(std::move(rule)), mesh(mesh) {
  axes.resize(this->rule.factors.size());
}

bool FactorAxes::uses(StringAttr axis) const {
  return llvm::any_of(
      axes, [&](const Axes &some) { return llvm::is_contained(some, axis); });
}

void FactorAxes::release(StringAttr axis) {
  for (Axes &some : axes)
    some.erase(llvm::find(some, axis), some.end());
}

bool FactorAxes::isFull(unsigned factor) const {
  return mesh.getSize(axes[factor]) == rule.factors[factor].size;
}

FactorAxes::Claim FactorAxes::claimOne(unsigned factor, unsigned position,
                                       StringAttr axis) {
  if (position < axes[factor].size())
    return axes[factor][position] == axis ? Claim::Known : Claim::Taken;
  if (uses(axis))
    return Claim::Taken;
  if (rule.factors[factor].whole)
    return Claim::Whole;
  if (rule.factors[factor].size % mesh.getSize(axes[factor]) != 0 ||
      rule.factors[factor].size / mesh.getSize(axes[factor]) %
              mesh.getSize(axis) !=
          0)
    return Claim::Indivisible;
  // A minor part can only be split where the parts before it are down to one
  // element each: of (n·k) split over k alone, no rank holds a range.
  auto buried = [&](const TensorFactors &tensor) {
    return llvm::any_of(tensor, [&](const DimFactors &dim) {
      auto *it = llvm::find(dim, factor);
      return it != dim.end() &&
             !std::all_of(dim.begin(), it,
                          [&](unsigned major) { return isFull(major); });
    });
  };
  if (llvm::any_of(rule.operands, buried) || llvm::any_of(rule.results, buried))
    return Claim::Buried;
  axes[factor].push_back(axis);
  return Claim::Granted;
}

FactorAxes::Claim FactorAxes::claim(const TensorFactors &tensor,
                                    ArrayRef<Axes> dims,
                                    unsigned *indivisible) {
  Claim outcome = Claim::Known;
  for (auto [dim, split] : llvm::zip_equal(tensor, dims)) {
    // Hands the dimension's axes, major to minor, to its parts: the next part
    // gets its first axis when the one before is down to one element.
    unsigned part = 0, position = 0;
    int64_t used = 1;
    for (StringAttr axis : split) {
      while (part + 1 < dim.size() && used == rule.factors[dim[part]].size) {
        ++part;
        position = 0;
        used = 1;
      }
      Claim one =
          dim.empty() ? Claim::Whole : claimOne(dim[part], position, axis);
      if (one == Claim::Indivisible && indivisible)
        *indivisible = dim[part];
      if (one == Claim::Indivisible ||
          (one == Claim::Granted && outcome != Claim::Indivisible) ||
          outcome == Claim::Known)
        outcome = one;
      if (one != Claim::Known && one != Claim::Granted)
        break;
      used *= mesh.getSize(axis);
      ++position;
    }
  }
  return outcome;
}

SmallVector<Axes, 4> FactorAxes::placement(const TensorFactors &tensor) const {
  SmallVector<Axes, 4> dims;
  for (const DimFactors &dim : tensor) {
    Axes &split = dims.emplace_back();
    for (unsigned factor : dim) {
      split.append(axes[factor].begin(), axes[factor].end());
      if (!isFull(factor))
        break;
    }
  }
  return dims;
}

Axes FactorAxes::reducedAxes(unsigned index, Reduction &reduction) const {
  Axes reduced;
  for (auto [factor, split] : llvm::enumerate(axes)) {
    if (split.empty() || rule.occursInResult(factor, index) ||
        !rule.occursInOperand(factor))
      continue;
    reduced.append(split.begin(), split.end());
    reduction = rule.factors[factor].reduction;
  }
  return reduced;
}

ArrayAttr FactorAxes::toAttr(MLIRContext *context) const {
  SmallVector<Attribute> all;
  for (const Axes &split : axes)
    all.push_back(ArrayAttr::get(
        context, SmallVector<Attribute>(split.begin(), split.end())));
  return ArrayAttr::get(context, all);
}

LogicalResult FactorAxes::fromAttr(ArrayAttr attr) {
  if (attr.size() != axes.size())
    return failure();
  for (auto [split, value] : llvm::zip_equal(axes, attr)) {
    auto names = dyn_cast<ArrayAttr>(value);
    if (!names)
      return failure();
    split.clear();
    for (Attribute name : names) {
      auto axis = dyn_cast<StringAttr>(name);
      if (!axis || uses(axis))
        return failure();
      split.push_back(axis);
    }
  }
  return success();
}
