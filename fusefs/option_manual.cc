// The table of options as the user reads it.
#include <fmt/format.h>

#include "fusefs/option_table.h"

namespace ocfsgw::fusefs {

std::string HelpText() {
  std::string text =
      "Usage: ocfsgw SOURCE MOUNTPOINT [-o OPTION[,OPTION...]]... [-f]\n"
      "       mount -t fuse.ocfsgw SOURCE MOUNTPOINT [-o OPTION[,OPTION...]]\n\n"
      "Mounts SOURCE, a directory of a shared OCFS2 file system, at MOUNTPOINT; reads are served from a "
      "cache on\n"
      "local disk that is provably current.\n\n"
      "  -o OPTIONS        mount options, see below; \\, is a comma within a value and \\\\ a backslash\n"
      "  -f, --foreground  stay in the foreground, log to stderr\n"
      "  -h, --help        print this\n"
      "  -V, --version     print the version\n\nMount options (SIZE: bytes, or with K, M, G, T):\n";
  for (const OptionSpec& spec : OptionSpecs()) {
    text += fmt::format("  {}\n        {}{}\n", Label(spec), spec.help,
                        spec.by_default.empty() ? "" : fmt::format(" (default {})", spec.by_default));
  }
  return text +
         "\nExit status: 0 done, 1 usage or configuration, 2 the source cannot be used, 3 mounting failed,\n"
         "4 failed while running.\n";
}

std::string OptionsMarkdown() {
  std::string table = "| option | default | meaning |\n|---|---|---|\n";
  for (const OptionSpec& spec : OptionSpecs()) {
    std::string label = fmt::format("`{}{}`", fmt::join(Names(spec), "`, `"), spec.argument);
    for (size_t bar = label.find('|'); bar != std::string::npos; bar = label.find('|', bar + 2)) {
      label.insert(bar, 1, '\\');
    }
    table += fmt::format("| {} | {} | {} |\n", label, spec.by_default, spec.help);
  }
  return table;
}

std::string OptionsMan() {
  std::string list;
  for (const OptionSpec& spec : OptionSpecs()) {
    list += fmt::format(".It Cm {}", fmt::join(Names(spec), " , "));
    if (!spec.argument.empty()) list += fmt::format(" Ns Ar {}", spec.argument);
    list += fmt::format("\n{}{}.\n", spec.help,
                        spec.by_default.empty() ? "" : fmt::format(" (default {})", spec.by_default));
  }
  return list;
}

}  // namespace ocfsgw::fusefs
