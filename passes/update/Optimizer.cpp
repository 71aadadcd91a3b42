// The rules by which optimizers change a bucket.
#include "passes/update/Optimizer.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

ArrayRef<StringRef> orrery::passes::getStates(const DfgUpdateOptions &options) {
  static constexpr StringRef kAdam[] = {"exp_avg", "exp_avg_sq"};
  static constexpr StringRef kSgd[] = {"momentum"};
  if (options.optimizer == "sgd")
    return kSgd;
  return kAdam;
}

Value Optimizer::adam(Formula &f, const Bucket &bucket, Value weight,
                      Value grad, Changes &changes) {
  Value oldMean = readField(builder, bucket, "exp_avg");
  Value oldSquare = readField(builder, bucket, "exp_avg_sq");
  Value mean =
      f.add(f.mul(oldMean, options.beta1), f.mul(grad, 1 - options.beta1));
  Value square = f.add(f.mul(oldSquare, options.beta2),
                       f.mul(f.mul(grad, grad), 1 - options.beta2));
  changes.push_back({"exp_avg", oldMean, mean});
  changes.push_back({"exp_avg_sq", oldSquare, square});
  Value root = f.sqrt(f.div(square, f.scalar("correction2")));
  Value change =
      f.div(f.div(mean, f.scalar("correction1")), f.add(root, options.epsilon));
  if (BucketOp(bucket.op).getWeightDecay() && options.weightDecay != 0)
    change = f.add(change, f.mul(weight, options.weightDecay));
  return f.sub(weight, f.mul(change, f.scalar("lr")));
}

Value Optimizer::sgd(Formula &f, const Bucket &bucket, Value weight, Value grad,
                     Changes &changes) {
  Value before = readField(builder, bucket, "momentum");
  if (BucketOp(bucket.op).getWeightDecay() && options.weightDecay != 0)
    grad = f.add(grad, f.mul(weight, options.weightDecay));
  Value momentum = f.add(f.mul(before, options.momentum), grad);
  changes.push_back({"momentum", before, momentum});
  return f.sub(weight, f.mul(momentum, f.scalar("lr")));
}

void Optimizer::update(const Bucket &bucket, Value factor, Value overflow) {
  Formula f(builder, BucketOp(bucket.op).getLoc());
  Type stored = bucket.getType().getElementType();
  StringRef precise = stored.isF32() ? "weight" : "master";
  Value grad = readField(builder, bucket, "gradient");
  if (factor)
    grad = f.mul(grad, factor);
  Value weight = readField(builder, bucket, precise);
  Changes changes;
  Value result = options.optimizer == "sgd"
                     ? sgd(f, bucket, weight, grad, changes)
                     : adam(f, bucket, weight, grad, changes);
  changes.push_back({precise, weight, result});
  if (overflow)
    for (Change &change : changes)
      change.after = f.select(overflow, change.before, change.after);
  // Writes last, so that the whole step is one walk over the bucket.
  for (const Change &change : changes)
    writeField(builder, bucket, change.field, change.after);
  if (precise == "master")
    writeField(builder, bucket, "weight", f.cast(changes.back().after, stored));
}
