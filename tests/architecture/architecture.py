#!/usr/bin/env python3
"""The architecture as a check: who may include whom, and a few rules about files.

    architecture.py [ROOT]     prints one line per violation; exit status 1 if there is one

The tables below are the ones of docs/ARCHITECTURE.md."""
import pathlib
import re
import sys

PRODUCT = ["base", "cache", "coherence", "ocfs2-backend", "fusefs", "ctl"]
ALL = PRODUCT + ["bench", "docker", "tests"]
LINES_MAX = 600
UNITY = ["bench", "docker", "tests"]  # the same in CMakeLists.txt

# Folder -> folders of ours whose headers it may include; single headers where only the interfaces are meant.
MAY_INCLUDE = {
    "base": [],
    "cache": ["base"],
    "coherence": ["base", "cache"],
    "ocfs2-backend": ["base", "coherence/attr.h", "coherence/backend.h", "coherence/kernel_cache.h",
                      "coherence/lease_provider.h", "coherence/stamp.h"],
    "fusefs": PRODUCT,
    "ctl": ["base"],
    # The injector checks mount options by the very table that ocfsgw parses them with, and serves metrics alike.
    "docker": ["base", "fusefs/mount_options.h", "fusefs/option_values.h", "fusefs/metrics_exporter.h"],
    "bench": PRODUCT,
    "tests": ALL,
}

# Third-party header -> the only folders that may include it; tests may include what they test.
THIRD_PARTY = [
    (r"rocksdb/", ["cache"]),
    (r"(fuse3/|fuse(_\w+)?\.h)", ["fusefs"]),
    (r"spdlog/", ["base"]),
    (r"xxhash\.h", ["base"]),
    (r"boost/beast", ["docker"]),
    (r"boost/asio", ["base", "ctl", "docker"]),
    (r"boost/", ["base", "ctl", "docker"]),
    (r"nlohmann/", ["bench", "ctl", "docker"]),
    (r"prometheus/", ["fusefs"]),
    (r"archive(_entry)?\.h", ["bench"]),
    (r"CLI/", ["ctl", "fusefs", "bench", "docker"]),
    (r"(gtest|gmock)/", ["tests"]),
    (r"benchmark/", ["bench"]),
    (r"ocfs2-kernel/", ["ocfs2-backend"]),
    (r"openssl/", ["docker"]),
]

# At the beginning of a line: a return type, a name, parentheses.
FUNCTION = re.compile(r"(?!TEST|INSTANTIATE|return|using|else|static_assert)[A-Za-z_][\w:<>,*& ]*[*& ](\w+)\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(root, folder, *suffixes):
    return sorted(p for p in (root / folder).rglob("*") if p.suffix in suffixes and p.is_file())


def check_includes(root, folder, path, text):
    where = path.relative_to(root)
    for match in INCLUDE.finditer(text):
        name = match[2]
        line = text.count("\n", 0, match.start()) + 1
        if ".." in pathlib.PurePosixPath(name).parts:
            yield f"{where}:{line}: include with '..': {name}"
        target = name.split("/")[0]
        if target in ALL and target != folder:
            if target not in MAY_INCLUDE[folder] and name not in MAY_INCLUDE[folder]:
                yield f"{where}:{line}: {folder}/ may not include {name}"
        elif match[1] == '"' and not (root / name).is_file():
            yield f"{where}:{line}: include of our own that is not from the root: {name}"
        for pattern, folders in THIRD_PARTY:
            if re.match(pattern, name):
                if folder not in folders + ["tests"]:
                    yield f"{where}:{line}: {name} may be included only in {', '.join(folders)}"
                break


def check_listed(root, path):
    """Every source is named in the nearest CMakeLists.txt above it, or it would not be built."""
    for folder in path.parents:
        lists = folder / "CMakeLists.txt"
        if lists.is_file():
            words = re.split(r"[\s()]+", re.sub(r"#.*", "", lists.read_text()))
            if str(path.relative_to(folder)) not in words:
                yield f"{path.relative_to(root)}: not listed in {lists.relative_to(root)}"
            return
    yield f"{path.relative_to(root)}: no CMakeLists.txt above it"


def functions(text):
    """Free functions that the text defines or declares: {name: whether in an anonymous namespace}."""
    found, anonymous = {}, False
    for line in text.splitlines():
        if line == "namespace {":
            anonymous = True
        elif line == "}  // namespace":
            anonymous = False
        elif match := FUNCTION.match(line):
            found[match[1]] = anonymous
    return found


def check_unity(root, lists):
    """A source that is compiled with others as one does not overload what one of them calls."""
    text = re.sub(r"#.*", "", lists.read_text())
    alone = {word for call in re.findall(r"\bocfsgw_alone\(([^)]*)\)", text) for word in call.split()}
    for call in re.findall(r"\b\w+\(([^)]*\.cc\b[^)]*)\)", text):
        sources = [lists.parent / word for word in call.split() if word.endswith(".cc") and word not in alone]
        sources = [source for source in sources if source.is_file()]
        if len(sources) < 2:
            continue
        known = {}
        for path in [*lists.parent.glob("*.h"), *sources]:
            for name, anonymous in functions(path.read_text()).items():
                other, other_anonymous = known.setdefault(name, (path, anonymous))
                if other != path and other.with_suffix("") != path.with_suffix("") and (anonymous or other_anonymous):
                    yield f"{path.relative_to(root)}: {name}() is also in {other.name}, rename it or use ocfsgw_alone"


def violations(root):
    root = pathlib.Path(root)
    for folder in ALL:
        for path in files(root, folder, ".h", ".cc"):
            text = path.read_text()
            yield from check_includes(root, folder, path, text)
            if path.suffix == ".h" and "#pragma once" not in text.splitlines():
                yield f"{path.relative_to(root)}: no #pragma once"
            if path.suffix == ".cc":
                yield from check_listed(root, path)
        for path in files(root, folder, ".cpp", ".cxx", ".hpp", ".c"):
            yield f"{path.relative_to(root)}: sources are called .h and .cc"
    for folder in UNITY:
        for lists in (root / folder).rglob("CMakeLists.txt"):
            yield from check_unity(root, lists)
    for folder in ALL + ["scripts", "cmake"]:
        for path in files(root, folder, ".h", ".cc", ".py", ".sh", ".cmake", ""):
            lines = path.read_bytes().count(b"\n")
            if lines > LINES_MAX:
                yield f"{path.relative_to(root)}: {lines} lines, more than {LINES_MAX}"


if __name__ == "__main__":
    found = list(violations(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) if found else "no violations")
    sys.exit(1 if found else 0)
