"""How one made-up message comes out of templates and a seeded generator.

`[a|b]` is one of its choices (possibly empty), `{name}` one entry of that word list, `#` a digit.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random

Words = Mapping[str, Sequence[str]]

_INNERMOST = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")

_TEXTING = {
    "you": "u",
    "your": "ur",
    "are": "r",
    "to": "2",
    "for": "4",
    "tomorrow": "tmrw",
    "tonight": "2nite",
    "later": "l8r",
    "great": "gr8",
    "please": "pls",
    "because": "cos",
    "about": "abt",
    "what": "wat",
    "with": "wiv",
    "message": "msg",
    "have": "hav",
    "going to": "gonna",
    "want to": "wanna",
    "don't": "dont",
    "I'm": "im",
    "and": "n",
    "the": "da",
    "see": "c",
    "thanks": "thx",
    "okay": "k",
    "this": "dis",
    "really": "rly",
}
_TEXTED = re.compile(r"\b(" + "|".join(map(re.escape, _TEXTING)) + r")\b")


def entries(text: str) -> tuple[str, ...]:
    """The entries of `text`, which bars part."""
    return tuple(text.split("|"))


def lines(text: str) -> tuple[str, ...]:
    """The templates of `text`, one a line."""
    return tuple(text.strip().splitlines())


def expand(template: str, random: Random, *, words: Words) -> str:
    """A message of `template`; the same generator state gives the same message."""

    def choice(match: re.Match[str]) -> str:
        inner, name = match.groups()
        return str(random.choice(inner.split("|") if name is None else words[name]))

    while _INNERMOST.search(template):
        template = _INNERMOST.sub(choice, template)
    digits = re.sub("#", lambda _: random.choice("0123456789"), template)
    return " ".join(digits.split())


def sentences(parts: Sequence[Sequence[str]], random: Random, *, words: Words) -> str:
    """One template of each part in turn, as one message."""
    return expand(" ".join(random.choice(part) for part in parts), random, words=words)


def thumbed(message: str, random: Random, *, haste: float) -> str:
    """`message` as somebody types it on a telephone; `haste` in [0, 1] is how much they abbreviate and slip."""
    if random.random() < haste:
        message = _TEXTED.sub(lambda m: _TEXTING[m[0]] if random.random() < haste else m[0], message)
    if random.random() < haste:
        message = message.replace("'", "").replace(",", "")
    if random.random() < 0.7 * haste:
        message = message.lower()
    if random.random() < haste:
        message = message.rstrip(".!")
    if random.random() < 0.4 * haste:
        message = _slip(message, random)
    return message


def _slip(message: str, random: Random) -> str:
    """One word with two letters swapped, one lost or one doubled."""
    tokens = message.split(" ")
    long = [index for index, token in enumerate(tokens) if len(token) > 3 and token.isalpha()]
    if not long:
        return message
    index = random.choice(long)
    token = tokens[index]
    at = random.randrange(1, len(token) - 1)
    slips = (
        token[:at] + token[at + 1] + token[at] + token[at + 2 :],
        token[:at] + token[at + 1 :],
        token[:at] + token[at] + token[at:],
    )
    tokens[index] = random.choice(slips)
    return " ".join(tokens)
