// Parsing, printing and checks of the dfg attributes.
#include "dialects/dfg/DfgDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace orrery::dfg;

#define GET_ATTRDEF_CLASSES
#include "dialects/dfg/DfgAttributes.cpp.inc"

void DfgDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/dfg/DfgAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// MeshAttr: <pp = 2, dp = 1, tp = 4>
//===----------------------------------------------------------------------===//

Attribute MeshAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  SmallVector<int64_t> sizes;
  auto axis = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parser.parseInteger(sizes.emplace_back()))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, axis))
    return {};
  return parser.getChecked<MeshAttr>(parser.getContext(), names, sizes);
}

void MeshAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(
      llvm::zip(getNames(), getSizes()), printer, [&](auto axis) {
        printer << std::get<0>(axis).getValue() << " = " << std::get<1>(axis);
      });
  printer << '>';
}

LogicalResult MeshAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<StringAttr> names,
                               ArrayRef<int64_t> sizes) {
  llvm::StringSet<> seen;
  for (auto [name, size] : llvm::zip_equal(names, sizes)) {
    if (!seen.insert(name.getValue()).second) // C1
      return emitError() << "mesh axis '" << name.getValue()
                         << "' occurs twice";
    if (size < 1) // C2
      return emitError() << "mesh axis '" << name.getValue() << "' has size "
                         << size << ", the least is 1";
  }
  return success();
}

int64_t MeshAttr::getSize(StringAttr axis) const {
  for (auto [name, size] : llvm::zip_equal(getNames(), getSizes()))
    if (name == axis)
      return size;
  return 1;
}

int64_t MeshAttr::getSize(ArrayRef<StringAttr> axes) const {
  int64_t product = 1;
  for (StringAttr axis : axes)
    product *= getSize(axis);
  return product;
}

int64_t MeshAttr::getNumRanks() const { return getSize(getNames()); }

bool MeshAttr::hasAxis(StringAttr axis) const {
  return llvm::is_contained(getNames(), axis);
}

//===----------------------------------------------------------------------===//
// ShardingAttr: <[_, dp, tp:cp], partial sum [ep]>
//===----------------------------------------------------------------------===//

static ParseResult parseDim(AsmParser &parser, SmallVector<Attribute> &dims) {
  SmallVector<Attribute> axes;
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  if (name != "_") {
    axes.push_back(parser.getBuilder().getStringAttr(name));
    while (succeeded(parser.parseOptionalColon())) {
      if (parser.parseKeyword(&name))
        return failure();
      axes.push_back(parser.getBuilder().getStringAttr(name));
    }
  }
  dims.push_back(parser.getBuilder().getArrayAttr(axes));
  return success();
}

Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  SmallVector<Attribute> dims, partial;
  Reduction reduction = Reduction::Sum;
  if (parser.parseLess() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                     [&] { return parseDim(parser, dims); }))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    StringRef kind;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword("partial") || parser.parseKeyword(&kind))
      return {};
    std::optional<Reduction> parsed = symbolizeReduction(kind);
    if (!parsed) {
      parser.emitError(loc, "expected 'sum' or 'max', got '") << kind << "'";
      return {};
    }
    reduction = *parsed;
    if (parser.parseCommaSeparatedList(
            AsmParser::Delimiter::Square, [&]() -> ParseResult {
              StringRef axis;
              if (parser.parseKeyword(&axis))
                return failure();
              partial.push_back(parser.getBuilder().getStringAttr(axis));
              return success();
            }))
      return {};
  }
  if (parser.parseGreater())
    return {};
  Builder &builder = parser.getBuilder();
  return parser.getChecked<ShardingAttr>(
      parser.getContext(), builder.getArrayAttr(dims),
      builder.getArrayAttr(partial), reduction);
}

void ShardingAttr::print(AsmPrinter &printer) const {
  auto axisName = [&](Attribute axis) {
    printer << cast<StringAttr>(axis).getValue();
  };
  printer << "<[";
  llvm::interleaveComma(getDims(), printer, [&](Attribute dim) {
    auto axes = cast<ArrayAttr>(dim);
    if (axes.empty())
      printer << '_';
    llvm::interleave(axes, axisName, [&] { printer << ':'; });
  });
  printer << ']';
  if (!getPartial().empty()) {
    printer << ", partial " << stringifyReduction(getReduction()) << " [";
    llvm::interleaveComma(getPartial(), printer, axisName);
    printer << ']';
  }
  printer << '>';
}

LogicalResult ShardingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayAttr dims, ArrayAttr partial,
                                   Reduction) {
  llvm::SmallDenseSet<Attribute> seen;
  auto once = [&](Attribute axis) -> LogicalResult {
    if (seen.insert(axis).second) // C1
      return success();
    return emitError() << "axis " << axis << " occurs twice in a sharding";
  };
  for (Attribute dim : dims)
    for (Attribute axis : cast<ArrayAttr>(dim))
      if (failed(once(axis)))
        return failure();
  for (Attribute axis : partial)
    if (failed(once(axis)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// IndexAttr: <3 + tp * 192 + dp * 4>
//===----------------------------------------------------------------------===//

Attribute IndexAttr::parse(AsmParser &parser, Type) {
  int64_t constant;
  NamedAttrList terms;
  if (parser.parseLess() || parser.parseInteger(constant))
    return {};
  while (succeeded(parser.parseOptionalPlus())) {
    StringRef axis;
    int64_t stride;
    if (parser.parseKeyword(&axis) || parser.parseStar() ||
        parser.parseInteger(stride))
      return {};
    terms.set(axis, parser.getBuilder().getI64IntegerAttr(stride));
  }
  if (parser.parseGreater())
    return {};
  return IndexAttr::get(parser.getContext(), constant,
                        terms.getDictionary(parser.getContext()));
}

void IndexAttr::print(AsmPrinter &printer) const {
  printer << '<' << getConstant();
  for (NamedAttribute term : getTerms())
    printer << " + " << term.getName().getValue() << " * "
            << cast<IntegerAttr>(term.getValue()).getInt();
  printer << '>';
}

IndexAttr IndexAttr::plusTerm(StringAttr axis, int64_t stride) const {
  NamedAttrList terms(getTerms());
  if (auto old = dyn_cast_or_null<IntegerAttr>(terms.get(axis)))
    stride += old.getInt();
  terms.set(axis, IntegerAttr::get(IntegerType::get(getContext(), 64), stride));
  return IndexAttr::get(getContext(), getConstant(),
                        terms.getDictionary(getContext()));
}
