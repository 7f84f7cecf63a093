#!/usr/bin/env python3
"""Checks the tree against the rules of its layout, and itself against trees that break them.

  house.py ROOT     checks the tree at ROOT; exits with 1 and one line a violation
  house.py --self   checks that every rule finds what breaks it
"""

import os
import re
import sys
import tempfile

# Arrows point one way: what each folder of the library may include of the others.
LAYERS = {
    "runtime": {"runtime"},
    "graph": {"graph", "runtime"},
    "profile": {"profile", "runtime"},
    "ops": {"ops", "graph", "runtime"},
    "": {"ops", "graph", "profile", "runtime"},  # gradmill/gradmill.h
}
PROGRAMS = ("tools", "bench", "tests")
SOURCES = (".h", ".cpp")

SPDLOG_OWNER = "gradmill/runtime/log.cpp"
ONLY_IN_CPP = re.compile(r"^(nlohmann/|zlib\.h$)")
NOT_IN_PUBLIC_HEADERS = re.compile(r"^(tbb/|oneapi/|dnnl|hwy/|spdlog/|Eigen/|omp\.h$|CLI/)")

# Distinctive words that only an op or an optimizer goes by. Everyday words (add, sum, max, linear)
# are looked for as whole string literals only, which is how a node's op would be compared.
OP_WORDS = ("matmul", "relu", "sigmoid", "softmax", "log_softmax", "cross_entropy", "layer_norm",
            "embedding", "attention", "conv2d", "pool2d", "dropout", "sgd", "SGD", "adamw", "AdamW")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
INTERNAL_LINES = 8  # a header says "// Internal" at its top, or is public and installed


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sources(root, folder):
    for directory, _, names in os.walk(os.path.join(root, folder)):
        for name in sorted(names):
            if name.endswith(SOURCES):
                path = os.path.join(directory, name)
                yield os.path.relpath(path, root), read(path)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def is_internal(text):
    return any(line.startswith("// Internal") for line in text.splitlines()[:INTERNAL_LINES])


def without_comments(text):
    """The code, line by line, with comments blanked and string literals kept."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return token.sub(lambda match: match.group() if match.group().startswith('"')
                     else re.sub(r"[^\n]", " ", match.group()), text)


def layer_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def op_names(root):
    """What the ops call themselves: the literals that their name() returns."""
    names = set()
    for _, text in sources(root, "gradmill/ops"):
        names |= set(re.findall(r'name\(\)\s*const\s*override\s*\{\s*return\s*"(\w+)"', text))
    return names


def check_includes(path, text, internal_headers):
    layer = layer_of(path)
    public = path.endswith(".h") and not is_internal(text)
    for number, quoted, name in includes(text):
        where = f"{path}:{number}: "
        if quoted:
            yield where + f'"{name}" is included with quotes; the library uses <gradmill/...>'
        if name.startswith(PROGRAMS) or "../" in name:
            yield where + f"the library includes {name}, which is not the library's"
        if name.startswith("gradmill/"):
            target = layer_of(name)
            if layer not in LAYERS or target not in LAYERS[layer]:
                yield where + f"{layer or 'gradmill'}/ may not include {target or 'gradmill'}/"
            if public and name in internal_headers:
                yield where + f"a public header includes {name}, which is internal"
        if public and NOT_IN_PUBLIC_HEADERS.match(name):
            yield where + f"a public header includes {name}"


def check_private_libraries(path, text):
    for number, _, name in includes(text):
        if name.startswith("spdlog/") and path != SPDLOG_OWNER:
            yield f"{path}:{number}: only {SPDLOG_OWNER} includes spdlog"
        if ONLY_IN_CPP.match(name) and not path.endswith(".cpp"):
            yield f"{path}:{number}: {name} belongs in .cpp files"


def check_no_op_named(path, text, names):
    words = re.compile(r"\b(" + "|".join(OP_WORDS) + r")\b")
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for word in words.findall(line):
            yield f"{path}:{number}: {layer_of(path)}/ names the op {word}"
        for literal in re.findall(r'"(\w+)"', line):
            if literal in names and not words.search(literal):
                yield f'{path}:{number}: {layer_of(path)}/ names the op "{literal}"'


def violations(root):
    library = list(sources(root, "gradmill"))
    internal = {path for path, text in library if path.endswith(".h") and is_internal(text)}
    names = op_names(root)
    found = []
    for path, text in library:
        found += check_includes(path, text, internal)
        found += check_private_libraries(path, text)
        if layer_of(path) in ("runtime", "graph", "profile"):
            found += check_no_op_named(path, text, names)
    for folder in ("tools", "bench"):  # tests may look into logs and files as they like
        for path, text in sources(root, folder):
            found += check_private_libraries(path, text)
    return found


GOOD = {
    "gradmill/gradmill.h": "#include <gradmill/ops/add.h>\n",
    "gradmill/runtime/log.cpp": "#include <spdlog/spdlog.h>\n#include <gradmill/runtime/log.h>\n",
    "gradmill/runtime/log.h": "#include <string>\n// matmul is fine in a comment: \"relu\"\n",
    "gradmill/runtime/threads/workers.h": "#pragma once\n\n// Internal: oneTBB.\n#include <tbb/task.h>\n",
    "gradmill/runtime/threads/workers.cpp": "#include <gradmill/runtime/threads/workers.h>\n",
    "gradmill/runtime/io/files.cpp": "#include <nlohmann/json.hpp>\n#include <zlib.h>\n",
    "gradmill/graph/graph.h": "#include <gradmill/runtime/log.h>\nint add(int);\n",
    "gradmill/ops/add.h": "#include <gradmill/graph/graph.h>\n",
    "gradmill/ops/add.cpp": "#include <gradmill/ops/add.h>\n#include <hwy/highway.h>\n"
                            'std::string_view name() const override { return "add"; }\n',
    "tools/main.cpp": "#include <gradmill/gradmill.h>\n#include <CLI/CLI.hpp>\n",
    "tests/log_test.cpp": "#include <spdlog/spdlog.h>\n",
}

BAD = [  # a file, its text, and what must be said about it
    ("gradmill/runtime/a.cpp", "#include <gradmill/graph/graph.h>\n", "may not include graph/"),
    ("gradmill/runtime/a.cpp", "#include <gradmill/ops/add.h>\n", "may not include ops/"),
    ("gradmill/runtime/a.h", "#include <gradmill/gradmill.h>\n", "may not include gradmill/"),
    ("gradmill/graph/a.cpp", "  #  include <gradmill/ops/add.h>\n", "may not include ops/"),
    ("gradmill/profile/a.cpp", "#include <gradmill/graph/graph.h>\n", "may not include graph/"),
    ("gradmill/runtime/a.cpp", "#include <gradmill/profile/a.h>\n", "may not include profile/"),
    ("gradmill/profile/a.cpp", "int matmul(int);\n", "names the op matmul"),
    ("gradmill/extra/a.cpp", "#include <gradmill/ops/add.h>\n", "may not include ops/"),
    ("gradmill/ops/a.cpp", '#include "add.h"\n', "with quotes"),
    ("gradmill/ops/a.cpp", "#include <tools/args.h>\n", "not the library's"),
    ("gradmill/ops/a.cpp", '#include "../../bench/step_options.h"\n', "not the library's"),
    ("gradmill/runtime/a.cpp", "#include <spdlog/sinks/null_sink.h>\n", "includes spdlog"),
    ("tools/a.cpp", "#include <spdlog/spdlog.h>\n", "includes spdlog"),
    ("gradmill/runtime/a.h", "// Internal\n#include <nlohmann/json.hpp>\n", "in .cpp files"),
    ("tools/a.h", "#include <zlib.h>\n", "in .cpp files"),
    ("gradmill/ops/a.h", "#include <tbb/task_arena.h>\n", "a public header includes tbb/"),
    ("gradmill/ops/a.h", "#include <oneapi/dnnl/dnnl.hpp>\n", "a public header includes oneapi/"),
    ("gradmill/ops/a.h", "#include <dnnl.h>\n", "a public header includes dnnl.h"),
    ("gradmill/ops/a.h", "#include <hwy/highway.h>\n", "a public header includes hwy/"),
    ("gradmill/ops/a.h", "#include <spdlog/spdlog.h>\n", "a public header includes spdlog/"),
    ("gradmill/ops/a.h", "#include <gradmill/runtime/threads/workers.h>\n", "which is internal"),
    ("gradmill/graph/a.cpp", "int matmul(int);\n", "names the op matmul"),
    ("gradmill/runtime/a.cpp", "struct AdamW {};\n", "names the op AdamW"),
    ("gradmill/graph/a.cpp", 'bool b = op->name() == "add";\n', 'names the op "add"'),
    ("gradmill/graph/a.cpp", 'auto s = "// x"; auto t = "softmax";\n', "names the op softmax"),
]


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, GOOD)
        failures += [f"found in a good tree: {line}" for line in violations(root)]
    for path, text, expected in BAD:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {**GOOD, path: text})
            found = violations(root)
            if not any(line.startswith(path + ":") and expected in line for line in found):
                failures.append(f"{path} with {text!r}: expected '{expected}', found {found}")
    return failures


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self":
        found = self_test()
    else:
        if not os.path.isdir(os.path.join(sys.argv[1], "gradmill", "runtime")):
            sys.exit(f"{sys.argv[1]} is not the project's root")
        found = violations(sys.argv[1])
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
