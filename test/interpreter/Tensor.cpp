// Tensors of doubles and their parts on the ranks of a mesh.
#include "test/interpreter/Tensor.h"

#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>
#include <map>

using namespace mlir;
using namespace orrery;
using namespace orrery::interpreter;

Tensor::Tensor(ArrayRef<int64_t> shape, double fill)
    : shape(shape), data(ShapedType::getNumElements(shape), fill) {}

int64_t Tensor::at(ArrayRef<int64_t> index) const {
  int64_t position = 0;
  for (auto [size, i] : llvm::zip_equal(shape, index))
    position = position * size + i;
  return position;
}

void interpreter::forEachIndex(ArrayRef<int64_t> shape,
                               function_ref<void(ArrayRef<int64_t>)> action) {
  int64_t count = ShapedType::getNumElements(shape);
  Shape index(shape.size(), 0);
  for (int64_t n = 0; n < count; ++n) {
    action(index);
    for (int64_t dim = static_cast<int64_t>(shape.size()) - 1; dim >= 0;
         --dim) {
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
    }
  }
}

static Shape sum(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  Shape result(a);
  for (auto [left, right] : llvm::zip_equal(result, b))
    left += right;
  return result;
}

Tensor Tensor::block(ArrayRef<int64_t> start, ArrayRef<int64_t> sizes) const {
  Tensor part(sizes, 0);
  int64_t next = 0;
  forEachIndex(sizes, [&](ArrayRef<int64_t> index) {
    part.data[next++] = data[at(sum(start, index))];
  });
  return part;
}

void Tensor::place(ArrayRef<int64_t> start, const Tensor &part) {
  int64_t next = 0;
  forEachIndex(part.shape, [&](ArrayRef<int64_t> index) {
    data[at(sum(start, index))] = part.data[next++];
  });
}

double interpreter::distance(const Tensor &a, const Tensor &b) {
  if (a.shape != b.shape)
    return std::numeric_limits<double>::infinity();
  double largest = 1, difference = 0;
  for (auto [x, y] : llvm::zip_equal(a.data, b.data)) {
    if (x == y) // infinities too
      continue;
    largest = std::max(largest, std::abs(y));
    double here = std::abs(x - y);
    difference = std::max(
        difference,
        std::isnan(here) ? std::numeric_limits<double>::infinity() : here);
  }
  return difference / largest;
}

//===----------------------------------------------------------------------===//
// Parts on a mesh
//===----------------------------------------------------------------------===//

int64_t interpreter::coordinate(dfg::MeshAttr mesh, int64_t rank,
                                StringAttr axis) {
  int64_t below = mesh.getNumRanks();
  for (auto [name, size] : llvm::zip_equal(mesh.getNames(), mesh.getSizes())) {
    below /= size;
    if (name == axis)
      return rank / below % size;
  }
  return 0;
}

int64_t interpreter::valueOn(dfg::IndexAttr index, dfg::MeshAttr mesh,
                             int64_t rank) {
  int64_t value = index.getConstant();
  for (NamedAttribute term : index.getTerms())
    value += coordinate(mesh, rank, term.getName()) *
             cast<IntegerAttr>(term.getValue()).getInt();
  return value;
}

/// Where the shard of `rank` begins in a tensor of `shape`, and its sizes.
static std::pair<Shape, Shape> shardRange(ArrayRef<int64_t> shape,
                                          const dfg::Sharding &sharding,
                                          dfg::MeshAttr mesh, int64_t rank) {
  Shape start(shape.size(), 0), sizes(shape);
  for (auto [dim, axes] : llvm::enumerate(sharding.dims))
    for (StringAttr axis : axes) {
      sizes[dim] /= mesh.getSize(axis);
      start[dim] += coordinate(mesh, rank, axis) * sizes[dim];
    }
  return {start, sizes};
}

Tensor interpreter::shardOf(const Tensor &global, const dfg::Sharding &sharding,
                            dfg::MeshAttr mesh, int64_t rank) {
  auto [start, sizes] = shardRange(global.shape, sharding, mesh, rank);
  return global.block(start, sizes);
}

/// Coordinates on the axes that `sharding` uses: equal for replicas.
static SmallVector<int64_t> replicaKey(const dfg::Sharding &sharding,
                                       dfg::MeshAttr mesh, int64_t rank) {
  SmallVector<int64_t> key;
  for (const dfg::Axes &dim : sharding.dims)
    for (StringAttr axis : dim)
      key.push_back(coordinate(mesh, rank, axis));
  for (StringAttr axis : sharding.partial)
    key.push_back(coordinate(mesh, rank, axis));
  return key;
}

FailureOr<Tensor> interpreter::assemble(ArrayRef<Part> parts,
                                        const dfg::Sharding &sharding,
                                        dfg::MeshAttr mesh, double tolerance) {
  Shape shape(parts.front().tensor->shape);
  for (auto [size, axes] : llvm::zip_equal(shape, sharding.dims))
    size *= mesh.getSize(axes);
  bool isMax =
      sharding.isPartial() && sharding.reduction == dfg::Reduction::Max;
  Tensor global(shape, isMax ? -std::numeric_limits<double>::infinity() : 0);
  std::map<SmallVector<int64_t>, Part> seen;
  for (Part part : parts) {
    auto [it, isNew] =
        seen.try_emplace(replicaKey(sharding, mesh, part.rank), part);
    if (!isNew) {
      double difference = distance(*part.tensor, *it->second.tensor);
      if (difference <= tolerance)
        continue;
      llvm::errs() << "replicas on ranks " << it->second.rank << " and "
                   << part.rank << " differ by " << difference << "\n";
      return failure();
    }
    auto [start, sizes] = shardRange(shape, sharding, mesh, part.rank);
    Tensor combined = global.block(start, sizes);
    for (auto [to, from] : llvm::zip_equal(combined.data, part.tensor->data))
      to = isMax ? std::max(to, from) : to + from;
    global.place(start, combined);
  }
  return global;
}
