// Hostfiles of mpirun and DeepSpeed, right and wrong.
#include "frontend/hostfile/Hostfile.h"

#include <gtest/gtest.h>

#include <filesystem>

using namespace orrery::frontend;

TEST(Hostfile, ReadsBothForms) {
  Hostfile file = parseHostfile("# a cluster\n"
                                "node1 slots=4 max_slots=8\n"
                                "\n"
                                "node2\t slots=2   # fewer\r\n"
                                "node3\n"
                                "me@node4:3\n"
                                "node1 slots=1\n"
                                "node3");
  EXPECT_EQ(orrery::job::format(file.errors), "");
  ASSERT_EQ(file.hosts.size(), 4u);
  EXPECT_EQ(file.hosts[0].name, "node1");
  EXPECT_EQ(file.hosts[0].slots, 5);
  EXPECT_EQ(file.hosts[1].slots, 2);
  EXPECT_EQ(file.hosts[2].slots, 2);
  EXPECT_EQ(file.hosts[3].name, "node4");
  EXPECT_EQ(file.hosts[3].slots, 3);
  EXPECT_EQ(file.worldSize(), 12);
}

TEST(Hostfile, KeepsAddressesWhole) {
  Hostfile file = parseHostfile("fe80::1 slots=2\n10.0.0.7 slots=2\n");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.hosts[0].name, "fe80::1");
  EXPECT_EQ(file.worldSize(), 4);
}

TEST(Hostfile, TellsEveryFaultWithItsLine) {
  struct Case {
    const char *text;
    std::vector<const char *> words;
  };
  const Case cases[] = {
      {"", {"names no host"}},
      {"# nothing\n\n", {"names no host"}},
      {"a slots=4\nb slots=x\n", {"line 2", "'slots=x'", "whole number"}},
      {"a slots=0\n", {"line 1", "'slots=0'", "nearest legal choice: 1"}},
      {"a slots=-3\n", {"'slots=-3'", "nearest legal choice: 1"}},
      {"a slots=\n", {"'slots='"}},
      {"a slots=99999999999999999999\n", {"nearest legal choice: 1000000"}},
      {"a slots=4 max_slots=2\n", {"4 slots", "max_slots 2", "slots=2"}},
      {"\n\na gpus=4\n", {"line 3", "'gpus=4'", "slots=n"}},
      {"a 4\n", {"'4'", "not a setting"}},
      {"slots=4\n", {"'slots=4'", "host name"}},
      {"a:b\n", {"'a:b'", "whole number"}},
      {":4\n", {"host name"}},
  };
  for (const Case &entry : cases) {
    Hostfile file = parseHostfile(entry.text);
    std::string text = orrery::job::format(file.errors);
    ASSERT_EQ(file.errors.size(), 1u) << entry.text << text;
    for (const char *word : entry.words)
      EXPECT_NE(text.find(word), std::string::npos) << word << " in " << text;
  }
}

TEST(Hostfile, ReportsSeveralFaultsAtOnce) {
  Hostfile file = parseHostfile("a slots=x\nb slots=2\nc slots=y z\n");
  EXPECT_EQ(file.errors.size(), 3u);
  EXPECT_EQ(file.worldSize(), 2);
}

TEST(Hostfile, BoundsTheWorldSize) {
  std::string text;
  for (int i = 0; i < 2148; ++i)
    text += "n" + std::to_string(i) + " slots=1000000\n";
  Hostfile file = parseHostfile(text);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.errors[0].subject, "line 2148");
}

TEST(Hostfile, RefusesWhatIsNoFile) {
  EXPECT_FALSE(readHostfile("/no/such/file").ok());
  EXPECT_FALSE(
      readHostfile(std::filesystem::temp_directory_path().string()).ok());
}
