// A view is safe when its last element lies in its buffer.
#include "runtime/plan/ViewCheck.h"

#include "runtime/plan/ElementType.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace orrery::runtime {

using Wide = __int128;

std::string viewText(const plan::View &view) {
  return absl::StrCat(elementName(view.type()), "[",
                      absl::StrJoin(view.shape(), ", "), "]");
}

int64_t viewElements(const plan::View &view) {
  int64_t product = 1;
  for (int64_t size : view.shape())
    product *= size;
  return product;
}

__int128 viewReach(const plan::View &view) {
  Wide last = 0;
  for (int d = 0; d < view.shape_size(); ++d)
    last += Wide{view.shape(d) - 1} * view.strides(d);
  return last + 1;
}

std::vector<Dimension> joined(std::vector<Dimension> dimensions) {
  std::erase_if(dimensions, [](const Dimension &dimension) {
    return dimension.size == 1 || dimension.stride == 0;
  });
  std::sort(dimensions.begin(), dimensions.end(),
            [](const Dimension &a, const Dimension &b) {
              return std::tie(a.stride, a.size) < std::tie(b.stride, b.size);
            });
  std::vector<Dimension> result;
  for (const Dimension &next : dimensions) {
    if (!result.empty() &&
        Wide{result.back().stride} * result.back().size == next.stride)
      result.back().size *= next.size;
    else
      result.push_back(next);
  }
  return result;
}

std::vector<Dimension> joined(const plan::View &view) {
  std::vector<Dimension> dimensions;
  for (int d = 0; d < view.shape_size(); ++d)
    dimensions.push_back({view.strides(d), view.shape(d)});
  return joined(std::move(dimensions));
}

bool sameShape(const plan::View &a, const plan::View &b) {
  return std::equal(a.shape().begin(), a.shape().end(), b.shape().begin(),
                    b.shape().end());
}

bool isFloat(const plan::View &view) {
  return view.type() == plan::F32 || view.type() == plan::F16 ||
         view.type() == plan::BF16;
}

namespace {

template <typename... Parts> absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

/// Two index tuples of a written view must not name one element: sorted by
/// stride, every stride passes what the smaller ones reach.
bool overlapsItself(const plan::View &view) {
  std::vector<std::pair<int64_t, int64_t>> dims;
  for (int d = 0; d < view.shape_size(); ++d)
    if (view.shape(d) > 1)
      dims.push_back({view.strides(d), view.shape(d)});
  std::sort(dims.begin(), dims.end());
  Wide reached = 0;
  for (auto [stride, size] : dims) {
    if (stride <= reached)
      return true;
    reached += Wide{size - 1} * stride;
  }
  return false;
}

} // namespace

absl::Status checkView(const plan::RankClass &rankClass, const plan::View &view,
                       bool written) {
  if (view.buffer() >= static_cast<uint32_t>(rankClass.buffers_size()))
    return fault("buffer ", view.buffer(), " does not exist, the class has ",
                 rankClass.buffers_size());
  const plan::Buffer &buffer =
      rankClass.buffers(static_cast<int>(view.buffer()));
  int64_t element = elementBytes(view.type());
  if (element == 0)
    return fault("element type ", elementName(view.type()), " is not known");
  if (view.shape_size() != view.strides_size())
    return fault("has ", view.shape_size(), " sizes and ", view.strides_size(),
                 " strides");
  constexpr Wide kMaxElements = Wide{1} << 48;
  Wide count = 1, last = 0;
  for (int d = 0; d < view.shape_size(); ++d) {
    if (view.shape(d) < 1 || view.strides(d) < 0)
      return fault("dimension ", d, " has size ", view.shape(d), " and stride ",
                   view.strides(d));
    count *= view.shape(d);
    last += Wide{view.shape(d) - 1} * view.strides(d);
    if (count > kMaxElements || last > kMaxElements)
      return fault(viewText(view), " is larger than 2^48 elements");
  }
  if (view.offset() % static_cast<uint64_t>(element) ||
      buffer.offset() % static_cast<uint64_t>(element))
    return fault("offset ", view.offset(), " in buffer ", view.buffer(),
                 " is not aligned to the ", element, " bytes of ",
                 elementName(view.type()));
  if (Wide{view.offset()} + (last + 1) * element > Wide{buffer.bytes()})
    return fault(viewText(view), " with strides [",
                 absl::StrJoin(view.strides(), ", "), "] at byte ",
                 view.offset(), " ends at byte ",
                 view.offset() + static_cast<uint64_t>((last + 1) * element),
                 ", beyond the ", buffer.bytes(), " bytes of buffer ",
                 view.buffer(), " '", buffer.name(), "'");
  if (written && overlapsItself(view))
    return fault("is written, but strides [",
                 absl::StrJoin(view.strides(), ", "), "] of ", viewText(view),
                 " put several elements in one place");
  return absl::OkStatus();
}

absl::Status checkIndex(const Mesh &mesh, const plan::Index &index) {
  constexpr int64_t kLimit = int64_t{1} << 48;
  auto tooLarge = [](int64_t value) {
    return value > kLimit || value < -kLimit;
  };
  if (tooLarge(index.constant()) || tooLarge(index.per_microbatch()))
    return fault("index ", index.constant(), " + microbatch * ",
                 index.per_microbatch(), " is beyond 2^48");
  for (const plan::Index::Term &term : index.terms()) {
    if (mesh.findAxis(term.axis()) < 0)
      return fault("index uses axis '", term.axis(),
                   "', which is not in the mesh");
    if (tooLarge(term.stride()))
      return fault("index stride ", term.stride(), " is beyond 2^48");
  }
  return absl::OkStatus();
}

absl::Status checkStream(const plan::RandomStream &stream) {
  if (stream.name().empty())
    return fault("random stream has no name");
  if (stream.layer() < -1)
    return fault("random stream '", stream.name(), "' has layer ",
                 stream.layer());
  return absl::OkStatus();
}

} // namespace orrery::runtime
