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
                      Value grad) {
  Value mean = readField(builder, bucket, "exp_avg");
  Value square = readField(builder, bucket, "exp_avg_sq");
  mean = f.add(f.mul(mean, options.beta1), f.mul(grad, 1 - options.beta1));
  square = f.add(f.mul(square, options.beta2),
                 f.mul(f.mul(grad, grad), 1 - options.beta2));
  Value root = f.sqrt(f.div(square, f.scalar("correction2")));
  Value change =
      f.div(f.div(mean, f.scalar("correction1")), f.add(root, options.epsilon));
  if (BucketOp(bucket.op).getWeightDecay() && options.weightDecay != 0)
    change = f.add(change, f.mul(weight, options.weightDecay));
  Value result = f.sub(weight, f.mul(change, f.scalar("lr")));
  writeField(builder, bucket, "exp_avg", mean);
  writeField(builder, bucket, "exp_avg_sq", square);
  return result;
}

Value Optimizer::sgd(Formula &f, const Bucket &bucket, Value weight,
                     Value grad) {
  Value momentum = readField(builder, bucket, "momentum");
  if (BucketOp(bucket.op).getWeightDecay() && options.weightDecay != 0)
    grad = f.add(grad, f.mul(weight, options.weightDecay));
  momentum = f.add(f.mul(momentum, options.momentum), grad);
  Value result = f.sub(weight, f.mul(momentum, f.scalar("lr")));
  writeField(builder, bucket, "momentum", momentum);
  return result;
}

void Optimizer::update(const Bucket &bucket, Value factor) {
  Formula f(builder, BucketOp(bucket.op).getLoc());
  Type stored = bucket.getType().getElementType();
  StringRef precise = stored.isF32() ? "weight" : "master";
  Value grad = readField(builder, bucket, "gradient");
  if (factor)
    grad = f.mul(grad, factor);
  Value weight = readField(builder, bucket, precise);
  Value result = options.optimizer == "sgd" ? sgd(f, bucket, weight, grad)
                                            : adam(f, bucket, weight, grad);
  writeField(builder, bucket, precise, result);
  if (precise == "master")
    writeField(builder, bucket, "weight", f.cast(result, stored));
}
