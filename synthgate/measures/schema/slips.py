"""Misspellings: a category that differs from a known one by its case, its spaces or one letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SLIP_LENGTH = 4
"""Letters from which on one letter more, less or other counts as a slip."""
LONGEST = 80
"""Longer texts are compared by case and spaces alone."""
ANY = "\0"
"""Stands for any one letter; it occurs in no text that is compared."""


class Spellings:
    """Known categories, laid out so that a misspelling is found without a look at each of them.

    Parameters
    ----------
    labels : iterable of str

    Examples
    --------
    >>> known = Spellings(["Private", "State-gov", "A1"])
    >>> [known.slip(text) for text in ("private ", "Privat", "State-gob", "A2", "Public")]
    [True, True, True, False, False]
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._plain: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        for label in labels:
            plain = _plain(label)
            self._plain[plain] = self._plain.get(plain, 0) + 1
            for key in _keys(plain):
                self._keys[key] = self._keys.get(key, 0) + 1

    def slip(self, label: str) -> bool:
        """Tell whether a label, which is none of the known ones, misspells one of them."""
        plain = _plain(label)
        return plain in self._plain or any(key in self._keys for key in _keys(plain))

    def is_like_another(self, label: str) -> bool:
        """Tell whether one of the known labels looks like a misspelling of another one."""
        plain = _plain(label)
        return self._plain.get(plain, 0) > 1 or any(self._keys.get(key, 0) > 1 for key in _keys(plain))


def _plain(label: str) -> str:
    return re.sub(r"\s+", " ", label.strip()).casefold()


def _keys(plain: str) -> Iterator[str]:
    """Yield what two texts share that differ by one letter inserted, dropped or replaced; digits are no slips.

    A text with one place left open is shared by those that differ there; a text with an open place put in is
    shared with one that has a letter more.
    """
    if not SLIP_LENGTH <= len(plain) <= LONGEST or ANY in plain or any(c.isdigit() for c in plain):
        return
    for at in range(len(plain)):
        yield plain[:at] + ANY + plain[at + 1 :]
    for at in range(len(plain) + 1):
        yield plain[:at] + ANY + plain[at:]
