// Collectives along one dimension of a row-major tensor: the flat collective,
// with packing before or unpacking behind it where the dimension is not the
// outermost. Runs in host memory here; in a GPU's it is run by
// nccl/DeviceCollective.h.
//
// all-gather of [2, 3] along dimension 1 over two members, outer 2:
//   member 0  a b c   member 1  A B C        flat:     a b c d e f A B C D E F
//             d e f             D E F        unpacked: a b c A B C / d e f D E
//             F
//
// reduce-scatter packs the other way, all-to-all does both:
//   all_to_all(x) = concat(all of split(x)).
#ifndef ORRERY_RUNTIME_COMM_DIMENSIONCOLLECTIVE_H
#define ORRERY_RUNTIME_COMM_DIMENSIONCOLLECTIVE_H

#include "absl/status/status.h"
#include "runtime/comm/Communicator.h"

#include <span>

namespace orrery::runtime {

/// Prepared once for an input shape and a number of members; running it
/// allocates nothing.
class DimensionCollective {
public:
  enum class Kind { AllReduce, AllGather, ReduceScatter, AllToAll };

  /// `parts` runs of `run` bytes lie behind each other in each of `outer` rows;
  /// with one row there is nothing to do.
  struct Interleave {
    int64_t outer = 1;
    int64_t run = 0;
    int64_t parts = 1;

    bool needed() const { return outer > 1; }
    int64_t bytes() const { return needed() ? outer * run * parts : 0; }
    /// [outer, parts, run] -> [parts, outer, run] and back.
    void pack(const std::byte *in, std::byte *out) const;
    void unpack(const std::byte *in, std::byte *out) const;
  };

  /// What to do: pack the input, run the flat collective, unpack its output.
  struct Steps {
    Kind kind = Kind::AllReduce;
    Reduction reduction = Reduction::Sum;
    plan::ElementType type = plan::F32;
    int64_t count = 0; // of the flat collective
    Interleave before, after;
    // Elements from one member's part to the next in the output of an AllGather
    // along dimension 0; 0: side by side.
    int64_t distance = 0;
  };

  DimensionCollective() = default;

  /// `shape` is the input's. `dimension`: gathered, scattered or split;
  /// `concatDimension`: of AllToAll. InvalidArgument when a dimension does not
  /// exist or does not divide evenly over the members.
  static absl::Status create(Kind kind, Reduction reduction,
                             plan::ElementType type,
                             std::span<const int64_t> shape, int dimension,
                             int concatDimension, int members,
                             DimensionCollective &out);

  /// Of an AllGather along dimension 0: the parts of `out` begin `distance`
  /// elements apart, and what lies between them stays. InvalidArgument where
  /// parts would overlap, or for another collective.
  absl::Status spread(int64_t distance);

  const Steps &steps() const { return todo; }
  int64_t scratchBytes() const {
    return todo.before.bytes() + todo.after.bytes() +
           (todo.distance ? todo.after.run * todo.after.parts : 0);
  }

  /// `in` and `out` are contiguous but for what spread() says; they may be the
  /// same for AllReduce only.
  absl::Status run(Communicator &group, const void *in, void *out,
                   void *scratchMemory) const;

private:
  Steps todo;
};

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_COMM_DIMENSIONCOLLECTIVE_H
