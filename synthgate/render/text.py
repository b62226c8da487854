"""Text and numbers as people are to see them, whatever the data put into them."""

from __future__ import annotations

import math
import unicodedata

NAME_LENGTH = 60
PLACE_LENGTH = 52
TEXT_LENGTH = 600
JOINER = "\u200d"
PICTURES = {"\n": "↵", "\r": "␍", "\t": "⇥", "\u2028": "↵", "\u2029": "↵", "\x7f": "␡"}
TIMES = "\N{MULTIPLICATION SIGN}"
NOTHING = "\N{EN DASH}"


def _shown(letter: str) -> str:
    """Return a character, or the sign that stands for one that cannot be seen or turns the text around."""
    if letter in PICTURES:
        return PICTURES[letter]
    code = ord(letter)
    if code < 0x20:
        return chr(0x2400 + code)
    no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if (unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") and letter != JOINER) or no_character:
        return f"⟨U+{code:04X}⟩"
    return letter


def visible(text: str) -> str:
    r"""Return `text` with control characters, text direction marks and lone surrogates made visible.

    What is left can be shown in a terminal, in XML and in HTML without changing what stands around it.

    Examples
    --------
    >>> visible("a\nb\x1b[31m")
    'a↵b␛[31m'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def shorten(text: str, length: int) -> str:
    """Return `text`, visible, with its middle left out when it is longer than `length` characters.

    Examples
    --------
    >>> shorten("abcdefghij", 6)
    'abcd… (10 characters)'
    """
    if len(text) <= length:
        return visible(text)
    return f"{visible(text[: max(1, length - 2)])}… ({len(text):,} characters)"


def name(text: object) -> str:
    """Return a column, table or category name for display."""
    return shorten(str(text), NAME_LENGTH)


def place(text: object) -> str:
    """Return where data came from, for display: of a long path the end, which names the file.

    Examples
    --------
    >>> place("/a/very/long/way/down/into/some/folder/of/a/project/data/synthetic.parquet")
    '…/some/folder/of/a/project/data/synthetic.parquet'
    """
    whole = str(text)
    if len(whole) <= PLACE_LENGTH:
        return visible(whole)
    if "/" not in whole[-PLACE_LENGTH:]:
        return name(whole)
    return "…/" + visible(whole[-PLACE_LENGTH:].partition("/")[2])


def short(text: object, length: int = 18) -> str:
    """Return a label for a chart, where there is no room to say how long it was."""
    shown = visible(str(text)[:200])
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def sentence(text: str) -> str:
    """Return a message for display: a capital at its start, unless a name stands there, and a full stop."""
    shown = shorten(text.strip(), TEXT_LENGTH)
    if not shown:
        return shown
    first = shown.split(maxsplit=1)[0]
    opening = first if "_" in first else first[0].upper() + first[1:]
    return opening + shown[len(first) :] + ("" if shown[-1] in ".!?…)" else ".")


def number(value: float | None) -> str:
    """Return a number with four significant digits and thousands separators.

    Examples
    --------
    >>> number(0.92341), number(1234567.8), number(12), number(0.5)
    ('0.9234', '1,234,568', '12', '0.5000')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    sign = "-" if value < 0 else ""
    size = abs(value)
    if isinstance(value, int) or size == 0 or size >= 1000:
        return f"{sign}{size:,.0f}" if size < 1e15 else f"{sign}{size:.3e}"
    power = int(f"{size:.3e}".partition("e")[2])
    return f"{sign}{size:.3e}" if power < -4 else f"{sign}{size:.{3 - power}f}"


def plain(value: float | None) -> str:
    """Return a number that somebody chose, such as a limit: no trailing zeros.

    Examples
    --------
    >>> plain(0.75), plain(1.0)
    ('0.75', '1')
    """
    shown = number(value)
    return shown.rstrip("0").rstrip(".") if "." in shown and "e" not in shown else shown


def percent(share: float | None) -> str:
    """Return a share of one as a percentage, for reading.

    Examples
    --------
    >>> percent(0.1234), percent(0.0004)
    ('12.3 %', '0.04 %')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    size = abs(share) * 100
    digits = 1 if size >= 1 or size == 0 else 2
    return f"{'-' if share < 0 else ''}{size:.{digits}f} %"


def count(n: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> count(1, "check"), count(1200, "row"), count(2, "query", "queries")
    ('1 check', '1,200 rows', '2 queries')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(words: list[str], most: int = 3) -> str:
    """Return words as a list for a sentence.

    Examples
    --------
    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
