#!/usr/bin/env python3
"""Compares the README with what is there: check_readme.py ROOT COMMAND

Its table of ops with the functions of the public headers, its options with the command's help, and
its links with the files of the tree.
"""

import os
import re
import subprocess
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def public_ops(root):
    """Functions that return Values, or a struct of them, header by header, less what is marked internal."""
    ops = {}
    folder = os.path.join(root, "gradmill", "ops")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".h"):
            public = read(os.path.join(folder, name)).split("// Internal")[0]
            declared = r"^GRADMILL_API (?:Value|std::vector<Value>|ClippedGradients) (\w+)\("
            for op in re.findall(declared, public, re.MULTILINE):
                ops[op] = name
    return ops


def table_of_ops(readme):
    ops = {}
    section = readme.split("\n## Ops\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| (`.*?) \|.*\(gradmill/ops/(\S+)\) \|$", section, re.MULTILINE):
        for op in re.findall(r"`(\w+)`", row[0]):
            ops[op] = row[1]
    return ops


def main():
    root, command = sys.argv[1:]
    readme = read(os.path.join(root, "README.md"))
    found = []

    there, told = public_ops(root), table_of_ops(readme)
    found += [f"the table of ops lacks {op} of {there[op]}" for op in there if op not in told]
    found += [f"the table of ops has {op} in {told[op]}, the headers have not"
              for op in told if there.get(op) != told[op]]

    known = {"--install", "--build", "--all"}  # of cmake, tools/test.sh
    for sub in ([], ["train"], ["eval"], ["generate"], ["plan"], ["profile"], ["gradcheck"],
                ["bench"], ["tune"]):
        text = subprocess.run([command, *sub, "--help"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        known |= set(re.findall(r"--[a-z][a-z-]*", text))
    found += [f"{option} is no option" for option in
              sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", readme)) - known)]

    found += [f"{link} is not there" for link in re.findall(r"\]\(([^)#:]+)\)", readme)
              if not os.path.exists(os.path.join(root, link))]

    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
