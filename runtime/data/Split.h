// The --split option: which documents train, validate and test.
#ifndef ORRERY_RUNTIME_DATA_SPLIT_H
#define ORRERY_RUNTIME_DATA_SPLIT_H

#include "absl/status/statusor.h"

#include <array>
#include <cstdint>
#include <string>

namespace orrery::runtime {

enum class Split { Train = 0, Valid = 1, Test = 2 };

const char *splitName(Split split); // "train", "valid", "test"

/// Bounds of the three splits over `size` documents: split i is the range
/// [bound[i], bound[i + 1]), empty when the second is not larger.
///
///   "969, 30, 1" of 1000  ->  0 969 999 1000
///   "949,50,1" of 10      ->  0 10 10 10
///
/// Up to three numbers separated by ',' or else '/' (more are ignored, fewer
/// are zero), normalised by their sum; each share is rounded half to even and
/// the excess over `size` taken from every bound but the first. The original
/// lets a bound become negative by that, and then validates on the last
/// documents of the training split; here a bound is never below 0.
/// Errors: InvalidArgument when `text` is no such list, a number is negative
/// or not finite, or all are zero.
/// Source: Megatron-LM megatron/data/dataset_utils.py
/// (get_train_valid_test_split_).
absl::StatusOr<std::array<int64_t, 4>> splitBounds(const std::string &text,
                                                   int64_t size);

} // namespace orrery::runtime

#endif // ORRERY_RUNTIME_DATA_SPLIT_H
