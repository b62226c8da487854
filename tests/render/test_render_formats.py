"""Promises that hold for every format."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from synthgate.errors import UsageError
from synthgate.render import FORMATS, console, render, write
from synthgate.render.html import render_fragment

GOLDEN = Path(__file__).parent / "golden"
TEXTS = {
    **{FORMATS[kind]: (lambda verdict, kind=kind: render(verdict, kind)) for kind in FORMATS},
    "console.txt": lambda verdict: console.render(verdict, color=False),
    "fragment.html": render_fragment,
}
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@pytest.mark.parametrize("name", TEXTS)
def test_output_is_as_it_was_agreed(verdict, name):
    text, file = TEXTS[name](verdict), GOLDEN / name
    if os.environ.get("SYNTHGATE_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    assert text == file.read_text(encoding="utf-8"), "see reports/README.md when this change is meant"


@pytest.mark.parametrize("name", TEXTS)
def test_same_verdict_gives_same_bytes(make_verdict, name):
    first, second = (TEXTS[name](make_verdict(6)).encode() for _ in range(2))
    assert first == second
    assert first != TEXTS[name](make_verdict(6, seed=8)).encode() or name not in ("result.json", "report.html")


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_holds_nothing_that_cannot_be_seen(hostile, name):
    text = TEXTS[name](hostile)
    text.encode("utf-8")
    assert not BIDI.search(text)
    assert not CONTROL.search(text)
    shown = "\\u202e" if name == "result.json" else "U+202E"
    assert shown in text


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"result.json", "fragment.html"}))
def test_long_strings_are_shortened_for_display(hostile, name):
    assert "x" * 1001 not in TEXTS[name](hostile)
    assert "(10,000 characters)" in " ".join(TEXTS[name](hostile).split())


@pytest.mark.parametrize("name", TEXTS)
def test_every_failed_check_is_named(verdict, name):
    text = TEXTS[name](verdict)
    assert verdict.failures()
    for check in (*verdict.failures(), *verdict.missing()):
        assert check.id in text


@pytest.mark.parametrize("kind", FORMATS)
def test_file_is_written_whole_and_nothing_is_left_beside_it(verdict, tmp_path, kind):
    target = tmp_path / "deep" / "er" / FORMATS[kind]
    assert write(verdict, target, kind) == target
    assert target.read_text(encoding="utf-8") == render(verdict, kind)
    assert list(target.parent.iterdir()) == [target]


def test_failing_write_keeps_the_old_file(verdict, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def fail(self, other):
        raise PermissionError(13, "no room")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UsageError, match="no room"):
        write(verdict, target, "html")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_unknown_format_names_the_nearest(verdict, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'markdown'"):
        write(verdict, tmp_path / "x", "markdwn")


def test_unwritable_place_is_a_clear_error(verdict, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write(verdict, tmp_path / "file" / "report.html", "html")
