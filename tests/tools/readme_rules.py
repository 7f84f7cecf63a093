"""What the README files claim, compared with what is there: see check_readme.py.

Each rule is a function of a Tree that yields one line for each claim that does not hold.
"""

import os
import re
import subprocess

MAX_BYTES = 10_240  # of the README at the top
LIBRARY = ("runtime", "graph", "ops")
OTHER_OPTIONS = {"--install", "--build"}  # of cmake
MADE = {"bench/peers/bin"}  # by bench/peers/setup.sh
NO_FOLDERS = re.compile(r"build.*|\..*|__pycache__|shared")

BLOCK = re.compile(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
PROGRAM = re.compile(r"(?:build/release/tools/)?gradmill ")
PUBLIC_OP = re.compile(
    r"^GRADMILL_API (?:Value|std::vector<Value>|ClippedGradients) (\w+)\(", re.MULTILINE)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Command:
    """What the command says of itself."""

    def __init__(self, program):
        self.program = program
        self.subcommands = re.findall(r"^  (\w+) ", self.text(["--help"]).split("Subcommands:")[1],
                                      re.MULTILINE)
        self.options = {name: set(OPTION.findall(self.text([name, "--help"])))
                        for name in self.subcommands}
        self.shared = set(OPTION.findall(self.text(["--help"])))
        refused = self.text(["bench", "--workload", "no-such-workload"], status=2)
        self.workloads = refused.split("there are ")[1].strip().split(", ")

    def text(self, arguments, status=0):
        done = subprocess.run([self.program, *arguments], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, f"{arguments}: exit status {done.returncode}"
        return done.stdout + done.stderr


class Page:
    """A README: `blocks` are its code as (language, quoted file, text), `prose` is the rest."""

    def __init__(self, root, path):
        self.path = path
        self.folder = os.path.dirname(path)
        self.text = read(os.path.join(root, path))
        self.blocks = BLOCK.findall(self.text)
        self.prose = BLOCK.sub("", self.text)
        self.code = CODE.findall(self.prose)

    def section(self, title):
        found = re.split(rf"^##+ {re.escape(title)}\n", self.text, flags=re.MULTILINE)
        return re.split(r"^## ", found[1], flags=re.MULTILINE)[0] if len(found) > 1 else ""

    def rows(self, title=None):
        """The tables' rows as lists of cells."""
        return self.split(self.text if title is None else self.section(title))

    @staticmethod
    def split(text):
        return [[cell.strip() for cell in line.strip("| \n").split(" | ")]
                for line in text.splitlines() if line.startswith("| ") and "---" not in line]

    def table(self, first):
        """The rows of the table whose first column has that title."""
        text = re.split(rf"^\| {first} \|.*\n", self.text, flags=re.MULTILINE)
        return Page.split(text[1].split("\n\n")[0]) if len(text) > 1 else []

    def commands(self):
        """What it calls: lines of shell blocks, and code between backticks."""
        for language, _, text in self.blocks:
            if language == "sh":
                for line in text.replace("\\\n", " ").splitlines():
                    yield from (part.strip() for part in re.split(r"; (?:do )?", line.split(" #")[0]))
        yield from self.code


class Tree:
    def __init__(self, root, command):
        self.root = root
        self.command = command
        folders = [""] + sorted(self.folders(""))
        self.pages = [Page(root, os.path.join(folder, "README.md")) for folder in folders
                      if self.has(os.path.join(folder, "README.md"))]

    def has(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def text(self, path):
        return read(os.path.join(self.root, path)) if self.has(path) else ""

    def names(self, folder):
        return os.listdir(os.path.join(self.root, folder))

    def folders(self, folder):
        return {name for name in self.names(folder) if not NO_FOLDERS.fullmatch(name)
                and os.path.isdir(os.path.join(self.root, folder, name))}

    def page(self, path):
        return next((page for page in self.pages if page.path == path), None)

    def public_headers(self):
        return [f"{folder}/{name}" for folder in LIBRARY for name in sorted(self.names(folder))
                if name.endswith(".h")]

    def public_ops(self):
        """Functions that return values, each with its header."""
        return {op: path[len("ops/"):] for path in self.public_headers() if path.startswith("ops/")
                for op in PUBLIC_OP.findall(re.split(r"^// Internal", self.text(path),
                                                     flags=re.MULTILINE)[0])}


def size(tree):
    count = len(tree.page("README.md").text.encode())
    if count > MAX_BYTES:
        yield f"README.md has {count} bytes, more than {MAX_BYTES}"


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def links(tree):
    for page in tree.pages:
        for link in LINK.findall(page.prose):
            if re.match(r"https?://", link):
                continue
            target, _, place = link.partition("#")
            path = os.path.normpath(os.path.join(page.folder, target)) if target else page.path
            if not tree.has(path):
                yield f"{page.path}: {link} is not there"
            elif page.folder == "" and path.endswith(".h") and path.startswith(LIBRARY):
                if path.count("/") > 1:
                    yield f"{page.path}: {link} is internal"
            elif place and place not in map(anchor, re.findall(r"^#+ (.*)$", tree.text(path),
                                                               re.MULTILINE)):
                yield f"{page.path}: {path} has no heading for {link}"


def paths(tree):
    """Paths from the top that are named as code or called, and headers as they are included."""
    for page in tree.pages:
        code = page.code + [text for _, _, text in page.blocks]
        for path in re.findall(r"(?<![\w./<-])(?:tests|tools|bench|runtime|graph|ops|\.ci)/[\w./-]*",
                               "\n".join(code)):
            if not tree.has(path.rstrip(".")) and path not in MADE:
                yield f"{page.path}: {path} is not there"
        for name in re.findall(r"build/release/bench/(\w+)", page.text):
            if not tree.has(f"bench/{name}.cpp"):
                yield f"{page.path}: there is no bench/{name}.cpp"
        for name in re.findall(r"<gradmill/([\w./-]+)>", page.text):
            if name not in ["gradmill.h", *tree.public_headers()]:
                yield f"{page.path}: <gradmill/{name}> is no public header"


def ops(tree):
    there = tree.public_ops()
    named = {}
    for row in tree.page("ops/README.md").rows("The ops"):
        header = LINK.findall(row[-1])
        for op in re.findall(r"`(\w+)`", row[0]):
            named[op] = header[-1] if header else "no header"
    yield from (f"ops/README.md lacks {op} of {there[op]}" for op in there if op not in named)
    yield from (f"ops/README.md has {op} in {named[op]}, the headers have not"
                for op in named if there.get(op) != named[op])
    yield from (f"ops/README.md names no {path}" for path in tree.public_headers()
                if path.startswith("ops/") and f"]({path[4:]})" not in tree.text("ops/README.md"))
    for row in tree.page("README.md").rows("Ops"):
        yield from (f"README.md: {op} is no op" for op in re.findall(r"`(\w+)`", row[-1])
                    if op not in there)


def options(tree):
    command = tree.command
    known = OTHER_OPTIONS | command.shared | set().union(*command.options.values())
    for page in tree.pages:
        for call in page.commands():
            words = PROGRAM.sub("", call, count=1).split()
            used = OPTION.findall(call)
            if words and words[0] in command.subcommands:
                yield from (f"{page.path}: {words[0]} has no {option}" for option in used
                            if option not in command.options[words[0]] | command.shared)
            elif PROGRAM.match(call) and words[0] not in command.shared:
                yield f"{page.path}: gradmill has no subcommand {words[0]}"
            elif "test.sh" in call:
                yield from (f"{page.path}: tools/test.sh has no {option}" for option in used
                            if not re.search(rf"{option}\b", tree.text("tools/test.sh")))
            else:
                yield from (f"{page.path}: {option} is no option" for option in used
                            if option not in known)


def every_option(tree):
    """tools/README.md has a section for each subcommand, which names its options."""
    page = tree.page("tools/README.md")
    shared = set(OPTION.findall(page.section("Options that several subcommands have")))
    for name, there in tree.command.options.items():
        section = page.section(f"`{name}`")
        if not section:
            yield f"tools/README.md has no section for {name}"
            continue
        yield from (f"tools/README.md: {name} lacks {option}"
                    for option in sorted(there - {"--help"} - shared - set(OPTION.findall(section))))
        leading = re.findall(r"^- (.*?)(?:: |\. |$)", section, re.MULTILINE)
        for option in OPTION.findall("\n".join(leading)):
            if option not in there | tree.command.shared:
                yield f"tools/README.md: {name} has no {option}"


def workloads(tree):
    there = tree.command.workloads
    named = [name for row in tree.page("bench/README.md").rows("The workloads")[1:]
            for name in re.findall(r"`([\w-]+)`", row[0])]
    yield from (f"bench/README.md lacks the workload {name}" for name in there if name not in named)
    yield from (f"bench/README.md: {name} is no workload" for name in named if name not in there)
    for page in tree.pages:
        for row in page.rows():
            name = re.match(r"`([a-z0-9_]+-[\w-]+)`", row[0])
            if page.folder in ("", "bench") and name and name[1] not in there:
                yield f"{page.path}: {name[1]} is no workload"


def measured(tree):
    """The README's figures are those of the tables in bench/, and their columns are the command's."""
    there = tree.page("bench/README.md").rows()
    for row in tree.page("README.md").rows():
        if row[0] == "workload" or not any(row[0] == other[0] for other in there):
            continue
        if not any(other[:len(row)] == row for other in there):
            yield f"README.md: bench/README.md has another row of {row[0]}"
    source = tree.text("tools/commands/bench_table.cpp")
    for row in tree.page("bench/README.md").rows("The columns")[1:]:
        yield from (f"bench/README.md: {column} is no column" for column in CODE.findall(row[0])
                    if f'{column}"' not in source)


def folders(tree):
    for page in tree.pages:
        rows = page.table("folder")
        named = set(re.findall(r"[`\[](\w+)[`\]]", "\n".join(row[0] for row in rows)))
        there = tree.folders(page.folder)
        if rows:
            yield from (f"{page.path}: there is no folder {name}" for name in sorted(named - there))
            yield from (f"{page.path}: the folder {name} is not listed"
                        for name in sorted(there - named))
    named = tree.page("tools/README.md").text
    yield from (f"tools/README.md: the script {name} is not listed"
                for name in sorted(tree.names("tools"))
                if name.endswith(".sh") and f"tools/{name}" not in named)
    for page in tree.pages:  # what is said to be what .ci/run runs
        for row in page.rows():
            if "`.ci/run`" in row[-1]:
                yield from (f"{page.path}: .ci/run does not run {option}"
                            for option in OPTION.findall(row[0])
                            if not re.search(rf"{option}\b", tree.text(".ci/run")))


def quotes(tree):
    """A block that names a file is a part of it."""
    for page in tree.pages:
        for _, path, text in page.blocks:
            if path and not tree.has(path):
                yield f"{page.path}: {path}, which is quoted, is not there"
            elif path and text not in tree.text(path):
                yield f"{page.path}: {path} has not the lines that are quoted:\n{text}"


def cmake(tree):
    """Lines of CMake are in the project that the tests build, for another target; variables exist."""
    project = tree.text("tests/consumer/project/CMakeLists.txt")
    known = tree.text("CMakeLists.txt")
    for page in tree.pages:
        for language, _, text in page.blocks:
            if language == "cmake":
                yield from (f"{page.path}: no test has the line {line}"
                            for line in text.splitlines()
                            if not re.search(re.escape(line).replace("my_program", r"\w+"), project))
        yield from (f"{page.path}: CMakeLists.txt does not know {name}"
                    for name in re.findall(r"-D(\w+)=", page.text) if name not in known)


def names(tree):
    """Members and fields that are named are in public headers, variables in the sources."""
    headers = "\n".join(tree.text(path) for path in tree.public_headers())
    sources = "\n".join(tree.text(f"runtime/{name}") for name in tree.names("runtime")
                        if name.endswith(".cpp"))
    for page in tree.pages:
        code = "\n".join(page.code)
        plain = "\n".join(text for language, _, text in page.blocks
                          if language == "cpp" and "gradmill::" in text)
        used = [word for pair in re.findall(r"\b([A-Z]\w+)::(\w+)", code) for word in pair]
        used += re.findall(r"[{,(]\s*\.(\w+) = ", plain) + re.findall(r"gradmill::(\w+)", plain)
        yield from (f"{page.path}: no public header has {name}" for name in sorted(set(used))
                    if not re.search(rf"\b{name}\b", headers))
        yield from (f"{page.path}: nothing reads {name}"
                    for name in sorted(set(re.findall(r"\bGRADMILL_(?!API)[A-Z]+\b(?!\()", page.text)))
                    if name not in sources)


RULES = (size, links, paths, ops, options, every_option, workloads, measured, folders, quotes, cmake,
         names)


def violations(tree):
    missing = [path for path in ("README.md", "ops/README.md", "bench/README.md", "tools/README.md")
               if tree.page(path) is None]
    if missing:
        return [f"{path} is not there" for path in missing]
    return list(dict.fromkeys(line for rule in RULES for line in rule(tree)))
