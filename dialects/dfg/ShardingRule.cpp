// Construction and checks of factor rules and shardings.
#include "dialects/dfg/ShardingRule.h"

#include "dialects/dfg/DfgDialect.h"
#include "llvm/ADT/StringMap.h"
#include <numeric>

using namespace mlir;
using namespace orrery::dfg;

//===----------------------------------------------------------------------===//
// Sharding
//===----------------------------------------------------------------------===//

Sharding Sharding::get(ShardingAttr attr) {
  Sharding sharding;
  auto append = [](ArrayAttr from, Axes &to) {
    for (Attribute axis : from)
      to.push_back(cast<StringAttr>(axis));
  };
  for (Attribute dim : attr.getDims())
    append(cast<ArrayAttr>(dim), sharding.dims.emplace_back());
  append(attr.getPartial(), sharding.partial);
  sharding.reduction = attr.getReduction();
  return sharding;
}

ShardingAttr Sharding::toAttr(MLIRContext *context) const {
  auto array = [&](const Axes &axes) {
    return ArrayAttr::get(context,
                          SmallVector<Attribute>(axes.begin(), axes.end()));
  };
  SmallVector<Attribute> all;
  for (const Axes &dim : dims)
    all.push_back(array(dim));
  return ShardingAttr::get(context, ArrayAttr::get(context, all),
                           array(partial), reduction);
}

bool Sharding::uses(StringAttr axis) const {
  return llvm::is_contained(partial, axis) ||
         llvm::any_of(dims, [&](const Axes &dim) {
           return llvm::is_contained(dim, axis);
         });
}

Sharding Sharding::resolved() const {
  Sharding result = *this;
  result.partial.clear();
  result.reduction = Reduction::Sum;
  return result;
}

RankedTensorType Sharding::localType(RankedTensorType type,
                                     MeshAttr mesh) const {
  SmallVector<int64_t> shape(type.getShape());
  for (auto [size, axes] : llvm::zip_equal(shape, dims))
    size /= mesh.getSize(axes);
  return RankedTensorType::get(shape, type.getElementType());
}

bool Sharding::operator==(const Sharding &other) const {
  return dims == other.dims && partial == other.partial &&
         (partial.empty() || reduction == other.reduction);
}

//===----------------------------------------------------------------------===//
// ShardingRule::parse
//===----------------------------------------------------------------------===//

namespace {
/// Reads "s b (n k), h -> s b h" into a rule whose sizes are still unknown (0).
class EquationParser {
public:
  EquationParser(StringRef text, ShardingRule &rule) : text(text), rule(rule) {}

  void parse() {
    auto [left, right] = text.split("->");
    parseTensors(left, rule.operands);
    parseTensors(right, rule.results);
  }

private:
  template <typename Tensors> void parseTensors(StringRef side, Tensors &out) {
    SmallVector<StringRef> tensors;
    side.split(tensors, ',');
    for (StringRef tensor : tensors)
      parseTensor(tensor.trim(), out.emplace_back());
  }

  void parseTensor(StringRef tensor, TensorFactors &dims) {
    while (!(tensor = tensor.ltrim()).empty()) {
      DimFactors &dim = dims.emplace_back();
      if (!tensor.consume_front("(")) {
        dim.push_back(parseName(tensor));
        continue;
      }
      while (!(tensor = tensor.ltrim()).consume_front(")"))
        dim.push_back(parseName(tensor));
    }
  }

  unsigned parseName(StringRef &tensor) {
    bool whole = tensor.consume_front("!");
    bool max = tensor.consume_front("^");
    StringRef name =
        tensor.take_until([](char c) { return c == ' ' || c == ')'; });
    tensor = tensor.drop_front(name.size());
    auto [it, inserted] = ids.try_emplace(name, rule.factors.size());
    if (inserted)
      rule.factors.push_back({/*size=*/0});
    Factor &factor = rule.factors[it->second];
    factor.whole |= whole;
    if (max)
      factor.reduction = Reduction::Max;
    return it->second;
  }

  StringRef text;
  ShardingRule &rule;
  llvm::StringMap<unsigned> ids;
};
} // namespace

/// Sizes of factors that are alone in a dimension, then of compounds in which
/// one is unknown.
static void inferSizes(ShardingRule &rule, TypeRange operandTypes,
                       TypeRange resultTypes) {
  auto visit = [&](auto &&action) {
    auto side = [&](auto &tensors, TypeRange types) {
      for (auto [tensor, type] : llvm::zip(tensors, types))
        for (auto [dim, size] :
             llvm::zip(tensor, cast<RankedTensorType>(type).getShape()))
          action(dim, size);
    };
    side(rule.operands, operandTypes);
    side(rule.results, resultTypes);
  };
  visit([&](DimFactors &dim, int64_t size) {
    if (dim.size() == 1)
      rule.factors[dim[0]].size = size;
  });
  visit([&](DimFactors &dim, int64_t size) {
    Factor *unknown = nullptr;
    for (unsigned factor : dim) {
      if (rule.factors[factor].size == 0)
        unknown = &rule.factors[factor];
      else
        size /= rule.factors[factor].size;
    }
    if (unknown)
      unknown->size = size;
  });
}

ShardingRule ShardingRule::parse(StringRef equation, TypeRange operandTypes,
                                 TypeRange resultTypes) {
  ShardingRule rule;
  EquationParser(equation, rule).parse();
  rule.linearity.assign(rule.operands.size(), Linearity::None);
  inferSizes(rule, operandTypes, resultTypes);
  return rule;
}

ShardingRule ShardingRule::elementwise(TypeRange operandTypes,
                                       TypeRange resultTypes,
                                       Linearity linearity) {
  ShardingRule rule;
  TensorFactors dims;
  for (int64_t size : cast<RankedTensorType>(resultTypes[0]).getShape()) {
    dims.push_back({static_cast<unsigned>(rule.factors.size())});
    rule.factors.push_back({size});
  }
  rule.operands.assign(operandTypes.size(), dims);
  rule.results.assign(resultTypes.size(), dims);
  rule.linearity.assign(operandTypes.size(), linearity);
  return rule;
}

/// Walks both shapes from the major side. What is left of the current two
/// dimensions shares its greatest common divisor as a factor:
///   [4, 768] → [4, 12, 3, 64]   4 | 768 = 12·3·64
/// Where neither divides the other, the rests behind that factor and all that
/// follows are whole: no split of them falls between elements on both sides.
///   [4, 6] → [6, 4]             4 = 2·2 and 6 = 2·3 share the major 2
ShardingRule ShardingRule::reshape(RankedTensorType from, RankedTensorType to) {
  ShardingRule rule;
  rule.operands.resize(1);
  rule.results.resize(1);
  rule.linearity = {Linearity::Each};
  TensorFactors &source = rule.operands[0], &target = rule.results[0];
  source.resize(from.getRank());
  target.resize(to.getRank());
  int64_t i = 0, j = 0, left = 1, right = 1;
  while (true) {
    while (left == 1 && i < from.getRank())
      left = from.getDimSize(i++);
    while (right == 1 && j < to.getRank())
      right = to.getDimSize(j++);
    int64_t size = std::gcd(left, right);
    if (size == 1)
      break;
    source[i - 1].push_back(rule.factors.size());
    target[j - 1].push_back(rule.factors.size());
    rule.factors.push_back({size});
    left /= size;
    right /= size;
    if (left > 1 && right > 1)
      break;
  }
  // Dimensions of size 1, and those behind a mismatch, are factors of their
  // own.
  auto complete = [&](TensorFactors &dims, RankedTensorType type) {
    for (auto [dim, size] : llvm::zip_equal(dims, type.getShape())) {
      int64_t known = 1;
      for (unsigned factor : dim)
        known *= rule.factors[factor].size;
      if (dim.empty() || known != size) {
        dim.push_back(rule.factors.size());
        rule.factors.push_back({size / known, /*whole=*/true});
      }
    }
  };
  complete(source, from);
  complete(target, to);
  return rule;
}

//===----------------------------------------------------------------------===//
// Queries and checks
//===----------------------------------------------------------------------===//

static bool occurs(const TensorFactors &tensor, unsigned factor) {
  return llvm::any_of(tensor, [&](const DimFactors &dim) {
    return llvm::is_contained(dim, factor);
  });
}

bool ShardingRule::occursInResult(unsigned factor, unsigned index) const {
  return occurs(results[index], factor);
}

bool ShardingRule::occursInOperand(unsigned factor) const {
  return llvm::any_of(operands, [&](const TensorFactors &dims) {
    return occurs(dims, factor);
  });
}

std::string ShardingRule::check(TypeRange operandTypes,
                                TypeRange resultTypes) const {
  std::string problem;
  auto side = [&](StringRef what, auto &tensors, TypeRange types) {
    if (tensors.size() != types.size()) {
      problem = (what + "s: rule has " + Twine(tensors.size()) + ", op has " +
                 Twine(types.size()))
                    .str();
      return;
    }
    for (auto [index, pair] : llvm::enumerate(llvm::zip(tensors, types))) {
      auto &[tensor, type] = pair;
      auto shape = cast<RankedTensorType>(type).getShape();
      if (tensor.size() != shape.size()) {
        problem = (what + " " + Twine(index) + ": rule has rank " +
                   Twine(tensor.size()) + ", type has " + Twine(shape.size()))
                      .str();
        return;
      }
      for (auto [dim, size] : llvm::zip(tensor, shape)) {
        int64_t product = 1;
        for (unsigned factor : dim)
          product *= factors[factor].size;
        if (product != size)
          problem =
              (what + " " + Twine(index) + ": factors of a dimension " +
               "multiply to " + Twine(product) + ", its size is " + Twine(size))
                  .str();
      }
    }
  };
  side("operand", operands, operandTypes);
  if (problem.empty())
    side("result", results, resultTypes);
  return problem;
}
