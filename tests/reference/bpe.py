"""A small byte-level BPE and what it makes of texts, for tests/tools/bpe_test.cpp.

  bpe.py           writes tests/data/bpe/{vocab.json,merges.txt,cases.json}
  bpe.py --check   encodes the stored texts with the stored files and compares; also with the
                   package `tokenizers`, where it is installed: an implementation by others

The encoder here does what the definition says, pass after pass over the word's pieces.
"""

import collections
import json
import pathlib
import sys
import unicodedata

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "bpe"
MERGES = 300
TEXT = """
The miller's stone turns slowly in the river's mill, and the grain that the miller pours
between the stones becomes flour. The flour is weighed, the weight is written down, and the
miller's children carry the sacks to the cart. They'll sell 25 sacks today, 30 tomorrow, and
they've sold 1250 since the winter began. "Don't spill the flour," the miller says; "we're
almost there, and I'd rather not sweep the road again!" The gradient of the hill is steep.

    if (stones.turn(slowly)) {
        return flour + weight;  // in pounds
    }

Die Müllerin mahlt das Korn für die Straße. Le meunier a été très content de sa journée d'été.
Мельник мелет зерно, и мука белая. 水車が回る。 粉が白い。
The trainer trains the training model on the training text, step after step after step, and the
loss of the model becomes smaller and smaller as the gradient turns the weights slowly.
"""
CASES = [
    "The miller's stones turn slowly.",
    " a", "a", "  a", "   a b", " ", "   ", "\n", "\n\n", " \n", "x \n y", "x\t\ty", "end  ",
    "they'll they've we're I'd don't it's I'm 'tis 'S 'LL ''s",
    "12 sacks, 1250sacks; 3.14 \u0663\u0664 \u2167 \u00bd x\u00b2",
    "Die M\u00fcllerin f\u00fcr die Stra\u00dfe \u00e9t\u00e9 e\u0301te\u0301",
    "\u041c\u0435\u043b\u044c\u043d\u0438\u043a \u043c\u0435\u043b\u0435\u0442 \u0437\u0435\u0440\u043d\u043e",
    "\u6c34\u8eca\u304c\u56de\u308b\u3002 \u7c89",
    "\U0001f600\U0001f469\u200d\U0001f33e ok \U0001f3fd",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u180eg\u200bh\ufeffi",
    "\x00\x01\x1c\x1d\x1f\x7f\x0b\x0c\r\n",
    "<|endoftext|> [PAD] <s>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ststststststst stepstepstep",
    "if (x) {\n        return flour + weight;  // in pounds\n    }\n",
    "_under_score -- !?!? ... #version: 0.2",
]


def byte_letters():
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters, more = {}, 0
    for byte in range(256):
        if byte in printable:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(256 + more)
            more += 1
    return letters


LETTERS = byte_letters()
WHITE = set(map(chr, [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
                      0x202F, 0x205F, 0x3000]))


def kind(char):
    if char in WHITE:
        return "white"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(char)[0], "other")


def split(text):
    """GPT-2's words, by hand: the alternatives of its pattern in their order."""
    at = 0
    while at < len(text):
        for ending in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            if text.startswith(ending, at):
                end = at + len(ending)
                break
        else:
            start = at + 1 if text[at] == " " and at + 1 < len(text) else at
            if kind(text[start]) == "white":
                start = at
            end = start
            while end < len(text) and kind(text[end]) == kind(text[start]):
                end += 1
            if kind(text[start]) == "white" and end < len(text) and end - at > 1:
                end -= 1
        yield text[at:end]
        at = end


def written(word):
    return [LETTERS[byte] for byte in word.encode()]


def joined(pieces, pair):
    out, at = [], 0
    while at < len(pieces):
        if tuple(pieces[at:at + 2]) == pair:
            out.append(pieces[at] + pieces[at + 1])
            at += 2
        else:
            out.append(pieces[at])
            at += 1
    return out


def train():
    words = [written(word) for word in split(TEXT)]
    merges = []
    for _ in range(MERGES):
        pairs = collections.Counter()
        for word in words:
            pairs.update(zip(word, word[1:]))
        best = max(sorted(pairs), key=pairs.get)
        merges.append(best)
        words = [joined(word, best) for word in words]
    pieces = [*LETTERS.values(), *(a + b for a, b in merges), "<|endoftext|>"]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}, merges


def encode(text, vocab, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    ids = []
    for word in split(text):
        pieces = written(word)
        while pairs := [p for p in zip(pieces, pieces[1:]) if p in ranks]:
            pieces = joined(pieces, min(pairs, key=ranks.get))
        ids += [vocab[piece] for piece in pieces]
    return ids


def check():
    vocab = json.loads((FOLDER / "vocab.json").read_text())
    lines = (FOLDER / "merges.txt").read_text().splitlines()[1:]
    merges = [tuple(line.split(" ")) for line in lines]
    cases = json.loads((FOLDER / "cases.json").read_text())
    wrong = [case for case in cases if encode(case["text"], vocab, merges) != case["ids"]]
    try:
        import tokenizers
    except ImportError:
        print("without the package tokenizers")
    else:
        other = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, merges))
        other.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        wrong += [case for case in cases if other.encode(case["text"]).ids != case["ids"]]
        print(f"{len(cases)} texts, as tokenizers {tokenizers.__version__} encodes them")
    for case in wrong:
        print(f"differs: {case['text']!r}")
    sys.exit(1 if wrong else 0)


def main():
    if sys.argv[1:] == ["--check"]:
        check()
    vocab, merges = train()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "vocab.json").write_text(json.dumps(vocab) + "\n")
    (FOLDER / "merges.txt").write_text(
        "".join(line + "\n" for line in ["#version: 0.2", *map(" ".join, merges)]))
    cases = [{"text": text, "ids": encode(text, vocab, merges)} for text in [*CASES, TEXT]]
    (FOLDER / "cases.json").write_text(
        "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
