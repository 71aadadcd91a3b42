// What a fused region computes at a row and a run of columns: the part of a
// kernel that does not depend on who works on which rows and columns.
#ifndef ORRERY_PASSES_EMIT_KERNEL_REGIONCODE_H
#define ORRERY_PASSES_EMIT_KERNEL_REGIONCODE_H

#include "passes/emit/kernel/KernelSpace.h"
#include "passes/emit/kernel/Lanes.h"

#include <functional>

namespace orrery::passes {

/// Code of the region's values, by value.
using Known = llvm::DenseMap<mlir::Value, mlir::Value>;

/// A row, and the values that it has once.
struct KernelRow {
  mlir::Value index; // i64; null when flat
  Known numbers;
};

/// `width` neighbouring columns of a row; in a flat space elements.
struct Chunk {
  KernelRow *row = nullptr;
  mlir::Value column = {}; // i64, the first
  int64_t width = 1;
  /// Where the chunk starts in a full tensor; null: to be computed.
  mlir::Value element = {};
  /// When false (i1), the chunk is another's: it may be read, but it counts for
  /// nothing and is not stored. Null: true.
  mlir::Value inside = {};
  /// What has been computed so far. Kept from walk to walk, it saves reading
  /// and computing again.
  Known known = Known();
};

/// Writes code for the values of one fused region at `builder`.
///
/// A kernel binds its arguments, computes the uniform numbers, and then, for
/// each row that is its own, calls `writeRow`. In a flat space there are no
/// rows and it calls `advance` with chunks of elements.
class RegionCode {
public:
  RegionCode(dfg::FusedOp fused, const KernelSpace &space);

  mlir::OpBuilder builder;
  mlir::Location loc;
  dfg::FusedOp fused;
  const KernelSpace &space;
  /// Bytes that the address of each buffer is a multiple of (inputs, then
  /// outputs); empty: no more than its element's size.
  llvm::SmallVector<int64_t> alignments;
  /// Divisions of row and element numbers fit into 32 bits, and should.
  bool shortDivision = false;
  /// Columns are compared in 32 bits: the machine has no others.
  bool shortColumns = false;
  /// Orders the memory accesses of the threads that share a row; null where
  /// one thread has it alone.
  std::function<void()> synchronize;

  /// Asks for the pointer of each buffer, then for each scalar, in the order of
  /// `collectScalars`; keys of random streams are told apart.
  void bind(llvm::function_ref<mlir::Value()> nextPointer,
            llvm::function_ref<mlir::Value(bool isKey)> nextScalar);

  /// Numbers of walk `walk`: those of the whole launch, or those of the row.
  void computeNumbers(KernelRow &row, int64_t walk, bool uniform);
  /// All walks over one row, then its numbers are stored where `mayStore` (i1,
  /// null: true). `overColumns(walk, reduces)` visits the columns with
  /// `advance` and returns the reduced numbers, in the type `accumulatorType`.
  using Visitor = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      int64_t walk, llvm::ArrayRef<dfg::ReduceOp> reduces)>;
  void writeRow(KernelRow &row, mlir::Value mayStore, Visitor overColumns);

  /// Sums before the first chunk of `width` lanes: lanes, too, but numbers for
  /// maxima with a joined sum, which follows its maximum.
  llvm::SmallVector<mlir::Value>
  startSums(llvm::ArrayRef<dfg::ReduceOp> reduces, int64_t width);
  /// The joined sum of a part with maximum `from`, relative to maximum `to`.
  mlir::Value moveSum(mlir::Value sum, mlir::Value from, mlir::Value to);
  /// Evaluates what walk `walk` needs of `chunks`, adds it to `sums` and stores
  /// the walk's outputs. Returns the sums. Without `sums`, those of `chunks`
  /// alone, a number each: of reductions that are not joined.
  llvm::SmallVector<mlir::Value> advance(llvm::MutableArrayRef<Chunk> chunks,
                                         int64_t walk,
                                         llvm::ArrayRef<dfg::ReduceOp> reduces,
                                         mlir::ValueRange sums);
  /// Loads the inputs that walk `walk` of `chunk` needs.
  void prefetch(Chunk &chunk, int64_t walk);
  /// Loads the inputs that are the same in all rows, which no kernel with sums
  /// over rows writes.
  void loadColumns(Chunk &chunk);
  /// Loads all other inputs at a row: its numbers, then those with columns at
  /// each of `chunks`. `restoreRow` makes of what `loadRow` returned for a row
  /// what is known of it, in another block of code.
  llvm::SmallVector<mlir::Value> loadRow(mlir::Value index,
                                         const KernelRow &uniform,
                                         llvm::ArrayRef<Chunk> chunks);
  void restoreRow(mlir::ValueRange loaded, KernelRow &row,
                  llvm::MutableArrayRef<Chunk> chunks);

  /// Sums over rows, which leave the space.
  llvm::SmallVector<dfg::PartialSumOp> partialSums();
  /// What `chunk` adds to such a sum, behind all walks: lanes of its type, zero
  /// where the row does not exist (i1, null: true). Outside, anything.
  mlir::Value partialTerm(dfg::PartialSumOp sum, Chunk &chunk,
                          mlir::Value exists);
  /// Writes row `part` (i64) of a sum at the chunk's columns, if it is inside.
  void storePartial(dfg::PartialSumOp sum, mlir::Value lanes,
                    const Chunk &chunk, mlir::Value part);

  mlir::Type accumulatorType(dfg::ReduceOp reduce);
  bool hasColumnOutputs() const;
  bool hasNumberOutputs() const;
  /// What is reduced in a walk; joined sums come behind their maxima.
  llvm::SmallVector<dfg::ReduceOp> reductionsIn(int64_t walk);
  bool isJoined(dfg::ReduceOp sum) const {
    return space.joinedMaxima.contains(sum);
  }

  /// (input, output) pairs that may share memory, once all code is written.
  llvm::SmallVector<std::pair<unsigned, unsigned>> findInPlace();
  bool hasFailed() const { return failed; }

  mlir::Value number(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  /// Unsigned, by a constant.
  mlir::Value divide(mlir::Value a, int64_t b);
  mlir::Value remainder(mlir::Value a, int64_t b);
  Lanes lanes(int64_t width) { return {builder, loc, width}; }

private:
  /// Whether a walk stores `output`, column by column.
  bool isStoredByWalks(mlir::Value output) const {
    return space.hasColumns(output) &&
           !output.getDefiningOp<dfg::PartialSumOp>();
  }
  bool storesIn(int64_t walk) const;
  /// What `chunk` adds to `reduce`: lanes, neutral ones outside.
  mlir::Value contribution(dfg::ReduceOp reduce, Chunk &chunk, int64_t walk);
  mlir::Value reduceChunks(llvm::MutableArrayRef<Chunk> chunks, int64_t walk,
                           dfg::ReduceOp reduce);
  void advanceSoftmax(llvm::MutableArrayRef<Chunk> chunks, int64_t walk,
                      dfg::ReduceOp reduce, mlir::Value &maximum,
                      mlir::Value &sum);
  void storeNumbers(KernelRow &row);
  /// Coordinate of the row along dimension `dim`.
  mlir::Value rowCoordinate(const KernelRow &row, int64_t dim);
  /// Index of the value's element at the row, or the chunk's first column.
  mlir::Value numberIndex(mlir::Value value, const KernelRow &row);
  mlir::Value elementIndex(mlir::Value value, const Chunk &chunk);
  int64_t alignmentOf(unsigned buffer, mlir::Type element, int64_t width) const;
  mlir::Value loadInput(mlir::BlockArgument input, const Chunk &chunk,
                        int64_t walk);

  mlir::Value evaluate(mlir::Value value, Chunk &chunk, int64_t walk);
  mlir::Value evaluateOp(mlir::Operation *op, Chunk &chunk, int64_t walk);
  mlir::Value evaluatePick(dfg::PickOp pick, KernelRow &row);
  mlir::Value evaluatePickGrad(dfg::PickGradOp pick, const Chunk &chunk);
  mlir::Value evaluateDropout(dfg::DropoutOp dropout, mlir::Value x,
                              const Chunk &chunk);
  mlir::Value reload(mlir::Value value, const Chunk &chunk, int64_t walk);

  mlir::Type i64;
  mlir::Block &body;
  mlir::OperandRange outputs;
  llvm::SmallVector<mlir::Value> inputPointers, outputPointers;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::Value>> scalars;
  llvm::DenseMap<mlir::Value, int64_t> lastRead; // walk
  bool failed = false;
};

} // namespace orrery::passes

#endif // ORRERY_PASSES_EMIT_KERNEL_REGIONCODE_H
