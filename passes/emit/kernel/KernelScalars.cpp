// The numbers that a kernel takes.
#include "passes/emit/kernel/KernelWriter.h"

using namespace mlir;
using namespace orrery::dfg;
using namespace orrery::passes;

SmallVector<KernelScalar> orrery::passes::collectScalars(FusedOp fused) {
  SmallVector<KernelScalar> scalars;
  fused.getBody().walk([&](Operation *op) {
    if (auto pick = dyn_cast<PickOp>(op))
      scalars.push_back({pick.getFirst()});
    if (auto pick = dyn_cast<PickGradOp>(op))
      scalars.push_back({pick.getFirst()});
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      auto offset = dropout.getOffset().getAsRange<IndexAttr>().begin();
      IndexAttr position = *offset++, sample = *offset++, feature = *offset;
      scalars.push_back(
          {{}, 0, dropout.getStream().str(), int64_t(dropout.getLayer())});
      scalars.push_back({sample, dropout.getExtent()[1]});
      scalars.push_back({position});
      scalars.push_back({feature});
    }
  });
  return scalars;
}
