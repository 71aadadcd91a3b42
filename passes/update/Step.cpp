// Builds the functions that run once a step.
#include "passes/update/Step.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/update/Optimizer.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

StepBuilder::StepBuilder(ModuleOp rankClass, MeshAttr mesh,
                         const DfgUpdateOptions &options,
                         ArrayRef<Bucket> buckets)
    : rankClass(rankClass), mesh(mesh), options(options), buckets(buckets),
      builder(rankClass.getContext()), f(builder, rankClass.getLoc()) {}

void StepBuilder::beginFunction(StringRef name) {
  builder.setInsertionPointToEnd(rankClass.getBody());
  auto function = func::FuncOp::create(builder, rankClass.getLoc(), name,
                                       builder.getFunctionType({}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
}

void StepBuilder::endFunction() {
  func::ReturnOp::create(builder, rankClass.getLoc());
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

void StepBuilder::reduceGradients() {
  for (const Bucket &bucket : buckets) {
    if (bucket.partial.empty() && !bucket.isTied())
      continue;
    Value grad =
        f.allReduce(readField(builder, bucket, "gradient"), bucket.partial);
    if (bucket.isTied())
      grad = sumOverOwners(bucket, grad);
    writeField(builder, bucket, "gradient", grad);
  }
}

Value StepBuilder::sumOverOwners(const Bucket &bucket, Value grad) {
  SmallVector<Value> parts;
  for (const BucketRange &range : bucket.ranges) {
    Value part = sliceRange(builder, bucket, range, grad);
    if (!range.owners.empty())
      part = f.allReduce(part, builder.getStringAttr("pp"), range.owners);
    parts.push_back(part);
  }
  if (parts.size() == 1)
    return parts.front();
  return ConcatOp::create(builder, grad.getLoc(), grad.getType(), parts,
                          /*dim=*/0);
}

Value StepBuilder::sumOverModel(
    StringRef field, function_ref<Value(const BucketRange &, Value)> measure) {
  // Ranges that are sharded alike share one reduction. Stages may differ in
  // ranges; all of them take part in the last reduction exactly once.
  SmallVector<std::pair<Axes, Value>> groups;
  for (const Bucket &bucket : buckets) {
    Value flat = readField(builder, bucket, field);
    for (const BucketRange &range : bucket.ranges) {
      if (!range.countsInNorm)
        continue;
      Value part = measure(range, sliceRange(builder, bucket, range, flat));
      auto group = llvm::find_if(
          groups, [&](auto &pair) { return pair.first == range.sharded; });
      if (group == groups.end())
        groups.push_back({range.sharded, part});
      else
        group->second = f.add(group->second, part);
    }
  }
  Value total;
  for (auto &[axes, part] : groups) {
    Value whole = f.allReduce(part, axes);
    total = total ? f.add(total, whole) : whole;
  }
  if (!total)
    total = f.constant(0, RankedTensorType::get({}, f.f64()));
  return f.allReduce(total, inMeshOrder(builder.getStringAttr("pp"), mesh));
}

Value StepBuilder::norm(StringRef field) {
  Type scalar = RankedTensorType::get({}, f.f64());
  return f.sqrt(
      sumOverModel(field, [&](const BucketRange &, Value values) -> Value {
        return SquareSumOp::create(builder, values.getLoc(), scalar, values);
      }));
}

//===----------------------------------------------------------------------===//
// Metrics
//===----------------------------------------------------------------------===//

void StepBuilder::writeMetric(StringRef name, Value value) {
  MetricWriteOp::create(builder, rankClass.getLoc(), name,
                        f.cast(value, f.f32()));
}

void StepBuilder::writeNumZeros() {
  Type scalar = RankedTensorType::get({}, f.f64());
  writeMetric(
      "num_zeros",
      sumOverModel(
          "gradient", [&](const BucketRange &range, Value values) -> Value {
            Value zeros =
                CountZerosOp::create(builder, values.getLoc(), scalar, values);
            if (range.padding == 0)
              return zeros;
            return f.sub(zeros, static_cast<double>(range.padding));
          }));
}

void StepBuilder::reduceMetrics(StringRef name) {
  auto function = rankClass.lookupSymbol<func::FuncOp>(name);
  if (!function)
    return;
  llvm::MapVector<StringAttr, std::pair<Type, Axes>> metrics;
  function.walk([&](MetricOp metric) {
    if (auto sharding = getOperandSharding(metric))
      metrics[metric.getNameAttr()] = {metric.getValue().getType(),
                                       inMeshOrder(sharding->partial, mesh)};
  });
  for (auto &[metric, state] : metrics) {
    auto &[type, axes] = state;
    if (axes.empty())
      continue;
    Value sum = MetricReadOp::create(builder, rankClass.getLoc(), type, metric);
    MetricWriteOp::create(builder, rankClass.getLoc(), metric,
                          f.allReduce(sum, axes));
  }
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Value StepBuilder::gradientFactor(Value gradNorm) {
  Value factor;
  if (options.scaledLoss)
    factor = f.scalar("inverse_scale");
  if (options.clip == 0)
    return factor;
  // In f64, as the norm is; gradients are multiplied in f32.
  Value ratio = f.div(options.clip, f.add(gradNorm, 1e-6));
  Value clipping = f.cast(f.min(ratio, 1.0), f.f32());
  return factor ? f.mul(factor, clipping) : clipping;
}

Value StepBuilder::findOverflow(Value scaledNorm) {
  // 0 · x is 0 for every finite x and no number for the others.
  Value probe = f.cast(f.mul(scaledNorm, 0.0), f.f32());
  Value count = CountNotFiniteOp::create(
      builder, rankClass.getLoc(), RankedTensorType::get({}, f.f64()), probe);
  return f.cast(count, f.f32());
}

void StepBuilder::buildUpdate() {
  beginFunction("update");
  reduceGradients();
  Value gradNorm = norm("gradient"), overflow;
  if (options.scaledLoss) {
    overflow = findOverflow(gradNorm);
    writeMetric("overflow", overflow);
    gradNorm = f.mul(gradNorm, f.cast(f.scalar("inverse_scale"), f.f64()));
  }
  writeMetric("grad_norm", gradNorm);
  if (options.logNumZeros)
    writeNumZeros();
  Value factor = gradientFactor(gradNorm);
  Optimizer optimizer(builder, options);
  for (const Bucket &bucket : buckets)
    optimizer.update(bucket, factor, overflow);
  if (options.logParamsNorm)
    writeMetric("params_norm", norm("weight"));
  reduceMetrics("train");
  endFunction();
}

void StepBuilder::buildEvaluateFinish() {
  beginFunction("evaluate_finish");
  reduceMetrics("evaluate");
  endFunction();
}
