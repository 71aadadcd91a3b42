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
  Axes sharded, partial;
  SmallVector<int64_t> owners;

  bool operator==(const Key &other) const {
    return decays == other.decays && elementType == other.elementType &&
           sharded == other.sharded && partial == other.partial &&
           owners == other.owners;
  }
  std::string name() const;
};

struct Group {
  Key key;
  SmallVector<ParameterOp> parameters;
};

class BucketMaker {
public:
  BucketMaker(ModuleOp rankClass, MeshAttr mesh, ArrayRef<StringRef> states)
      : rankClass(rankClass), mesh(mesh), states(states),
        builder(rankClass.getContext()) {}
  FailureOr<SmallVector<Bucket>> run();

private:
  LogicalResult findGradients();
  FailureOr<Key> keyOf(ParameterOp parameter);
  FailureOr<Bucket> declare(Group &group);
  FailureOr<bool> countsInNorm(Group &group);

  ModuleOp rankClass;
  MeshAttr mesh;
  ArrayRef<StringRef> states;
  OpBuilder builder;
  DenseMap<Attribute, AccumulateGradOp> firstGradient; // of each parameter
  DenseMap<Attribute, Sharding> gradients;
};
} // namespace

/// "decay_sharded_tp_partial_dp", "plain_partial_dp_tied", …
std::string Key::name() const {
  std::string text = decays ? "decay" : "plain";
  auto add = [&](StringRef what, const Axes &axes) {
    if (!axes.empty())
      text += ("_" + what).str();
    for (StringAttr axis : axes)
      text += ("_" + axis.getValue()).str();
  };
  add("sharded", sharded);
  add("partial", partial);
  return owners.empty() ? text : text + "_tied";
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

FailureOr<Key> BucketMaker::keyOf(ParameterOp parameter) {
  auto type = cast<RankedTensorType>(parameter.getType());
  Sharding placed = Sharding::replicated(type.getRank());
  if (auto attr = parameter.getShardingAttr())
    placed = Sharding::get(attr);
  Key key;
  key.decays = parameter.getWeightDecay();
  key.elementType = type.getElementType();
  Axes sharded;
  for (const Axes &axes : placed.dims)
    sharded.append(axes);
  key.sharded = inMeshOrder(sharded, mesh);
  if (auto owners = parameter.getOwners())
    key.owners.assign(owners->begin(), owners->end());
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

FailureOr<bool> BucketMaker::countsInNorm(Group &group) {
  if (group.key.owners.empty())
    return true;
  auto stages = rankClass->getAttrOfType<DenseI64ArrayAttr>(kStagesAttr);
  if (!stages || stages.size() != 1) {
    ParameterOp tied = group.parameters.front();
    return tied.emitOpError(
        "is tied, so its rank class must have exactly one stage");
  }
  return stages[0] == group.key.owners.front();
}

FailureOr<Bucket> BucketMaker::declare(Group &group) {
  FailureOr<bool> counts = countsInNorm(group);
  if (failed(counts))
    return failure();
  SmallVector<Attribute> names;
  SmallVector<int64_t> offsets;
  int64_t end = 0, used = 0;
  for (ParameterOp parameter : group.parameters) {
    names.push_back(FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
    offsets.push_back(end);
    int64_t size = cast<RankedTensorType>(parameter.getType()).getNumElements();
    used += size;
    end = llvm::alignTo(end + size, kAlignment);
  }
  int64_t replicas = mesh.getSize(builder.getStringAttr("dp"));
  end = llvm::alignTo(end, kAlignment * replicas);
  SmallVector<StringRef> fields(states);
  if (!group.key.elementType.isF32())
    fields.push_back("master");
  auto op = BucketOp::create(
      builder, group.parameters.front().getLoc(), group.key.name(),
      RankedTensorType::get({end}, group.key.elementType),
      builder.getArrayAttr(names), offsets, builder.getStrArrayAttr(fields),
      group.key.decays);
  return Bucket{op,
                group.key.sharded,
                group.key.partial,
                group.key.owners,
                end - used,
                *counts};
}

FailureOr<SmallVector<Bucket>> BucketMaker::run() {
  if (failed(findGradients()))
    return failure();
  SmallVector<Group> groups;
  for (auto parameter : rankClass.getOps<ParameterOp>()) {
    FailureOr<Key> key = keyOf(parameter);
    if (failed(key))
      return failure();
    auto group = llvm::find_if(groups, [&](Group &g) { return g.key == *key; });
    if (group == groups.end()) {
      groups.push_back({*key, {}});
      group = std::prev(groups.end());
    }
    group->parameters.push_back(parameter);
    builder.setInsertionPointAfter(parameter);
  }
  SmallVector<Bucket> buckets;
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

FailureOr<SmallVector<Bucket>>
orrery::passes::makeBuckets(ModuleOp rankClass, MeshAttr mesh,
                            ArrayRef<StringRef> states) {
  return BucketMaker(rankClass, mesh, states).run();
}
