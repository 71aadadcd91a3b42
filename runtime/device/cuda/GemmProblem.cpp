// Matrix products as text, and what makes one valid.
#include "runtime/device/cuda/GemmProblem.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include <vector>

namespace orrery::runtime::cuda {
namespace {

using kernels::ElementType;
using kernels::GemmEpilogue;

constexpr const char *kEpilogues[] = {"none", "bias", "bias_gelu", "gelu_grad"};
constexpr ElementType kTypes[] = {ElementType::F32, ElementType::F16,
                                  ElementType::BF16};

bool isFloat(ElementType type) {
  return std::find(std::begin(kTypes), std::end(kTypes), type) !=
         std::end(kTypes);
}

// Words of a key, one after the other; the first surprise ends the reading.
class KeyReader {
public:
  explicit KeyReader(absl::string_view key) : words(absl::StrSplit(key, ' ')) {}

  absl::string_view next() {
    return at < words.size() ? words[at++] : (++at, absl::string_view());
  }
  void expect(absl::string_view word) { good &= next() == word; }
  void number(int64_t &value) {
    // SimpleAtoi takes " 7" and "+7"; a key has neither.
    absl::string_view word = next();
    good &= absl::SimpleAtoi(word, &value) && absl::StrCat(value) == word;
  }
  void type(ElementType &type) {
    absl::string_view word = next();
    bool found = false;
    for (ElementType one : kTypes)
      if (word == kernels::elementName(one))
        type = one, found = true;
    good &= found;
  }
  void transposes(bool &a, bool &b) {
    absl::string_view word = next();
    good &= word == "NN" || word == "NT" || word == "TN" || word == "TT";
    a = good && word[0] == 'T';
    b = good && word[1] == 'T';
  }
  void epilogue(GemmEpilogue &epilogue) {
    absl::string_view word = next();
    bool found = false;
    for (int i = 0; i < 4; ++i)
      if (word == kEpilogues[i])
        epilogue = static_cast<GemmEpilogue>(i), found = true;
    good &= found;
  }
  bool done() const { return good && at == words.size(); }

private:
  std::vector<absl::string_view> words;
  size_t at = 0;
  bool good = true;
};

} // namespace

std::string GemmProblem::key() const {
  return absl::StrCat(
      kernels::elementName(type), " ", kernels::elementName(typeC), " ",
      transposeA ? "T" : "N", transposeB ? "T" : "N", " m ", m, " n ", n, " k ",
      k, " ld ", lda, " ", ldb, " ", ldc, " batch ", batch, " ",
      batch > 1 ? strideA : 0, " ", batch > 1 ? strideB : 0, " ",
      batch > 1 ? strideC : 0, " beta ", beta == 0 ? 0 : 1, " ",
      kEpilogues[static_cast<int>(epilogue)], " align ", alignA, " ", alignB,
      " ", alignC, " ", alignBias, " ", alignAux);
}

absl::StatusOr<GemmProblem> GemmProblem::fromKey(absl::string_view key) {
  GemmProblem p;
  int64_t beta = 0;
  KeyReader reader(key);
  reader.type(p.type);
  reader.type(p.typeC);
  reader.transposes(p.transposeA, p.transposeB);
  reader.expect("m"), reader.number(p.m);
  reader.expect("n"), reader.number(p.n);
  reader.expect("k"), reader.number(p.k);
  reader.expect("ld");
  reader.number(p.lda), reader.number(p.ldb), reader.number(p.ldc);
  reader.expect("batch"), reader.number(p.batch);
  reader.number(p.strideA), reader.number(p.strideB), reader.number(p.strideC);
  reader.expect("beta"), reader.number(beta);
  reader.epilogue(p.epilogue);
  reader.expect("align");
  reader.number(p.alignA), reader.number(p.alignB), reader.number(p.alignC);
  reader.number(p.alignBias), reader.number(p.alignAux);
  p.beta = static_cast<float>(beta);
  if (!reader.done() || p.key() != key)
    return absl::InvalidArgumentError(
        absl::StrCat("'", key, "' is no matrix product"));
  if (absl::Status status = p.check(); !status.ok())
    return status;
  return p;
}

absl::Status GemmProblem::check() const {
  auto fault = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("matrix product '", key(), "': ", what));
  };
  constexpr int64_t kLimit = INT32_MAX;
  for (int64_t size : {m, n, k, batch})
    if (size < 1 || size > kLimit)
      return fault("sizes must be in 1..2^31-1");
  if (!isFloat(type) || (typeC != type && typeC != ElementType::F32))
    return fault("A and B must be f32, f16 or bf16, C the same or f32");
  if (lda < (transposeA ? m : k) || ldb < (transposeB ? k : n) || ldc < n)
    return fault("rows overlap");
  for (int64_t stride : {lda, ldb, ldc, strideA, strideB, strideC})
    if (stride < 0 || stride > int64_t(1) << 40)
      return fault("strides must be in 0..2^40");
  if (batch > 1 && strideC < (m - 1) * ldc + n)
    return fault("the products of the batch overlap");
  for (int64_t align : {alignA, alignB, alignC, alignBias, alignAux})
    if (align < 2 || align > 16 || (align & (align - 1)) != 0)
      return fault("alignments must be 2, 4, 8 or 16 bytes");
  if (std::min(alignA, alignB) < kernels::elementBytes(type) ||
      std::min({alignC, alignBias, alignAux}) < kernels::elementBytes(typeC))
    return fault("operands must be aligned to their elements");
  if (epilogue != GemmEpilogue::None && beta != 0)
    return fault("an epilogue needs beta = 0");
  return absl::OkStatus();
}

} // namespace orrery::runtime::cuda
