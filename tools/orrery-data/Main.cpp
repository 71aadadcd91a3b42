// orrery-data: text files to token files, and what is in a token file.
//
//   orrery-data --out=corpus LICENSE*.txt
//   orrery-data --show corpus
#include "tools/orrery-data/TokenFileCommands.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace orrery::tools;

int main(int argc, char **argv) {
  CLI::App app("Makes Megatron token files (PREFIX.bin, PREFIX.idx) from text, "
               "and shows what is in them.\n"
               "Tokens are bytes (id = byte value); token 256 ends a document; "
               "PREFIX.vocab.json serves as --vocab-file.",
               "orrery-data");
  WriteRequest request;
  std::string show;
  std::optional<int64_t> document;
  bool splitLines = false, noEod = false;
  auto *out = app.add_option("--out", request.prefix,
                             "write PREFIX.bin, .idx and .vocab.json")
                  ->type_name("PREFIX");
  auto *files = app.add_option("files", request.files,
                               "text files; each is one document unless told "
                               "otherwise")
                    ->type_name("FILE");
  auto *lines =
      app.add_flag("--split-lines", splitLines, "every line is a document");
  auto *json = app.add_option("--json-lines", request.key,
                              "every line is a JSON record with the document "
                              "under KEY")
                   ->type_name("KEY")
                   ->excludes(lines);
  app.add_flag("--no-eod", noEod, "no end-of-document token");
  auto *showing =
      app.add_option("--show", show, "say what is in PREFIX.bin and .idx")
          ->type_name("PREFIX")
          ->excludes(out)
          ->excludes(files);
  app.add_option("--document", document, "with --show: print document N whole")
      ->type_name("N")
      ->needs(showing);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (show.empty() && (request.prefix.empty() || request.files.empty())) {
    fmt::print(stderr, "orrery-data: error: give --out=PREFIX and text files, "
                       "or --show=PREFIX; --help tells more\n");
    return 2;
  }
  request.appendEod = !noEod;
  request.form = splitLines          ? DocumentForm::Lines
                 : json->count() > 0 ? DocumentForm::JsonLines
                                     : DocumentForm::File;
  absl::StatusOr<std::string> result = show.empty()
                                           ? writeTokenFiles(request)
                                           : describeTokenFiles(show, document);
  if (!result.ok()) {
    fmt::print(stderr, "orrery-data: error: {}\n",
               std::string(result.status().message()));
    return 1;
  }
  fmt::print("{}\n", *result);
  return 0;
}
