#!/usr/bin/env python3
"""Compares the README files with what is there, and itself with README files that are wrong.

  check_readme.py ROOT COMMAND   checks those of the tree at ROOT, and the help of the gradmill command
  check_readme.py --self         checks that every rule finds what breaks it

readme_rules.py has the rules: the README's size; links, paths and headers that exist; the table of
ops and the ops of the headers; subcommands, options and workloads and those of the command; figures
that are written twice; folders; code that quotes a file; lines of CMake that a test builds.
"""

import os
import sys
import tempfile

from readme_rules import Command, Tree, violations


class MadeUpCommand:
    subcommands = ["train", "bench"]
    options = {"train": {"--help", "--lr", "--save"}, "bench": {"--help", "--save"}}
    shared = {"--help", "--version"}
    workloads = ["mlp-small", "mlp"]


GOOD = {
    "README.md": """# It
| workload | ms |
| --- | --- |
| `mlp` | 3.1 |

See [bench](bench/README.md#the-workloads), [how](#use-it), [twice](ops/twice.h), <gradmill/ops/twice.h>,
`tools/test.sh` and `gradmill train --lr 1`; `--save` and `GRADMILL_LOG` too.

## Use it
```cmake
target_link_libraries(my_program PRIVATE it)
```
```sh
cmake -S . -DWITH_TESTS=ON   # --what comes here is no option
build/release/tools/gradmill train --lr 1 \\
  --save x
bash tools/test.sh --all
build/release/bench/ops_bench
```
```cpp
gradmill::Options options({.size = 3});
```

## Ops
| family | ops |
| --- | --- |
| all | `twice` |

## Layout
| folder | |
| --- | --- |
| [runtime](runtime), [graph](graph), [ops](ops/README.md) | the library |
| `tools`, `bench`, `tests` | the rest |

| run | |
| --- | --- |
| `tools/test.sh --all` | what runs on a change (`.ci/run`) |
""",
    "ops/README.md": """# Ops
## The ops
| op | what | header |
| --- | --- | --- |
| `twice` | 2x | [twice.h](twice.h) |

## Add one
```cpp ops/twice.h
/// Doubles.
```
`Options::size` says how.

## The folders
| folder | |
| --- | --- |
| `simd` | vectors |
""",
    "bench/README.md": """# Speed
| workload | ms | more |
| --- | --- | --- |
| `mlp` | 3.1 | 5 |

## The workloads
| workload | one step |
| --- | --- |
| `mlp-small`, `mlp` | layers |

## The columns
| column | meaning |
| --- | --- |
| `ms` | time |
""",
    "tools/README.md": """# Tools
`tools/test.sh` runs the tests.
## Options that several subcommands have
- `--save`: where to.
## `train`
- `--lr`: the rate.
## `bench`
Measures.
""",
    "ops/twice.h": """/// Doubles.
GRADMILL_API Value twice(Value x);
// Internal
GRADMILL_API Value hidden(Value x);
""",
    "ops/simd/exp.h": "",
    "graph/options.h": "struct Options { int size; };\n",
    "runtime/log.cpp": 'getenv("GRADMILL_LOG")\n',
    "tools/test.sh": "--all) ;;\n",
    "tools/commands/bench_table.cpp": 'title("ms");\n',
    "bench/ops_bench.cpp": "",
    "tests/consumer/project/CMakeLists.txt": "target_link_libraries(consumer PRIVATE it)\n",
    "CMakeLists.txt": "option(WITH_TESTS)\n",
    ".ci/run": "tools/test.sh --all\n",
}

BAD = [  # the file, what is replaced in it, by what, and what must be found
    ("README.md", "# It", "# It" + 10_240 * "!", "more than 10240"),
    ("README.md", "(ops/twice.h)", "(ops/thrice.h)", "README.md: ops/thrice.h is not there"),
    ("README.md", "(ops/twice.h)", "(ops/simd/exp.h)", "ops/simd/exp.h is internal"),
    ("README.md", "#the-workloads", "#the-works", "no heading for bench/README.md#the-works"),
    ("README.md", "(#use-it)", "(#use)", "no heading for #use"),
    ("README.md", "`tools/test.sh`", "`tools/tests.sh`", "tools/tests.sh is not there"),
    ("README.md", "bash tools/test.sh", "bash tools/tests.sh", "tools/tests.sh is not there"),
    ("README.md", "bench/ops_bench", "bench/op_bench", "there is no bench/op_bench.cpp"),
    ("README.md", "<gradmill/ops/twice.h>", "<gradmill/ops/simd/exp.h>", "exp.h> is no public header"),
    ("ops/README.md", "| `twice`", "| `thrice`", "lacks twice of twice.h"),
    ("ops/README.md", "| `twice`", "| `twice` `hidden`", "has hidden in twice.h"),
    ("ops/README.md", "[twice.h](twice.h)", "[twice.h](simd/exp.h)", "has twice in simd/exp.h"),
    ("ops/twice.h", "Value twice", "Value other(Value);\nGRADMILL_API Value twice", "lacks other of"),
    ("README.md", "| `twice`", "| `thrice`", "README.md: thrice is no op"),
    ("README.md", "`gradmill train --lr 1`", "`gradmill bench --lr 1`", "bench has no --lr"),
    ("README.md", "`gradmill train --lr 1`", "`bench --lr 1`", "bench has no --lr"),
    ("README.md", "`gradmill train --lr 1`", "`gradmill trian --lr 1`", "no subcommand trian"),
    ("README.md", "  --save x", "  --load x", "train has no --load"),
    ("README.md", "`--save`", "`--load`", "README.md: --load is no option"),
    ("README.md", "test.sh --all\n", "test.sh --most\n", "tools/test.sh has no --most"),
    ("tools/README.md", "## `bench`", "## bench", "no section for bench"),
    ("tools/README.md", "- `--lr`", "- rate", "train lacks --lr"),
    ("tools/README.md", "Measures.", "- `--lr`: no.", "bench has no --lr"),
    ("bench/README.md", "| `mlp-small`, `mlp`", "| `mlp`", "lacks the workload mlp-small"),
    ("bench/README.md", "| `mlp-small`,", "| `mlp-small`, `cnn`,", "cnn is no workload"),
    ("bench/README.md", "| `mlp` | 3.1", "| `mlp-big` | 3.1", "mlp-big is no workload"),
    ("README.md", "| 3.1", "| 3.0", "has another row of `mlp`"),
    ("bench/README.md", "| `ms`", "| `us`", "us is no column"),
    ("README.md", "`bench`, `tests`", "`bench`, `test`", "README.md: there is no folder test"),
    ("README.md", "`bench`, `tests`", "`bench`", "README.md: the folder tests is not listed"),
    ("ops/README.md", "| `simd`", "| `vectors`", "ops/README.md: there is no folder vectors"),
    ("tools/README.md", "`tools/test.sh`", "A script", "the script test.sh is not listed"),
    (".ci/run", "--all", "--some", ".ci/run does not run --all"),
    ("ops/README.md", "/// Doubles.", "/// Doubles it.", "has not the lines that are quoted"),
    ("ops/README.md", "cpp ops/twice.h", "cpp ops/thrice.h", "which is quoted, is not there"),
    ("README.md", "my_program PRIVATE", "my_program PUBLIC", "no test has the line"),
    ("README.md", "-DWITH_TESTS", "-DWITH_BENCH", "does not know WITH_BENCH"),
    ("README.md", ".size = 3", ".length = 3", "no public header has length"),
    ("README.md", "gradmill::Options", "gradmill::Settings", "no public header has Settings"),
    ("ops/README.md", "`Options::size`", "`Options::length`", "no public header has length"),
    ("README.md", "GRADMILL_LOG", "GRADMILL_LOGS", "nothing reads GRADMILL_LOGS"),
]


def found_in(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return violations(Tree(root, MadeUpCommand()))


def self_test():
    failures = [f"found in a good tree: {line}" for line in found_in(GOOD)]
    for path, old, new, wanted in BAD:
        assert old in GOOD[path], old
        found = found_in({**GOOD, path: GOOD[path].replace(old, new)})
        if not any(wanted in line for line in found):
            failures.append(f"{path}: {old!r} -> {new[:80]!r}: expected '{wanted}', found {found}")
    return failures


def main():
    if sys.argv[1:] == ["--self"]:
        found = self_test()
    elif len(sys.argv) == 3:
        found = violations(Tree(sys.argv[1], Command(sys.argv[2])))
    else:
        sys.exit(__doc__)
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
