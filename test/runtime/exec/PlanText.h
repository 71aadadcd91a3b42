// Small plans for tests, from text.
#ifndef ORRERY_TEST_RUNTIME_EXEC_PLANTEXT_H
#define ORRERY_TEST_RUNTIME_EXEC_PLANTEXT_H

#include "runtime/plan/Plan.pb.h"

#include <filesystem>
#include <string>

namespace orrery::runtime {

/// What the build put at `path`; a file of that name beside this program, on a
/// machine to which both were carried, goes before it.
std::string readBuilt(const std::filesystem::path &path);

/// A plan for this machine with the kernels of TestKernels.cpp, in the order
/// count_up, add_scaled, show_key, from_integers, descend; `text` is the rest
/// as protobuf text, where
///   V(buffer, size)         is a contiguous F32 view,
///   M(buffer, rows, columns) a contiguous F32 matrix.
plan::Plan planFromText(std::string text);

} // namespace orrery::runtime

#endif // ORRERY_TEST_RUNTIME_EXEC_PLANTEXT_H
