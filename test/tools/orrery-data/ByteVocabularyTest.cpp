// The byte-level vocabulary.
#include "tools/orrery-data/ByteVocabulary.h"

#include "test/runtime/data/RecordedArray.h"

#include <gtest/gtest.h>

namespace orrery::tools {
namespace {

TEST(ByteVocabulary, HasEveryByteAndTheEndOfDocument) {
  const auto vocabulary = nlohmann::json::parse(byteVocabularyJson());
  ASSERT_EQ(vocabulary.size(), 257u);
  EXPECT_EQ(vocabulary["<|endoftext|>"], 256);
  EXPECT_EQ(vocabulary["A"], 'A');
  EXPECT_EQ(vocabulary["\""], '"');
  EXPECT_EQ(vocabulary["\u0120"], ' '); // GPT-2's well-known Ġ
  std::vector<bool> seen(257);
  for (const auto &[name, id] : vocabulary.items())
    seen[id.get<size_t>()] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 257);
}

TEST(ByteVocabulary, IsTheRecordedOne) {
  ORRERY_NEEDS_SHARED();
  EXPECT_EQ(byteVocabularyJson(),
            test::readText(test::sharedFolder() +
                           "/golden/megatron_lm/data/gpt/vocab.json"));
}

TEST(Printable, EscapesWhatIsNotText) {
  const int64_t tokens[] = {'a', '\n', 0xc3, '\\', 256, 300, -1};
  EXPECT_EQ(printable(tokens), "a\\n\\xc3\\\\<|endoftext|><300><-1>");
}

} // namespace
} // namespace orrery::tools
