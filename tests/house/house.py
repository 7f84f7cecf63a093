#!/usr/bin/env python3
"""Checks the tree against the rules of its layout, and itself against trees that break them.

  house.py ROOT     checks the tree at ROOT; exits with 1 and one line per violation
  house.py --self   checks that every rule finds what breaks it

The rules: the top level holds the agreed entries alone. The library's folders include in one
direction. What lies directly in runtime/, graph/ or ops/ is public and includes neither what lies in
a folder below them nor the libraries behind gradmill. Pairs x.h and x.cpp include in one direction,
too, and a source defines what its own header declares. Files stay short. runtime/ and graph/ name
no op.
"""

import os
import re
import subprocess
import sys
import tempfile

# Besides dotfiles.
TOP_LEVEL = {"runtime", "graph", "ops", "tests", "bench", "tools", "gradmill.h", "CMakeLists.txt",
             "CMakePresets.json", "README.md", "LICENSE"}
BUILD_FOLDER = "build"  # where git does not say what is ignored

# Arrows point one way: what each folder of the library may include of the others.
LAYERS = {
    "runtime": {"runtime"},
    "graph": {"graph", "runtime"},
    "ops": {"ops", "graph", "runtime"},
    "": {"ops", "graph", "runtime"},  # gradmill.h
}
FOLDERS = ("runtime", "graph", "ops")
UMBRELLA = "gradmill.h"
PROGRAMS = ("tools/", "bench/", "tests/")
SOURCES = (".h", ".cpp")

SPDLOG_OWNER = "runtime/log.cpp"
ONLY_IN_CPP = re.compile(r"^(nlohmann/|zlib\.h$)")
NOT_IN_PUBLIC_HEADERS = re.compile(
    r"^(tbb/|oneapi/|dnnl|hwy/|spdlog/|mpi|google/|Eigen/|omp\.h$|CLI/)")

# A graph knows its values, a value its graph, and both know ops.
ALLOWED_CIRCLE = {"graph/graph", "graph/op", "graph/value"}

MAX_LINES = 400
MAX_LINES_OF_OP = 300  # directly in ops/

# Distinctive words that only an op or an optimizer goes by. Everyday words (add, sum, max, linear)
# are looked for as whole string literals only, which is how a node's op would be compared.
OP_WORDS = ("matmul", "relu", "sigmoid", "softmax", "log_softmax", "cross_entropy", "layer_norm",
            "embedding", "attention", "conv2d", "pool2d", "dropout", "sgd", "SGD", "adamw", "AdamW")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
# What formatted code has at the start of a line, outside of classes and functions.
ANONYMOUS = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.DOTALL | re.MULTILINE)
PER_TARGET = re.compile(r"^HWY_BEFORE_NAMESPACE.*?^HWY_AFTER_NAMESPACE", re.DOTALL | re.MULTILINE)
FUNCTION = re.compile(
    r"^(?!namespace|using|typedef|static|return|template|class |struct |enum |else|#)"
    r"[A-Za-z_](?:[^;{}()=\"#]|operator[^\w\s(]+)*?(?<![\w.])"
    r"((?:\w+::)*~?(?:operator *[^\w\s(]+|\w+))\(", re.MULTILINE)
CLASS = re.compile(r"\b(?:class|struct)\s+(?:alignas\([^)]*\)\s*)?(?:[A-Z_]+_API\s+)?(\w+)"
                   r"(?:\s+final)?\s*(?::[^;{]*)?\{")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sources(root, folder):
    for directory, _, names in os.walk(os.path.join(root, folder)):
        for name in sorted(names):
            if name.endswith(SOURCES):
                path = os.path.join(directory, name)
                yield os.path.relpath(path, root), read(path)


def library_of(root):
    files = {path: text for folder in FOLDERS for path, text in sources(root, folder)}
    if os.path.exists(os.path.join(root, UMBRELLA)):
        files[UMBRELLA] = read(os.path.join(root, UMBRELLA))
    return files


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def without_comments(text):
    """The code, line by line, with comments blanked and string literals kept."""
    return TOKEN.sub(lambda match: match.group() if match.group().startswith('"')
                     else re.sub(r"[^\n]", " ", match.group()), text)


def path_in_tree(include):
    """Where <gradmill/...> lies in the tree."""
    return include.removeprefix("gradmill/")


def layer_of(path):
    return path.split("/")[0] if "/" in path else ""


def is_internal(path):
    return path.count("/") > 1


def is_public_header(path):
    return path.endswith(".h") and not is_internal(path)


def pair_of(path):
    """x of x.h, x.cpp and x-inl.h: these know each other."""
    return re.sub(r"(-inl)?\.(h|cpp)$", "", path)


def names_at_top(root):
    """What is tracked or new; all that is there where git does not tell."""
    command = ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"]
    if os.path.exists(os.path.join(root, ".git")):
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            paths = listed.stdout.splitlines()
            return {path.split("/")[0] for path in paths
                    if os.path.lexists(os.path.join(root, path))}
    return set(os.listdir(root)) - {BUILD_FOLDER}


def op_names(library):
    """What the ops call themselves: the literals that their name() returns."""
    names = set()
    for path, text in library.items():
        if layer_of(path) == "ops":
            names |= set(re.findall(r'name\(\)\s*const\s*override\s*\{\s*return\s*"(\w+)"', text))
    return names


def check_top_level(root):
    for name in sorted(names_at_top(root)):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield f"{name}: is none of the entries of the top level"


def check_includes(path, text):
    layer = layer_of(path)
    for number, quoted, name in includes(text):
        where = f"{path}:{number}: "
        if quoted:
            yield where + f'"{name}" is included with quotes; the library uses <gradmill/...>'
        if name.startswith(PROGRAMS) or "../" in name:
            yield where + f"the library includes {name}, which is not the library's"
        if name.startswith("gradmill/"):
            target = path_in_tree(name)
            if layer_of(target) not in LAYERS[layer]:
                yield where + f"{layer or UMBRELLA} may not include {layer_of(target) or UMBRELLA}"
            if is_public_header(path) and is_internal(target):
                yield where + f"a public header includes {name}, which is internal"
        if is_public_header(path) and NOT_IN_PUBLIC_HEADERS.match(name):
            yield where + f"a public header includes {name}"


def check_private_libraries(path, text):
    for number, _, name in includes(text):
        if name.startswith("spdlog/") and path != SPDLOG_OWNER:
            yield f"{path}:{number}: only {SPDLOG_OWNER} includes spdlog"
        if ONLY_IN_CPP.match(name) and not path.endswith(".cpp"):
            yield f"{path}:{number}: {name} belongs in .cpp files"


def check_length(path, text):
    lines = text.count("\n")
    most = MAX_LINES_OF_OP if layer_of(path) == "ops" and not is_internal(path) else MAX_LINES
    if lines > most:
        yield f"{path}: has {lines} lines; the limit is {most}"


def check_no_op_named(path, text, names):
    words = re.compile(r"\b(" + "|".join(OP_WORDS) + r")\b")
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for word in words.findall(line):
            yield f"{path}:{number}: {layer_of(path)}/ names the op {word}"
        for literal in re.findall(r'"(\w+)"', line):
            if literal in names and not words.search(literal):
                yield f'{path}:{number}: {layer_of(path)}/ names the op "{literal}"'


def edges_of(library):
    """For each pair, the pairs that it includes, and the line that does."""
    edges = {pair_of(path): {} for path in library}
    for path, text in sorted(library.items()):
        for number, _, name in includes(text):
            target = pair_of(path_in_tree(name))
            if name.startswith("gradmill/") and target in edges and target != pair_of(path):
                edges[pair_of(path)].setdefault(target, f"{path}:{number}")
    return edges


def path_between(edges, start, end):
    """The shortest list of pairs from start to end, each of which includes the next; or None."""
    came_from, queue = {}, [start]
    for node in queue:
        for target in sorted(edges[node]):
            if target in came_from:
                continue
            came_from[target] = node
            if target == end:
                path = [end]
                while len(path) == 1 or path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            queue.append(target)
    return None


def check_circles(library):
    """One line for each set of pairs that reach each other by includes."""
    edges = edges_of(library)
    reported = set()
    for node in sorted(set(edges) - ALLOWED_CIRCLE):
        circle = path_between(edges, node, node)
        if circle is None or node in reported:
            continue
        reported |= {other for other in edges if path_between(edges, node, other) and
                     path_between(edges, other, node)}
        yield f"{edges[node][circle[1]]}: a circle of includes: " + " -> ".join(circle)


def functions_of(text):
    """The functions that stand at the start of a line: each name, and the line that has it.

    Members go by "Class::name", as a source defines them.
    """
    code = text
    for pattern in (PER_TARGET, ANONYMOUS):
        code = pattern.sub(lambda match: "\n" * match.group().count("\n"), code)
    code = without_comments(code)
    for match in FUNCTION.finditer(code):
        yield match.group(1), code.count("\n", 0, match.start(1)) + 1


def check_definitions(library):
    """A source defines functions that its own header declares, or that no header does."""
    declared, classes = {}, {}  # by name, the pairs whose headers have it
    for path, text in library.items():
        if path.endswith(".h"):
            for name, _ in functions_of(text):
                declared.setdefault(name, set()).add(pair_of(path))
        for name in CLASS.findall(without_comments(text)):
            classes.setdefault(name, set()).add(pair_of(path))
    for path, text in sorted(library.items()):
        if not path.endswith(".cpp"):
            continue
        for name, number in functions_of(text):
            owner = name.split("::")[0]
            pairs = classes.get(owner, set()) if "::" in name else declared.get(name, set())
            if pairs and pair_of(path) not in pairs:
                yield (f"{path}:{number}: defines {name}, which belongs to "
                       f"{' or '.join(sorted(pairs))}")


def violations(root):
    library = library_of(root)
    names = op_names(library)
    found = list(check_top_level(root))
    for path, text in library.items():
        found += check_includes(path, text)
        found += check_private_libraries(path, text)
        found += check_length(path, text)
        if layer_of(path) in ("runtime", "graph"):
            found += check_no_op_named(path, text, names)
    found += check_circles(library)
    found += check_definitions(library)
    for folder in ("tools", "bench"):  # tests may look into logs and files as they like
        for path, text in sources(root, folder):
            found += check_private_libraries(path, text)
    return found


GOOD = {
    "README.md": "", ".gitignore": "build/\n", "build/junk": "",
    "gradmill.h": "#include <gradmill/ops/add.h>\n",
    "runtime/log.cpp": "#include <spdlog/spdlog.h>\n#include <gradmill/runtime/log.h>\n"
                       "namespace {\nint level(int) { return 0; }\n}  // namespace\n"
                       "int Log::count() const { return 1; }\n",
    "runtime/log.h": "#include <string>\n// matmul is fine in a comment: \"relu\"\n"
                     "class GRADMILL_API Log {\n  int count() const;\n};\n",
    "runtime/threads/workers.h": "#pragma once\n\n#include <tbb/task.h>\n",
    "runtime/threads/workers.cpp": "#include <gradmill/runtime/threads/workers.h>\n",
    "runtime/io/files.cpp": "#include <nlohmann/json.hpp>\n#include <zlib.h>\n",
    "runtime/level.h": "int level(int);\nstd::string to_string(Level);\n",
    "runtime/place.h": "std::string to_string(Place place,\n                      int more);\n",
    "runtime/place.cpp": "#include <gradmill/runtime/place.h>\n"
                         "std::string to_string(Place place, int more) { return {}; }\n",
    "graph/graph.h": "#include <gradmill/runtime/log.h>\nint add(int);\n",
    "graph/graph.cpp": "#include <gradmill/graph/op.h>\n",
    "graph/op.h": "#include <gradmill/graph/value.h>\n",
    "graph/value.h": "#include <gradmill/graph/graph.h>\n",
    "ops/add.h": "#include <gradmill/graph/graph.h>\nValue operator+(Value a, Value b);\n",
    "ops/add.cpp": "#include <gradmill/ops/add.h>\n#include <hwy/highway.h>\n"
                   "#include <gradmill/ops/add-inl.h>\n#include <gradmill/ops/add/loops.h>\n"
                   'std::string_view name() const override { return "add"; }\n'
                   "Value operator+(Value a, Value b) { return a; }\n"
                   "HWY_BEFORE_NAMESPACE();\nint level(int) {}\nHWY_AFTER_NAMESPACE();\n",
    "ops/add-inl.h": "#include <gradmill/ops/add.h>\n",
    "ops/add/loops.h": "#include <hwy/base.h>\n" + "\n" * 399,
    "tools/main.cpp": "#include <gradmill/gradmill.h>\n#include <CLI/CLI.hpp>\n",
    "tests/log_test.cpp": "#include <spdlog/spdlog.h>\n",
}

BAD = [  # a file, its text, and what must be said about it
    ("gradmill/log.h", "", "gradmill: is none of the entries"),
    ("notes.txt", "", "notes.txt: is none of the entries"),
    ("runtime/a.cpp", "#include <gradmill/graph/graph.h>\n", "may not include graph"),
    ("runtime/a.cpp", "#include <gradmill/ops/add.h>\n", "may not include ops"),
    ("runtime/a/b/c.cpp", "#include <gradmill/ops/add.h>\n", "may not include ops"),
    ("runtime/a.h", "#include <gradmill/gradmill.h>\n", "may not include gradmill.h"),
    ("graph/a.cpp", "  #  include <gradmill/ops/add.h>\n", "may not include ops"),
    ("graph/a.cpp", "#include <gradmill/extra/a.h>\n", "may not include extra"),
    ("gradmill.h", "#include <gradmill/tools/a.h>\n", "may not include tools"),
    ("ops/a.cpp", '#include "add.h"\n', "with quotes"),
    ("ops/a.cpp", "#include <tools/args.h>\n", "not the library's"),
    ("ops/a.cpp", '#include "../../bench/step_options.h"\n', "not the library's"),
    ("runtime/a.cpp", "#include <spdlog/sinks/null_sink.h>\n", "includes spdlog"),
    ("tools/a.cpp", "#include <spdlog/spdlog.h>\n", "includes spdlog"),
    ("runtime/io/a.h", "#include <nlohmann/json.hpp>\n", "in .cpp files"),
    ("tools/a.h", "#include <zlib.h>\n", "in .cpp files"),
    ("ops/a.h", "#include <tbb/task_arena.h>\n", "a public header includes tbb/"),
    ("ops/a.h", "#include <oneapi/dnnl/dnnl.hpp>\n", "a public header includes oneapi/"),
    ("ops/a.h", "#include <dnnl.h>\n", "a public header includes dnnl.h"),
    ("ops/a.h", "#include <hwy/highway.h>\n", "a public header includes hwy/"),
    ("graph/a.h", "#include <spdlog/spdlog.h>\n", "a public header includes spdlog/"),
    ("runtime/a.h", "#include <mpi.h>\n", "a public header includes mpi.h"),
    ("graph/a.h", "#include <google/protobuf/any.h>\n", "a public header includes google/"),
    ("gradmill.h", "#include <Eigen/Core>\n", "a public header includes Eigen/"),
    ("ops/a.h", "#include <gradmill/runtime/threads/workers.h>\n", "which is internal"),
    ("gradmill.h", "#include <gradmill/ops/add/loops.h>\n", "which is internal"),
    ("ops/add/a.h", "\n" * 401, "has 401 lines; the limit is 400"),
    ("ops/a.cpp", "\n" * 301, "has 301 lines; the limit is 300"),
    ("graph/a.cpp", "int matmul(int);\n", "names the op matmul"),
    ("runtime/profile/a.cpp", "struct AdamW {};\n", "names the op AdamW"),
    ("graph/a.cpp", 'bool b = op->name() == "add";\n', 'names the op "add"'),
    ("graph/a.cpp", 'auto s = "// x"; auto t = "softmax";\n', "names the op softmax"),
    # The source of one pair, the header of another.
    ("ops/add/loops.cpp", "\n#include <gradmill/ops/add.h>\n",
     "ops/add.cpp:4: a circle of includes: ops/add -> ops/add/loops -> ops/add"),
    ("ops/add/loops-inl.h", "#include <gradmill/ops/add.h>\n",
     "ops/add.cpp:4: a circle of includes: ops/add -> ops/add/loops -> ops/add"),
    ("runtime/log.h", "#include <gradmill/graph/op.h>\n",
     "runtime/log -> graph/op -> graph/value -> graph/graph -> runtime/log"),
    ("runtime/a.cpp", "int level(int) {\n}\n", ":1: defines level, which belongs to runtime/level"),
    ("runtime/a.cpp", "\nint Log::count() const {\n}\n",
     ":2: defines Log::count, which belongs to runtime/log"),
    ("ops/a.cpp", "Value operator+(Value a, Value b) {\n}\n",
     "defines operator+, which belongs to ops/add"),
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
            if not any(line.startswith(path.split("/")[0]) and expected in line for line in found):
                failures.append(f"{path} with {text!r}: expected '{expected}', found {found}")
    return failures


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self":
        found = self_test()
    else:
        if not all(os.path.isdir(os.path.join(sys.argv[1], folder)) for folder in FOLDERS):
            sys.exit(f"{sys.argv[1]} is not the project's root")
        found = violations(sys.argv[1])
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
