// rank-gemm-epilogue: products do what the kernel behind them would do.
#include "passes/schedule/Passes.h"
#include "passes/schedule/Place.h"
#include "passes/schedule/ProductEnding.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKGEMMEPILOGUE
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;

/// What cuBLASLt asks of the rows of aux, in elements.
static constexpr int64_t kAuxRowMultiple = 8;
/// What it asks of the address of aux, in bytes; buffers begin at multiples.
static constexpr int64_t kAuxAlignment = 16;

static rank::ViewOp viewOf(Value value) {
  return value.getDefiningOp<rank::ViewOp>();
}
static bool isDense(Value value) {
  return cast<MemRefType>(value.getType()).getLayout().isIdentity();
}
static int64_t numElements(Value value) {
  return cast<ShapedType>(value.getType()).getNumElements();
}

namespace {

/// Rewrites the products of one class.
class EpilogueWriter {
public:
  explicit EpilogueWriter(rank::ClassOp rankClass);
  void run();

private:
  struct Match {
    rank::LaunchOp launch;
    passes::ProductEnding ending;
  };
  LogicalResult no(StringRef why) {
    reason = why;
    return failure();
  }
  LogicalResult match(rank::GemmOp gemm, Match &match);
  LogicalResult checkMemory(rank::GemmOp gemm, Match &match);
  rank::GemmOp replaceGemm(rank::GemmOp gemm, const Match &match);
  void shrinkLaunch(rank::GemmOp ended, const Match &match);
  void sweep();

  rank::ClassOp rankClass;
  SymbolTable symbols;
  /// Operands of instructions that are views of a buffer.
  llvm::DenseMap<StringRef, int64_t> uses;
  StringRef reason;
};

EpilogueWriter::EpilogueWriter(rank::ClassOp rankClass)
    : rankClass(rankClass), symbols(rankClass) {
  rankClass.walk([&](rank::ViewOp view) {
    uses[view.getBuffer()] += llvm::range_size(view->getUses());
  });
}

/// The view that a value of a launch's region is read from: `inside` is an
/// argument of the dfg.fused.
static Value inputOf(rank::LaunchOp launch, Value inside) {
  unsigned number = cast<BlockArgument>(inside).getArgNumber();
  Value outside = launch.getFused().getInputs()[number];
  return launch.getInputs()[cast<BlockArgument>(outside).getArgNumber()];
}

/// The view that `inside` is written to; null when it is not yielded.
static Value outputOf(rank::LaunchOp launch, Value inside) {
  if (!inside)
    return {};
  for (auto [yielded, view] : llvm::zip_equal(
           launch.getFused().getBody().front().getTerminator()->getOperands(),
           launch.getOutputs()))
    if (yielded == inside)
      return view;
  return {};
}

LogicalResult EpilogueWriter::match(rank::GemmOp gemm, Match &match) {
  rank::ViewOp c = viewOf(gemm.getC());
  if (gemm.getEpilogue() != rank::Epilogue::None)
    return no("it has an epilogue");
  if (!gemm.getBeta().isZero() || gemm.getBatch() != 1)
    return no("it adds to C or is a batch of products");
  if (getElementTypeOrSelf(c.getType()) !=
      getElementTypeOrSelf(gemm.getA().getType()))
    return no("C is wider than the operands");
  Operation *next = gemm->getNextNode();
  while (next && !passes::touches(next, c.getBuffer()))
    next = next->getNextNode();
  match.launch = dyn_cast_or_null<rank::LaunchOp>(next);
  BlockArgument product;
  if (match.launch)
    for (BlockArgument argument :
         match.launch.getFused().getBody().getArguments())
      if (viewOf(inputOf(match.launch, argument)).getBuffer() ==
          c.getBuffer()) {
        if (product)
          return no("its kernel reads the product more than once");
        product = argument;
      }
  if (!product)
    return no("the next to read the product is no kernel");
  auto buffer = symbols.lookup<rank::BufferOp>(c.getBufferAttr().getAttr());
  if (buffer.getKind() != rank::BufferKind::Work || uses[c.getBuffer()] != 2)
    return no("the product is read elsewhere too");
  rank::ViewOp input = viewOf(inputOf(match.launch, product));
  if (gemm.getLdc() != gemm.getN() || !isDense(c) || !isDense(input) ||
      input.getOffset() != c.getOffset() ||
      numElements(input) != numElements(c))
    return no("the product lies in memory with gaps");

  auto ending = passes::findEnding(product, gemm.getN(), reason);
  if (failed(ending))
    return failure();
  match.ending = *ending;
  return checkMemory(gemm, match);
}

/// Where the epilogue would read and write.
LogicalResult EpilogueWriter::checkMemory(rank::GemmOp gemm, Match &match) {
  SmallVector<StringRef> buffers;
  for (Value value : match.launch->getOperands())
    buffers.push_back(viewOf(value).getBuffer());
  for (Operation *op = gemm->getNextNode(); op != match.launch;
       op = op->getNextNode())
    if (passes::touches(op, buffers))
      return no("what stands before its kernel touches the same memory");
  llvm::DenseSet<StringRef> touched;
  for (Value value : gemm.getOperands())
    touched.insert(viewOf(value).getBuffer());
  for (Value value : match.launch.getInputs())
    touched.insert(viewOf(value).getBuffer());
  for (Value output : match.launch.getOutputs())
    if (!touched.insert(viewOf(output).getBuffer()).second)
      return no("its kernel works in place");

  Value c = outputOf(match.launch, match.ending.result);
  if (!isDense(c) ||
      (match.ending.bias && !isDense(inputOf(match.launch, match.ending.bias))))
    return no("its kernel reads or writes memory with gaps");
  if (match.ending.epilogue == rank::Epilogue::Bias)
    return success();
  Value aux = match.ending.aux ? inputOf(match.launch, match.ending.aux)
                               : outputOf(match.launch, match.ending.sum);
  if (!aux)
    aux = gemm.getC(); // x + bias is not kept: in place of the product
  auto type = cast<MemRefType>(aux.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  if (!isDense(aux) || gemm.getN() % kAuxRowMultiple != 0 ||
      viewOf(aux).getOffset() * bytes % kAuxAlignment != 0)
    return no("rows of aux are not multiples of 8 elements, aligned to 16 "
              "bytes");
  return success();
}

/// A product with the epilogue in place of `gemm`.
rank::GemmOp EpilogueWriter::replaceGemm(rank::GemmOp gemm,
                                         const Match &match) {
  rank::LaunchOp launch = match.launch;
  const passes::ProductEnding &ending = match.ending;
  OpBuilder builder(gemm);
  Value c = outputOf(launch, ending.result);
  Value bias = ending.bias ? inputOf(launch, ending.bias) : Value();
  Value aux =
      ending.aux ? inputOf(launch, ending.aux) : outputOf(launch, ending.sum);
  for (Value operand : {c, bias, aux})
    if (operand && gemm->isBeforeInBlock(operand.getDefiningOp()))
      operand.getDefiningOp()->moveBefore(gemm);
  if (ending.epilogue == rank::Epilogue::BiasGelu && !aux) {
    rank::ViewOp product = viewOf(gemm.getC());
    aux = rank::ViewOp::create(builder, gemm.getLoc(), c.getType(),
                               product.getBuffer(), product.getOffset());
  }
  auto ended = rank::GemmOp::create(
      builder, gemm.getLoc(), gemm.getA(), gemm.getB(), c, bias, aux,
      gemm.getTransposeA(), gemm.getTransposeB(), gemm.getM(), gemm.getN(),
      gemm.getK(), gemm.getLda(), gemm.getLdb(), gemm.getLdc(), gemm.getBatch(),
      gemm.getStrideA(), gemm.getStrideB(), gemm.getStrideC(), gemm.getAlpha(),
      gemm.getBeta(), ending.epilogue);
  ended->setDiscardableAttrs(gemm->getDiscardableAttrDictionary());
  gemm.erase();
  return ended;
}

/// Leaves to the launch what the epilogue `ended` does not do, if anything. It
/// reads what the epilogue wrote.
void EpilogueWriter::shrinkLaunch(rank::GemmOp ended, const Match &match) {
  rank::LaunchOp launch = match.launch;
  const passes::ProductEnding &ending = match.ending;
  dfg::FusedOp fused = launch.getFused();
  Block &body = fused.getBody().front();
  SmallVector<Value> results, outputs;
  for (auto [yielded, view] : llvm::zip_equal(
           body.getTerminator()->getOperands(), launch.getOutputs()))
    if (yielded != ending.result && yielded != ending.sum) {
      results.push_back(yielded);
      outputs.push_back(view);
    }
  if (results.empty())
    return launch.erase();

  SmallVector<Operation *> stays;
  for (Operation &op : body.without_terminator())
    if (!llvm::is_contained(ending.ops, &op))
      stays.push_back(&op);
  SmallVector<Value> arguments, inputs;
  auto read = [&](Value inside, Value view) {
    if (llvm::none_of(inside.getUsers(), [&](Operation *user) {
          return llvm::is_contained(stays, user);
        }))
      return;
    arguments.push_back(inside);
    inputs.push_back(view);
  };
  for (BlockArgument argument : body.getArguments())
    read(argument, inputOf(launch, argument));
  read(ending.result, ended.getC());
  if (ending.sum)
    read(ending.sum, ended.getAux());

  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  SmallVector<Location> locs(arguments.size(), loc);
  TypeRange types = ValueRange(arguments).getTypes();
  auto rest = rank::LaunchOp::create(builder, loc, inputs, outputs);
  rest->setDiscardableAttrs(launch->getDiscardableAttrDictionary());
  Block &outer = rest.getBody().emplaceBlock();
  outer.addArguments(types, locs);
  builder.setInsertionPointToStart(&outer);
  auto shrunk =
      dfg::FusedOp::create(builder, loc, ValueRange(results).getTypes(),
                           outer.getArguments(), fused.getShape());
  shrunk->setDiscardableAttrs(fused->getDiscardableAttrDictionary());
  Block &inner = shrunk.getBody().emplaceBlock();
  inner.addArguments(types, locs);
  IRMapping map;
  map.map(arguments, inner.getArguments());
  builder.setInsertionPointToStart(&inner);
  for (Operation *op : stays)
    builder.clone(*op, map);
  dfg::YieldOp::create(builder, loc,
                       llvm::map_to_vector(results, [&](Value result) {
                         return map.lookup(result);
                       }));
  launch.erase();
}

void EpilogueWriter::run() {
  SmallVector<rank::GemmOp> gemms;
  rankClass.walk([&](rank::GemmOp gemm) { gemms.push_back(gemm); });
  for (rank::GemmOp gemm : gemms) {
    Match found;
    bool matches = succeeded(match(gemm, found));
    auto options = remark::RemarkOpts::name(matches ? "Epilogue" : "None")
                       .category("rank-gemm-epilogue");
    if (!matches) {
      remark::missed(gemm.getLoc(), options) << reason;
      continue;
    }
    remark::passed(gemm.getLoc(), options)
        << stringifyEpilogue(found.ending.epilogue);
    rank::GemmOp ended = replaceGemm(gemm, found);
    shrinkLaunch(ended, found);
  }
  sweep();
}

/// Erases views that nobody uses and work buffers without a view.
void EpilogueWriter::sweep() {
  llvm::DenseSet<StringRef> used;
  SmallVector<rank::ViewOp> views;
  rankClass.walk([&](rank::ViewOp view) { views.push_back(view); });
  for (rank::ViewOp view : views)
    if (view->use_empty())
      view.erase();
    else
      used.insert(view.getBuffer());
  for (auto buffer :
       llvm::make_early_inc_range(rankClass.getOps<rank::BufferOp>()))
    if (buffer.getKind() == rank::BufferKind::Work &&
        !used.contains(buffer.getSymName()))
      buffer.erase();
}

struct RankGemmEpilogue : passes::impl::RankGemmEpilogueBase<RankGemmEpilogue> {
  void runOnOperation() override {
    for (auto rankClass : getOperation().getOps<rank::ClassOp>())
      EpilogueWriter(rankClass).run();
  }
};

} // namespace
