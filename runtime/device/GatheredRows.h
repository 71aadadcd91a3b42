// Where an all-gather puts the members' rows.
#ifndef ORRERY_RUNTIME_DEVICE_GATHEREDROWS_H
#define ORRERY_RUNTIME_DEVICE_GATHEREDROWS_H

#include "runtime/plan/Plan.pb.h"

#include <cstdint>

namespace orrery::runtime {

/// The output of a collective, split where a part of it must be contiguous.
struct CollectiveOutput {
  plan::View part;      // one member's row, or all of the output
  int64_t distance = 0; // elements from row to row; 0: `part` is all
};

/// Of an all-gather of one row along dimension 0 the rows of the output may lie
/// apart (Plan.proto, message Collective); other outputs are contiguous.
inline CollectiveOutput outputOf(const plan::Collective &op) {
  CollectiveOutput output{op.out()};
  if (op.op() != plan::Collective::ALL_GATHER || op.dimension() != 0 ||
      op.in().shape_size() == 0 || op.in().shape(0) != 1 ||
      op.out().shape(0) == 1)
    return output;
  output.part.set_shape(0, 1);
  output.distance = op.out().strides(0);
  return output;
}

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DEVICE_GATHEREDROWS_H
