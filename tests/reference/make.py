"""What PyTorch computes, in float64, for tests/ops/reference*_test.cpp.

  make.py           writes tests/data/pytorch/*.json
  make.py FOLDER    writes them there
  make.py --check   makes them in a temporary folder and compares them with the stored ones; exits
                    with 1 and one line a difference, with 77 where PyTorch is missing

    apt-get install python3-torch
    /usr/bin/python3 make.py

Numbers are printed with as many digits (17 at most) as it takes to read the same double again. The
same machine writes the same bytes; another one may round sums otherwise.
"""

import json
import pathlib
import sys
import tempfile

SKIPPED = 77
STORED = pathlib.Path(__file__).resolve().parent.parent / "data" / "pytorch"
TOLERANCE = 1e-12


def documents():
    import attention
    import cross_entropy
    import gpt
    import gpt_training
    import indexing
    import linear_cross_entropy
    import matmul
    import norm
    import ops
    import softmax
    import tiles
    import training

    for module in (ops, indexing, matmul, softmax, cross_entropy, linear_cross_entropy, norm, attention,
                   gpt, gpt_training, tiles, training):
        yield module.__name__, module.document()


def write(folder):
    import torch

    # Sums are then added in one order.
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents():
        parts = [f' "made_with": {json.dumps("PyTorch " + torch.__version__)}']
        for key, value in document.items():
            if isinstance(value, list):  # of cases: one per line
                value = "[\n  " + ",\n  ".join(dumps(case) for case in value) + "\n ]"
            else:
                value = dumps(value)
            parts.append(f" {json.dumps(key)}: {value}")
        (folder / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


def dumps(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def differences(stored, made, where):
    """One line for each number or name of `stored` that `made` does not have."""
    if type(stored) is not type(made):
        yield f"{where}: {made!r} rather than {stored!r}"
    elif isinstance(stored, dict):
        for key in sorted(stored.keys() | made.keys()):
            if key == "made_with":
                continue
            if key not in stored or key not in made:
                yield f"{where}.{key}: on one side only"
            else:
                yield from differences(stored[key], made[key], f"{where}.{key}")
    elif isinstance(stored, list):
        if len(stored) != len(made):
            yield f"{where}: {len(made)} rather than {len(stored)} entries"
        for i, (a, b) in enumerate(zip(stored, made)):
            yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(stored, float):
        if not abs(stored - made) <= TOLERANCE * max(1, abs(stored)):
            yield f"{where}: {made!r} rather than {stored!r}"
    elif stored != made:
        yield f"{where}: {made!r} rather than {stored!r}"


def check():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder)
        names = {path.name for path in folder.iterdir()}
        found = [f"{path.name}: nothing makes it" for path in STORED.iterdir()
                 if path.name not in names]
        for name in sorted(names):
            if not (STORED / name).exists():
                found.append(f"{name}: not stored")
                continue
            stored, made = (json.loads((at / name).read_text()) for at in (STORED, folder))
            found += differences(stored, made, name)
    for line in found:
        print(line)
    return 1 if found else 0


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    if sys.argv[1:] == ["--check"]:
        try:
            import torch  # noqa: F401
        except ImportError as error:
            print(f"skipped: {error}")
            sys.exit(SKIPPED)
        sys.exit(check())
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else STORED)


if __name__ == "__main__":
    main()
