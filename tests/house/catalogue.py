#!/usr/bin/env python3
"""Checks that every public op is tested, and itself against made-up ops that are not.

  catalogue.py ROOT     checks the tree at ROOT; exits with 1 and one line for each missing test
  catalogue.py --self   checks that what is missing is found

A public op is a function that a header directly in ops/ declares as `GRADMILL_API Value name(...)`.
The umbrella header gradmill.h includes that header. The tests of the ops in ops/FILE.h are in
tests/ops/FILE_test.cpp and tests/ops/FILE_*_test.cpp. Each op needs there

  a reference test   one that calls expect_values,
  a gradient test    one that calls expect_gradients; or "Has no gradient." in the op's comment,
  a refusal test     one that calls refusal or error_of,

and each of these tests must call the op: in its own body, in a function of the same file that it
calls, in a struct with an operator() that it names, or, for a TEST_P, in its
INSTANTIATE_TEST_SUITE_P, where the op's name alone will do. So

  TEST(Relu, RefusesIntegers) { EXPECT_EQ(refusal([](auto x) { return relu(x[0]); }, ...), ...); }

is the refusal test of relu. Lambdas over Array and functions that return one are references, which
go by the names of ops: what they call does not count, and neither does std::exp, a comment or a
string. An operator such as x + y is no call of add.
"""

import os
import re
import sys
import tempfile

CHECKS = {
    "reference test (expect_values)": ("expect_values",),
    "gradient test (expect_gradients)": ("expect_gradients",),
    "refusal test (refusal or error_of)": ("refusal", "error_of"),
}
GRADIENT_TEST = "gradient test (expect_gradients)"

DECLARATION = re.compile(r"^GRADMILL_API (?:Value|std::vector<Value>) (\w+)\(", re.MULTILINE)
NO_GRADIENT = "Has no gradient."

TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
TEST = re.compile(r"\b(TEST|TEST_F|TEST_P|TYPED_TEST)\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*\{")
INSTANCE = re.compile(r"\bINSTANTIATE_TEST_SUITE_P\s*\(\s*\w+\s*,\s*(\w+)\s*,")
FUNCTION = re.compile(
    r"([\w:<>,&*\s]+?[\s&*])(\w+)\s*\([^;{}\[\]]*(?:\{\}[^;{}\[\]]*)*\)\s*(?:const\s*)?\{")
FUNCTOR = re.compile(r"\bstruct\s+(\w+)\s*\{")
USED = re.compile(r"(?<![\w.>])\w+|(?<=this->)\w+")  # not a member of something else
REFERENCE_LAMBDA = re.compile(r"\[[^\[\]]*\]\s*\([^()]*\bArray\b[^()]*\)[^;{}()]*\{")
NO_FUNCTIONS = {"if", "for", "while", "switch", "catch", "return", "TEST", "TEST_F", "TEST_P",
                "TYPED_TEST"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def code_of(text):
    """The text without comments and the contents of strings."""
    return TOKEN.sub(lambda match: '""' if match.group().startswith('"') else " ", text)


def behind(text, start, brackets="{}"):
    """Where the bracket ends that was opened just before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {brackets[0]: 1, brackets[1]: -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)


def without_reference_lambdas(code):
    while match := REFERENCE_LAMBDA.search(code):
        code = code[:match.start()] + "reference" + code[behind(code, match.end()):]
    return code


def calls(op, code):
    return re.search(rf"(?<![\w.>:]){op}\s*\(", code) is not None


def names(op, code):
    return re.search(rf"(?<![\w.>:]){op}\s*[,(}}]", code) is not None


class TestFile:
    """The tests of one file, each with all the code of that file that it reaches."""

    def __init__(self, text):
        code = without_reference_lambdas(code_of(text))
        self.functions = {}
        for match in FUNCTION.finditer(code):
            result, name = match.group(1), match.group(2)
            if name in NO_FUNCTIONS or name in CHECKS or re.search(r"\bArray\b", result):
                continue
            body = code[match.end():behind(code, match.end())]
            self.functions[name] = self.functions.get(name, "") + body
        for match in FUNCTOR.finditer(code):
            body = code[match.end():behind(code, match.end())]
            if "operator()" in body:
                self.functions[match.group(1)] = body
        instances = {}
        for match in INSTANCE.finditer(code):
            text = code[match.end():behind(code, match.end(), "()")]
            instances[match.group(1)] = instances.get(match.group(1), "") + text
        self.tests = []  # what it reaches, and its instances
        for match in TEST.finditer(code):
            body = code[match.end():behind(code, match.end())]
            instance = instances.get(match.group(2), "") if match.group(1) == "TEST_P" else ""
            self.tests.append((self.reached(body), instance))

    def reached(self, body):
        seen, text, left = set(), body, [body]
        while left:
            for word in set(USED.findall(left.pop())):
                if word in self.functions and word not in seen:
                    seen.add(word)
                    left.append(self.functions[word])
                    text += self.functions[word]
        return text

    def has(self, checks, op):
        return any(any(calls(check, body) for check in checks) and
                   (calls(op, body) or names(op, instance)) for body, instance in self.tests)


def public_ops(header):
    """Each op of a header, and whether its comment says that it has no gradient."""
    ops = {}
    for match in DECLARATION.finditer(header):
        comment = re.search(r"((?:^///[^\n]*\n)*)(?:^GRADMILL_API[^;]*;\n)*\Z",
                            header[:match.start()], re.MULTILINE).group(1)
        words = " ".join(line.lstrip("/ ") for line in comment.splitlines())
        ops[match.group(1)] = ops.get(match.group(1), False) or NO_GRADIENT in words
    return ops


def violations(root):
    found, count = [], 0
    umbrella = read(os.path.join(root, "gradmill.h"))
    tests = os.path.join(root, "tests/ops")
    for name in sorted(os.listdir(os.path.join(root, "ops"))):
        if not name.endswith(".h"):
            continue
        stem = name[:-len(".h")]
        pattern = re.compile(rf"{re.escape(stem)}(_\w+)?_test\.cpp")
        files = [TestFile(read(os.path.join(tests, file)))
                 for file in sorted(os.listdir(tests)) if pattern.fullmatch(file)]
        ops = public_ops(read(os.path.join(root, "ops", name)))
        if ops and f"<gradmill/ops/{name}>" not in umbrella:
            found.append(f"gradmill.h: does not include ops/{name}")
        for op, no_gradient in ops.items():
            count += 1
            for missing, checks in CHECKS.items():
                if missing == GRADIENT_TEST and no_gradient:
                    continue
                if not any(file.has(checks, op) for file in files):
                    found.append(f"ops/{name}: {op} has no {missing} in "
                                 f"tests/ops/{stem}_test.cpp")
    if count == 0:
        found.append("ops/: no public op was found")
    return found


HEADER = """
/// Doubles.
GRADMILL_API Value twice(Value x, std::string name = {});
/// Counts. Has no
/// gradient.
GRADMILL_API Value count(Value x);
GRADMILL_API Parts hidden(Value x);
"""
REFERENCE = "expect_values(build, [](const std::vector<Array>& x) { return twice(x[0]); }, {});"
GOOD = """
Value build(std::span<const Value> x) { return twice(x[0], "y"); }
Array reference(const Array& x) { return count(x); }
TEST(Twice, Values) { %s }
TEST(Twice, Gradients) { for (int i : {1, 2}) { expect_gradients(build, {}); } }
TEST(Thrice, Values) { evaluate([](auto x) { return twice(x[0]); }); }
TEST(Thrice, Both) { expect_values(f); evaluate(g); expect_gradients(h); }
TEST(Twice, Refuses) { EXPECT_EQ(refusal(build, {}), "twice(") << error_of([] {}); }
class Count : public testing::TestWithParam<Case> {
  Builder along(int axis) const { return [=](auto x) { return GetParam().build(x[0]); }; }
};
INSTANTIATE_TEST_SUITE_P(Ops, Count, testing::Values(Case{"count", count, 3}));
TEST_P(Count, Values) { expect_values(along(1), reference, {}); }
TEST_P(Count, Refuses) { EXPECT_EQ(refusal(along(1), {}), ""); }
""" % REFERENCE

BAD = [  # what is replaced, by what, and the op and the test that are then missing
    (REFERENCE, "evaluate(build);", "twice", "reference test"),
    (REFERENCE, "// expect_values(build);\n", "twice", "reference test"),
    (REFERENCE, 'log("expect_values(build)");', "twice", "reference test"),
    (REFERENCE, REFERENCE.replace("build", "other"), "twice", "reference test"),
    (REFERENCE, "expect_values(other, f); std::twice(1); y.twice(2);", "twice", "reference test"),
    ("expect_gradients(build, {})", "expect_gradients(other, {})", "twice", "gradient test"),
    ("expect_gradients(build, {})", "build({})", "twice", "gradient test"),
    ("refusal(build, {})", "build({})", "twice", None),  # error_of is there
    ("EXPECT_EQ(refusal(build, {}), \"twice(\") << error_of([] {});", "", "twice", "refusal test"),
    ('return twice(x[0], "y")', "return x[0] + x[0]", "twice", "refusal test"),
    ('Case{"count", count, 3}', 'Case{"count", other, 3}', "count", "reference test"),
    ("TEST_P(Count, Refuses)", "TEST_P(Other, Refuses)", "count", "refusal test"),
    ("TEST_P(Count, Refuses)", "TEST(Count, Refuses)", "count", "refusal test"),
    ("expect_values(along(1), reference, {});", "reference({}); along(1);", "count",
     "reference test"),
]


def found_in(header, test, umbrella="#include <gradmill/ops/made_up.h>"):
    with tempfile.TemporaryDirectory() as root:
        for path, text in (("gradmill.h", umbrella), ("ops/made_up.h", header),
                           ("tests/ops/made_up_test.cpp", test),
                           ("tests/ops/other_test.cpp", GOOD)):
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return violations(root)


def self_test():
    failures = [f"found in a good tree: {line}" for line in found_in(HEADER, GOOD)]
    for old, new, op, missing in BAD:
        assert old in GOOD, old
        found = found_in(HEADER, GOOD.replace(old, new))
        wanted = f"{op} has no {missing}"
        if missing is None and found:
            failures.append(f"{old!r} -> {new!r}: expected nothing, found {found}")
        if missing is not None and not any(wanted in line for line in found):
            failures.append(f"{old!r} -> {new!r}: expected '{wanted}', found {found}")
    for header, wanted in ((HEADER.replace("Has no\n/// gradient", "No"), "count has no gradient"),
                           (HEADER.replace("Parts", "Value"), "hidden has no reference"),
                           ("", "no public op")):
        found = found_in(header, GOOD)
        if not any(wanted in line for line in found):
            failures.append(f"expected '{wanted}', found {found}")
    if found_in(HEADER, GOOD, "") != ["gradmill.h: does not include ops/made_up.h"]:
        failures.append("a header that gradmill.h lacks is not found")
    return failures


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = self_test() if sys.argv[1] == "--self" else violations(sys.argv[1])
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
