// rank-chunk-collectives: gathers and scatters of tensor parallelism run beside
// the products that need or make their values.
#include "passes/schedule/Passes.h"
#include "passes/schedule/Place.h"
#include "passes/schedule/ProductOrder.h"

#include "llvm/ADT/STLExtras.h"

namespace orrery::passes {
#define GEN_PASS_DEF_RANKCHUNKCOLLECTIVES
#include "passes/schedule/Passes.h.inc"
} // namespace orrery::passes

using namespace mlir;
using namespace orrery;
using passes::Place;

/// Stream 1 has the sums of gradients (rank-overlap-gradients).
static constexpr int64_t kStream = 2;

/// Rows of `members` blocks that lie `distance` elements apart, each `rows`
/// rows of `width` elements with `stride` between them, from element `first`
/// on.
static Place blocksOf(const Place &place, int64_t first, int64_t members,
                      int64_t distance, int64_t rows, int64_t stride,
                      int64_t width) {
  return {place.buffer,
          place.offset + first,
          {members, rows, width},
          {distance, stride, 1},
          place.elementType};
}

namespace {

/// A collective between `part` and `whole` in pieces: `whole` is a part of each
/// of `members`, and a piece `rows` rows of every part.
struct Cut {
  int64_t pieces, members, rows, width;

  int64_t elements() const { return rows * width; } // of one member's piece
};

/// Rewrites one program.
class Chunker {
public:
  Chunker(rank::ClassOp rankClass, rank::ProgramOp program, int64_t mostPieces)
      : symbols(rankClass), program(program), mostPieces(mostPieces) {}

  void run();

private:
  rank::GemmOp gradientBefore(Operation *op);
  void deferGradients(ArrayRef<rank::CollectiveOp> found);
  void runScatter(rank::CollectiveOp op);
  void runGather(rank::CollectiveOp op);
  rank::GemmOp productBefore(rank::CollectiveOp op);
  rank::GemmOp productBehind(rank::CollectiveOp op);
  std::optional<Cut> cutOf(const Place &part, const Place &whole,
                           rank::GemmOp gemm);
  void splitScatter(rank::GemmOp gemm, rank::CollectiveOp op, const Cut &cut);
  void splitGather(rank::CollectiveOp op, rank::GemmOp gemm, const Cut &cut);
  bool hoist(rank::CollectiveOp op);
  void moveTo(rank::CollectiveOp op, Operation *target);
  void product(OpBuilder &builder, rank::GemmOp gemm, const Cut &cut,
               int64_t piece, const Place &c, int64_t strideC);
  void collective(OpBuilder &builder, rank::CollectiveOp op, const Place &in,
                  const Place &out);
  Value view(OpBuilder &builder, Location loc, const Place &place) {
    return rank::ViewOp::create(builder, loc, place.getType(),
                                place.buffer.getValue(), place.offset);
  }

  SymbolTable symbols;
  rank::ProgramOp program;
  int64_t mostPieces;
};

/// A product of rows of A, whose rows are written without gaps.
bool isPlain(rank::GemmOp gemm) {
  return !gemm.getTransposeA() && gemm.getBatch() == 1 &&
         gemm.getBeta().isZero() && gemm.getLdc() == gemm.getN() &&
         Place::of(gemm.getC()).isContiguous();
}

void Chunker::run() {
  SmallVector<rank::CollectiveOp> found;
  llvm::SmallDenseSet<StringAttr> communicators;
  for (auto op : program.getOps<rank::CollectiveOp>())
    if (op.getDim() == 0 &&
        (op.getKind() == rank::CollectiveKind::AllGather ||
         op.getKind() == rank::CollectiveKind::ReduceScatter)) {
      found.push_back(op);
      communicators.insert(op.getCommunicatorAttr().getAttr());
    }
  // A communicator's calls are one after the other anyway.
  Builder builder(program.getContext());
  for (auto op : program.getOps<rank::CollectiveOp>())
    if (communicators.contains(op.getCommunicatorAttr().getAttr()) &&
        op.getKind() != rank::CollectiveKind::AllSlice)
      op->setAttr(rank::kStreamAttr, builder.getI64IntegerAttr(kStream));
  deferGradients(found);
  for (rank::CollectiveOp op : found)
    if (op.getKind() == rank::CollectiveKind::ReduceScatter)
      runScatter(op);
    else
      runGather(op);
  for (auto view : llvm::make_early_inc_range(program.getOps<rank::ViewOp>()))
    if (view->use_empty())
      view.erase();
}

/// The last product before `op` that adds to a weight's gradient, if it may run
/// behind `op` and no other product stands between, nor a gather.
rank::GemmOp Chunker::gradientBefore(Operation *op) {
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    if (auto other = dyn_cast<rank::CollectiveOp>(before))
      if (other.getKind() == rank::CollectiveKind::AllGather)
        return {};
    auto gemm = dyn_cast<rank::GemmOp>(before);
    if (!gemm)
      continue;
    auto buffer =
        symbols.lookup<rank::BufferOp>(Place::of(gemm.getC()).buffer.getAttr());
    if (buffer.getKind() != rank::BufferKind::Gradient)
      return {};
    for (Operation *next = gemm->getNextNode(); next != op->getNextNode();
         next = next->getNextNode())
      if (!passes::mayFollow(gemm, next))
        return {};
    return gemm;
  }
  return {};
}

/// A product between `from` and `to` runs while `to` could.
static bool hasProductBetween(Operation *from, Operation *to) {
  for (Operation *op = from->getNextNode(); op != to; op = op->getNextNode())
    if (isa<rank::GemmOp>(op))
      return true;
  return false;
}

/// Weights' gradients can wait: each gather gets one to run beside, and then
/// each scatter that has none left, as far as there are any.
void Chunker::deferGradients(ArrayRef<rank::CollectiveOp> found) {
  for (rank::CollectiveOp op : found)
    if (op.getKind() == rank::CollectiveKind::AllGather)
      if (rank::GemmOp gemm = gradientBefore(op))
        gemm->moveAfter(op);
  for (rank::CollectiveOp op : found) {
    if (op.getKind() != rank::CollectiveKind::ReduceScatter)
      continue;
    rank::GemmOp product = productBefore(op);
    if (!product)
      continue;
    if (hasProductBetween(product, op))
      continue;
    if (rank::GemmOp gemm = gradientBefore(product))
      gemm->moveAfter(product);
  }
}

/// A scatter starts behind its product; in pieces where no other product can
/// hide it.
void Chunker::runScatter(rank::CollectiveOp op) {
  rank::GemmOp gemm = productBefore(op);
  if (!gemm)
    return;
  StringRef out = Place::of(op.getOut()).buffer.getValue();
  for (Operation *next = gemm->getNextNode(); next != op;
       next = next->getNextNode())
    if (passes::touches(next, out))
      return;
  if (hasProductBetween(gemm, op))
    return moveTo(op, gemm->getNextNode());
  auto cut = cutOf(Place::of(op.getOut()), Place::of(op.getIn()), gemm);
  if (cut && gemm.getEpilogue() == rank::Epilogue::None)
    splitScatter(gemm, op, *cut);
}

/// A gather starts ahead of the product before it where its input is there by
/// then, else it is cut with the product behind it.
void Chunker::runGather(rank::CollectiveOp op) {
  if (hoist(op))
    return;
  rank::GemmOp gemm = productBehind(op);
  if (!gemm)
    return;
  if (auto cut = cutOf(Place::of(op.getIn()), Place::of(op.getOut()), gemm))
    splitGather(op, gemm, *cut);
}

/// As many pieces as asked for, or the most below that which the shapes allow;
/// none where that is one.
std::optional<Cut> Chunker::cutOf(const Place &part, const Place &whole,
                                  rank::GemmOp gemm) {
  if (!part.isContiguous() || !whole.isContiguous() || part.shape.empty() ||
      part.buffer == whole.buffer)
    return std::nullopt;
  int64_t m = gemm.getM();
  int64_t members = whole.getNumElements() / part.getNumElements();
  if (members < 2 || m % members)
    return std::nullopt;
  for (int64_t pieces = mostPieces; pieces > 1; --pieces) {
    int64_t rows = m / members / pieces;
    // Whole positions of the sequence, so that a piece is a slice of it.
    if (part.shape[0] % pieces == 0 && rows * pieces * members == m)
      return Cut{pieces, members, rows, whole.getNumElements() / m};
  }
  return std::nullopt;
}

/// The product whose result only `op` reads, as all of its input.
rank::GemmOp Chunker::productBefore(rank::CollectiveOp op) {
  Place in = Place::of(op.getIn());
  auto buffer = symbols.lookup<rank::BufferOp>(in.buffer.getAttr());
  if (buffer.getKind() != rank::BufferKind::Work)
    return {};
  rank::GemmOp found;
  for (auto view : program.getOps<rank::ViewOp>())
    for (OpOperand &use : view->getUses()) {
      if (view.getBufferAttr() != in.buffer || use.getOwner() == op)
        continue;
      auto gemm = dyn_cast<rank::GemmOp>(use.getOwner());
      if (!gemm || found || gemm.getC() != use.get())
        return {};
      found = gemm;
    }
  if (!found || !isPlain(found) || !found->isBeforeInBlock(op) ||
      Place::of(found.getC()).offset != in.offset ||
      static_cast<int64_t>(found.getM() * found.getN()) != in.getNumElements())
    return {};
  return found;
}

/// The next product, if it reads all of the gathered value as its rows and
/// nothing reads that before.
rank::GemmOp Chunker::productBehind(rank::CollectiveOp op) {
  Place out = Place::of(op.getOut());
  for (Operation *next = op->getNextNode(); next; next = next->getNextNode()) {
    auto gemm = dyn_cast<rank::GemmOp>(next);
    if (!gemm && !passes::touches(next, out.buffer.getValue()))
      continue;
    if (!gemm || !isPlain(gemm))
      return {};
    Place a = Place::of(gemm.getA());
    if (a.buffer != out.buffer || a.offset != out.offset || !a.isContiguous() ||
        gemm.getLda() != gemm.getK() ||
        a.getNumElements() != out.getNumElements() ||
        Place::of(gemm.getB()).buffer == out.buffer)
      return {};
    return gemm;
  }
  return {};
}

/// The rows of `gemm` of piece `piece` for all members, written to `c`.
void Chunker::product(OpBuilder &builder, rank::GemmOp gemm, const Cut &cut,
                      int64_t piece, const Place &c, int64_t strideC) {
  Location loc = gemm.getLoc();
  int64_t lda = gemm.getLda(), n = gemm.getN(), k = gemm.getK();
  int64_t distance = cut.pieces * cut.rows;
  auto rowsOf = [&](Value whole, int64_t stride, int64_t width) {
    return view(builder, loc,
                blocksOf(Place::of(whole), piece * cut.rows * stride,
                         cut.members, distance * stride, cut.rows, stride,
                         width));
  };
  Value a = rowsOf(gemm.getA(), lda, k);
  Value aux = gemm.getAux() ? rowsOf(gemm.getAux(), n, n) : Value();
  auto made = rank::GemmOp::create(
      builder, loc, a, gemm.getB(), view(builder, loc, c), gemm.getBias(), aux,
      gemm.getTransposeA(), gemm.getTransposeB(), cut.rows, n, k, lda,
      gemm.getLdb(), n, cut.members, distance * lda, 0, strideC,
      gemm.getAlpha(), gemm.getBeta(), gemm.getEpilogue());
  made->setDiscardableAttrs(gemm->getDiscardableAttrDictionary());
  if (auto flops = gemm->getAttrOfType<IntegerAttr>(rank::kFlopsAttr))
    made->setAttr(rank::kFlopsAttr,
                  builder.getI64IntegerAttr(flops.getInt() / cut.pieces));
}

void Chunker::collective(OpBuilder &builder, rank::CollectiveOp op,
                         const Place &in, const Place &out) {
  Location loc = op.getLoc();
  Value from = view(builder, loc, in), to = view(builder, loc, out);
  auto made = rank::CollectiveOp::create(
      builder, loc, op.getKind(), op.getReduction(), op.getCommunicator(), from,
      to, op.getDim(), op.getConcat());
  made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
}

void Chunker::splitScatter(rank::GemmOp gemm, rank::CollectiveOp op,
                           const Cut &cut) {
  Place whole = Place::of(op.getIn()), part = Place::of(op.getOut());
  OpBuilder builder(gemm);
  for (int64_t piece = 0; piece < cut.pieces; ++piece) {
    // The members' rows of a piece lie behind each other.
    Place rows =
        blocksOf(whole, piece * cut.members * cut.elements(), cut.members,
                 cut.elements(), cut.rows, cut.width, cut.width);
    product(builder, gemm, cut, piece, rows, cut.elements());
    collective(builder, op, rows,
               blocksOf(part, piece * cut.elements(), 1, cut.elements(),
                        cut.rows, cut.width, cut.width));
  }
  op.erase();
  gemm.erase();
}

void Chunker::splitGather(rank::CollectiveOp op, rank::GemmOp gemm,
                          const Cut &cut) {
  Place part = Place::of(op.getIn()), whole = Place::of(op.getOut());
  OpBuilder gather(op), multiply(gemm);
  int64_t n = gemm.getN(), distance = cut.pieces * cut.rows;
  for (int64_t piece = 0; piece < cut.pieces; ++piece) {
    int64_t first = piece * cut.elements();
    collective(gather, op,
               blocksOf(part, first, 1, cut.elements(), cut.rows, cut.width,
                        cut.width),
               blocksOf(whole, first, cut.members, distance * cut.width,
                        cut.rows, cut.width, cut.width));
    product(multiply, gemm, cut, piece,
            blocksOf(Place::of(gemm.getC()), piece * cut.rows * n, cut.members,
                     distance * n, cut.rows, n, n),
            distance * n);
  }
  op.erase();
  gemm.erase();
}

/// Moves a gather ahead of the product before it. False where what the gather
/// reads is not there yet.
bool Chunker::hoist(rank::CollectiveOp op) {
  StringRef in = Place::of(op.getIn()).buffer.getValue(),
            out = Place::of(op.getOut()).buffer.getValue();
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    if (passes::touches(before, {in, out}) || isa<rank::CollectiveOp>(before))
      return false;
    if (isa<rank::GemmOp>(before)) {
      moveTo(op, before);
      return true;
    }
  }
  return false;
}

/// Moves a collective and its views ahead to before `target`.
void Chunker::moveTo(rank::CollectiveOp op, Operation *target) {
  for (Value operand : {op.getIn(), op.getOut()})
    if (Operation *made = operand.getDefiningOp();
        made != target && !made->isBeforeInBlock(target))
      made->moveBefore(target);
    else if (made == target)
      target = target->getNextNode();
  if (target != op)
    op->moveBefore(target);
}

struct ChunkCollectives
    : passes::impl::RankChunkCollectivesBase<ChunkCollectives> {
  using RankChunkCollectivesBase::RankChunkCollectivesBase;

  void runOnOperation() override {
    for (auto rankClass : getOperation().getOps<rank::ClassOp>())
      for (auto program : rankClass.getOps<rank::ProgramOp>())
        if (program.getSymName() != "update")
          Chunker(rankClass, program, pieces).run();
  }
};
} // namespace
