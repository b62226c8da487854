"""Numbers that are written as people write them: decimal commas, separated thousands, per cent, currencies.

A notation is written as the number 1234.5 in it: ``1.234,5``, ``1 234,5``, ``1234,5 %``, ``€1,234.5``. Nothing is
guessed: a column has a notation when every one of its values is written in it, and no value could be read as another
number in another one. ``1,234`` alone may be a thousand or a little more than one, so that a column of such values
stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

PLAIN = "1234.5"
CURRENCIES = (
    "EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|BRL|CAD|AUD|NZD|ZAR|RUB|TRY|MXN|"
    r"Rs\.?|kr\.?|zł|Kč|R\$"
)
MINUS = "-\u2212"
BEFORE = rf"(?:[$€£¥₹₽₩₺₫₪₴¢]|{CURRENCIES})"
AFTER = rf"(?:[%‰°$€£¥₹₽₩₺₫₪₴¢]|{CURRENCIES})"
WRITTEN = re.compile(
    rf"(?P<open>\()?(?P<sign>[{MINUS}+])? ?(?P<before>{BEFORE})? ?(?P<inner>[{MINUS}+])?"
    rf"(?P<body>\d(?:[\d.,' ]*\d)?(?:[eE][-+]?\d+)?) ?(?P<after>{AFTER})?(?(open)\))"
)
SPACES = re.compile("[\u00a0\u2007\u2009\u202f]")
QUOTES = re.compile("[\u2019\u02bc]")
LAYOUT = re.compile(r"(?P<before>\D*)1(?P<group>\D?)234(?:(?P<point>\D)5)?(?P<after>\D*)")
LONGEST = 40
"""Characters of a text from which on it is no number."""
SAMPLED = 500
SEPARATORS = [(group, point) for group in ("", *".,' ") for point in ("", *".,") if group != point or not group]
"""What may part thousands, and what may part fractions."""


@dataclass(frozen=True, slots=True)
class Written:
    """One text that looks like a number: what stands around it, and the digits with their separators."""

    negative: bool
    before: str
    body: str
    after: str


def written(text: str) -> Written | None:
    """Take a text apart, or return None when it does not look like a number in any notation."""
    if len(text) > LONGEST:
        return None
    found = WRITTEN.fullmatch(QUOTES.sub("'", SPACES.sub(" ", text)).strip())
    if found is None or (found["sign"] and found["inner"]) or (found["open"] and (found["sign"] or found["inner"])):
        return None
    negative = bool(found["open"]) or (found["sign"] or found["inner"] or "+") in MINUS
    return Written(negative, found["before"] or "", found["body"], found["after"] or "")


def is_number(text: str) -> bool:
    """Tell whether a text is a number in one notation at least, with no leading zeros."""
    one = written(text)
    body = re.sub(r"[eE].*", "", one.body) if one else ""
    return any(_shape(group, point).fullmatch(body) for group, point in SEPARATORS)


def number_layout(texts: Sequence[str]) -> str | None:
    """Return the notation in which all `texts` are numbers, or None.

    Plain numbers (``12.5``) have the notation :data:`PLAIN` when one at least has a fraction; whole ones without any
    sign of a notation may be codes. So may be digits with leading zeros, and as many groups of three in every value.

    Examples
    --------
    >>> number_layout(["1.234,50", "17,00"]), number_layout(["12 %", "7 %"]), number_layout(["1,234", "2,500"])
    ('1.234,5', '1234%', None)
    """
    every = list(texts)
    few = _alike(every[:: max(1, len(every) // SAMPLED)])
    # most columns are told by a few values: words, and digits only
    if not few or not any(one.before or one.after or not one.body.isdigit() for one in few):
        return None
    parts = _alike(every)
    if not parts:
        return None
    separators = _separators([re.sub(r"[eE].*", "", one.body) for one in parts])
    if separators is None:
        return None
    group, point = separators
    before, after = parts[0].before, parts[0].after
    if not (group or point or before or after):
        return None
    return f"{before}1{group}234{f'{point}5' if point else ''}{after}"


def _alike(texts: Sequence[str]) -> list[Written]:
    """Return all texts taken apart; nothing unless all look like numbers with the same sign of a unit."""
    parts: list[Written] = []
    for text in texts:
        one = written(text)
        if one is None or (parts and (one.before, one.after) != (parts[0].before, parts[0].after)):
            return []
        parts.append(one)
    return parts


def _separators(bodies: list[str]) -> tuple[str, str] | None:
    """Return what separates thousands and fractions, each ``""`` where nothing does; None where that is not sure."""
    seen = {sign for body in bodies for sign in body if not sign.isdigit()}
    fitting = [
        (group, point)
        for group, point in SEPARATORS
        if seen == ({group, point} - {""}) and all(_shape(group, point).fullmatch(body) for body in bodies)
    ]
    if len(fitting) == 2:
        # one sign, which might do either: no group has a value without it below a thousand only if it parts thousands
        fitting = [one for one in fitting if one[0] and any(one[0] not in body for body in bodies)]
    if len(fitting) != 1:
        return None
    group, point = fitting[0]
    if point and not group and 3 * sum(point in body for body in bodies) < len(bodies):
        return None  # numbers among which stand some pairs of numbers
    if group and not point and len({body.count(group) for body in bodies}) == 1:
        return None  # as many groups in every value: a code
    return group, point


@cache
def _shape(group: str, point: str) -> re.Pattern[str]:
    whole = rf"[1-9]\d{{0,2}}(?:{re.escape(group)}\d{{3}})*|0" if group else r"[1-9]\d*|0"
    return re.compile(f"(?:{whole})" + (rf"(?:{re.escape(point)}\d+)?" if point else ""))


@cache
def parser(layout: str) -> Callable[[str], float | None]:
    """Return the function that reads a number in a notation, and gives None for every other text.

    Examples
    --------
    >>> read = parser("1.234,5")
    >>> read("-1.234,50"), read("17"), read("17.5")
    (-1234.5, 17.0, None)
    """
    signs = LAYOUT.fullmatch(layout)
    if signs is None:
        raise ValueError(f"no notation of a number: {layout!r}")
    group, point = signs["group"], signs["point"] or ""
    shape = re.compile(_body(group, point))

    def read(text: str) -> float | None:
        one = written(text)
        if one is None or (one.before, one.after) != (signs["before"], signs["after"]) or not shape.fullmatch(one.body):
            return None
        plain = one.body.replace(group, "") if group else one.body
        value = float(plain.replace(point, ".") if point else plain)
        return -value if one.negative else value

    return read


def write(value: float, layout: str) -> str:
    """Return a finite number in a notation, its thousands together."""
    signs = LAYOUT.fullmatch(layout)
    if signs is None:
        raise ValueError(f"no notation of a number: {layout!r}")
    plain = str(int(value)) if value == int(value) else repr(float(value))
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    return sign + signs["before"] + digits.replace(".", signs["point"] or ".") + signs["after"]


def _body(group: str, point: str) -> str:
    whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(group)}\d{{3}})+)" if group else r"\d+"
    return whole + (rf"(?:{re.escape(point)}\d+)?" if point else "") + r"(?:[eE][-+]?\d+)?"


__all__ = ["PLAIN", "Written", "is_number", "number_layout", "parser", "write", "written"]
