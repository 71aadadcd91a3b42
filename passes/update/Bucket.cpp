// Groups the parameters of a rank class into flat values.
#include "passes/update/Bucket.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

static constexpr int64_t kAlignment = 16; // elements: 64 bytes of f32

Axes orrery::passes::inMeshOrder(ArrayRef<StringAttr> axes, MeshAttr mesh) {
  Axes ordered;
  for (StringAttr name : mesh.getNames())
    if (llvm::is_contained(axes, name) && mesh.getSize(name) > 1)
      ordered.push_back(name);
  return ordered;
}

std::optional<Sharding> orrery::passes::getOperandSharding(Operation *op) {
  auto all = op->getAttrOfType<ArrayAttr>(kShardingAttr);
  if (!all || all.empty() || !isa<ShardingAttr>(all[0]))
    return std::nullopt;
  return Sharding::get(cast<ShardingAttr>(all[0]));
}

namespace {
/// Parameters with equal keys share a bucket.
struct Key {
  bool decays = true;
  Type elementType;
  Axes partial;

  bool operator==(const Key &other) const {
    return decays == other.decays && elementType == other.elementType &&
           partial == other.partial;
  }
  std::string name() const;
};

/// A parameter and what decides its range.
struct Entry {
  ParameterOp parameter;
  Axes sharded;
  SmallVector<int64_t> owners;

  bool isLike(const Entry &other) const {
    return sharded == other.sharded && owners == other.owners;
  }
};

struct Group {
  Key key;
  SmallVector<Entry, 0> entries; // those that are alike stand together
};

class BucketMaker {
public:
  BucketMaker(ModuleOp rankClass, MeshAttr mesh, ArrayRef<StringRef> states)
      : rankClass(rankClass), mesh(mesh), states(states),
        builder(rankClass.getContext()) {}
  FailureOr<SmallVector<Bucket, 0>> run();

private:
  LogicalResult findGradients();
  FailureOr<Key> keyOf(ParameterOp parameter);
  LogicalResult place(ParameterOp parameter, SmallVector<Group, 0> &groups);
  FailureOr<Bucket> declare(Group &group);
  FailureOr<bool> countsInNorm(const Entry &entry);

  ModuleOp rankClass;
  MeshAttr mesh;
  ArrayRef<StringRef> states;
  OpBuilder builder;
  DenseMap<Attribute, AccumulateGradOp> firstGradient; // of each parameter
  DenseMap<Attribute, Sharding> gradients;
};
} // namespace

/// "decay_partial_dp", "plain_partial_dp_tp", …
std::string Key::name() const {
  std::string text = decays ? "decay" : "plain";
  if (!partial.empty())
    text += "_partial";
  for (StringAttr axis : partial)
    text += ("_" + axis.getValue()).str();
  return text;
}

/// The state of each parameter's gradient, the same at all of its uses.
LogicalResult BucketMaker::findGradients() {
  WalkResult result = rankClass.walk([&](AccumulateGradOp op) {
    auto sharding = getOperandSharding(op);
    if (!sharding)
      sharding = Sharding::replicated(
          cast<RankedTensorType>(op.getGrad().getType()).getRank());
    Attribute name = op.getParameterAttr().getAttr();
    auto [it, inserted] = gradients.try_emplace(name, *sharding);
    if (inserted) {
      firstGradient[name] = op;
      return WalkResult::advance();
    }
    if (it->second.dims == sharding->dims &&
        inMeshOrder(it->second.partial, mesh) ==
            inMeshOrder(sharding->partial, mesh))
      return WalkResult::advance();
    InFlightDiagnostic error =
        op.emitOpError("adds a gradient in state ")
        << sharding->toAttr(op.getContext()) << " to one in state "
        << it->second.toAttr(op.getContext()) << "; a sum needs one state";
    error.attachNote(firstGradient[name].getLoc()) << "the other is here";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

static Sharding placementOf(ParameterOp parameter) {
  if (auto attr = parameter.getShardingAttr())
    return Sharding::get(attr);
  return Sharding::replicated(
      cast<RankedTensorType>(parameter.getType()).getRank());
}

FailureOr<Key> BucketMaker::keyOf(ParameterOp parameter) {
  Sharding placed = placementOf(parameter);
  Key key;
  key.decays = parameter.getWeightDecay();
  key.elementType =
      cast<RankedTensorType>(parameter.getType()).getElementType();
  auto gradient = gradients.find(parameter.getSymNameAttr());
  if (gradient == gradients.end())
    return key;
  if (gradient->second.dims != placed.dims) {
    AccumulateGradOp op = firstGradient[parameter.getSymNameAttr()];
    InFlightDiagnostic error = op.emitOpError("has a gradient placed as ")
                               << gradient->second.toAttr(op.getContext())
                               << ", its parameter is placed as "
                               << placed.toAttr(op.getContext());
    error.attachNote(parameter.getLoc()) << "the parameter";
    return failure();
  }
  key.partial = inMeshOrder(gradient->second.partial, mesh);
  return key;
}

FailureOr<bool> BucketMaker::countsInNorm(const Entry &entry) {
  if (entry.owners.empty())
    return true;
  auto stages = rankClass->getAttrOfType<DenseI64ArrayAttr>(kStagesAttr);
  if (!stages || stages.size() != 1) {
    ParameterOp tied = entry.parameter;
    return tied.emitOpError(
        "is tied, so its rank class must have exactly one stage");
  }
  return stages[0] == entry.owners.front();
}

FailureOr<Bucket> BucketMaker::declare(Group &group) {
  SmallVector<Attribute> names;
  SmallVector<int64_t> offsets;
  SmallVector<BucketRange, 2> ranges;
  int64_t end = 0;
  for (auto [index, entry] : llvm::enumerate(group.entries)) {
    if (index == 0 || !entry.isLike(group.entries[index - 1])) {
      FailureOr<bool> counts = countsInNorm(entry);
      if (failed(counts))
        return failure();
      ranges.push_back({end, end, 0, entry.sharded, entry.owners, *counts});
    }
    names.push_back(FlatSymbolRefAttr::get(entry.parameter.getSymNameAttr()));
    offsets.push_back(end);
    int64_t size =
        cast<RankedTensorType>(entry.parameter.getType()).getNumElements();
    end = llvm::alignTo(end + size, kAlignment);
    ranges.back().padding += end - offsets.back() - size;
    ranges.back().end = end;
  }
  int64_t replicas = mesh.getSize(builder.getStringAttr("dp"));
  int64_t whole = llvm::alignTo(end, kAlignment * replicas);
  ranges.back().padding += whole - end;
  ranges.back().end = whole;
  SmallVector<StringRef> fields(states);
  if (!group.key.elementType.isF32())
    fields.push_back("master");
  auto op = BucketOp::create(
      builder, group.entries.front().parameter.getLoc(), group.key.name(),
      RankedTensorType::get({whole}, group.key.elementType),
      builder.getArrayAttr(names), offsets, builder.getStrArrayAttr(fields),
      group.key.decays);
  return Bucket{op, group.key.partial, std::move(ranges)};
}

/// Adds the parameter to its group, behind those that are like it.
LogicalResult BucketMaker::place(ParameterOp parameter,
                                 SmallVector<Group, 0> &groups) {
  FailureOr<Key> key = keyOf(parameter);
  if (failed(key))
    return failure();
  Entry entry{parameter, {}, {}};
  Axes sharded;
  for (const Axes &axes : placementOf(parameter).dims)
    sharded.append(axes);
  entry.sharded = inMeshOrder(sharded, mesh);
  if (auto owners = parameter.getOwners())
    entry.owners.assign(owners->begin(), owners->end());
  auto group = llvm::find_if(groups, [&](Group &g) { return g.key == *key; });
  if (group == groups.end()) {
    groups.push_back({*key, {}});
    group = std::prev(groups.end());
  }
  auto last =
      std::find_if(group->entries.rbegin(), group->entries.rend(),
                   [&](const Entry &other) { return other.isLike(entry); });
  if (last == group->entries.rend())
    group->entries.push_back(entry);
  else
    group->entries.insert(last.base(), entry);
  return success();
}

FailureOr<SmallVector<Bucket, 0>> BucketMaker::run() {
  if (failed(findGradients()))
    return failure();
  SmallVector<Group, 0> groups;
  for (auto parameter : rankClass.getOps<ParameterOp>()) {
    if (failed(place(parameter, groups)))
      return failure();
    builder.setInsertionPointAfter(parameter);
  }
  SmallVector<Bucket, 0> buckets;
  SymbolTable symbols(rankClass);
  for (Group &group : groups) {
    FailureOr<Bucket> bucket = declare(group);
    if (failed(bucket))
      return failure();
    symbols.insert(bucket->op); // renames when two groups share a name
    buckets.push_back(*bucket);
  }
  return buckets;
}

Value orrery::passes::sliceRange(OpBuilder &builder, const Bucket &bucket,
                                 const BucketRange &range, Value flat) {
  if (bucket.ranges.size() == 1)
    return flat;
  int64_t size = range.end - range.begin;
  auto type = cast<RankedTensorType>(flat.getType());
  return SliceOp::create(builder, flat.getLoc(), type.clone({size}), flat,
                         /*dim=*/0, range.begin, size);
}

Value orrery::passes::readField(OpBuilder &builder, const Bucket &bucket,
                                StringRef field) {
  BucketOp op = bucket.op;
  RankedTensorType type = bucket.getType();
  if (field != "weight")
    type = type.clone(builder.getF32Type());
  return BucketReadOp::create(builder, op.getLoc(), type, op.getSymName(),
                              builder.getStringAttr(field));
}

void orrery::passes::writeField(OpBuilder &builder, const Bucket &bucket,
                                StringRef field, Value value) {
  BucketOp op = bucket.op;
  BucketWriteOp::create(builder, op.getLoc(), op.getSymName(), field, value);
}

FailureOr<SmallVector<Bucket, 0>>
orrery::passes::makeBuckets(ModuleOp rankClass, MeshAttr mesh,
                            ArrayRef<StringRef> states) {
  return BucketMaker(rankClass, mesh, states).run();
}
