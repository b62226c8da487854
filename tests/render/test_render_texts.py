"""What people read as text: Markdown, the terminal, and how names and numbers are shown."""

from __future__ import annotations

import doctest
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate.findings import Status
from synthgate.render import console, markdown, story, text


@pytest.mark.parametrize("name", ["verdict", "adult_sized", "hostile"])
def test_markdown_stays_below_the_limit(request, name):
    assert 1_000 < len(markdown.render(request.getfixturevalue(name))) < 65_000


def test_markdown_says_how_much_it_left_out(verdict):
    long = replace(verdict["fidelity.columns"], reason="a long story " * 70)
    checks = tuple(replace(long, id=f"fidelity.columns{at}") for at in range(300))
    page = markdown.render(replace(verdict, checks=checks))
    assert len(page) < 65_000
    assert re.search(r"[\d,]+ parts found no room here: result.json holds everything", page)
    assert "What was judged" in page


def test_markdown_puts_the_worst_first(verdict):
    page = markdown.render(verdict)
    order = [page.index(words) for words in ("synthgate: Fail", "### What failed", "### Left open", "### Warnings")]
    assert order == sorted(order)
    assert page.count("<details>") == page.count("</details>") > 3


def test_hostile_markdown_makes_no_markup_and_mentions_nobody(hostile):
    page = markdown.render(hostile)
    for forbidden in ("<script", "<img", "](http", "@someone", "http://", "`b`", "**c**"):
        assert forbidden not in page
    assert not re.search(r"(?<!&)#12", page)
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert rows
    assert {line.count("|") for line in rows} <= {5, 6, 8}


def test_console_names_what_failed_what_is_open_and_every_family(verdict):
    shown = console.render(verdict, color=False)
    assert shown.startswith("✕ FAIL\n")
    assert "\x1b" not in shown
    assert "privacy.linkability (required)" in shown
    for family in story.families(verdict):
        assert re.search(rf"^. {story.family_title(family)} ", shown, re.MULTILINE)
    assert len(shown.splitlines()) < 70


def test_console_colours_change_nothing_but_colour(verdict):
    painted = console.render(verdict, color=True)
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == console.render(verdict, color=False)


def test_hostile_text_cannot_steer_a_terminal(hostile):
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", console.render(hostile, color=False))


@settings(deadline=None)
@given(st.text(st.characters()))
def test_visible_text_can_always_be_shown(given_text):
    shown = text.visible(given_text)
    shown.encode("utf-8")
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Co") for c in shown)
    assert text.visible(shown) == shown


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(3, 200))
def test_short_text_is_left_whole_and_long_text_cut(given_text, length):
    shown = text.shorten(given_text, length)
    if len(given_text) <= length:
        assert shown == text.visible(given_text)
    else:
        assert shown.endswith(f"… ({len(given_text):,} characters)")


@settings(deadline=None)
@given(st.floats(-1e300, 1e300))
def test_numbers_keep_four_digits(value):
    back = float(text.number(value).replace(",", ""))
    assert back == pytest.approx(value, rel=6e-4, abs=0)


def test_examples_in_docstrings_hold():
    result = doctest.testmod(text)
    assert result.attempted >= 7
    assert result.failed == 0


def test_blocking_failures_come_before_warnings_and_privacy_first(verdict):
    order = [check.id for check in story.troubles(verdict)]
    assert order == [
        "schema.formats", "privacy.membership", "fidelity.columns", "fidelity.pairs", "schema.types",
        "constraints.declared", "fidelity.detection", "fidelity.higher_order", "coverage.categories",
    ]  # fmt: skip
    assert story.left_open(verdict)[0].id == "privacy.linkability"


def test_findings_are_ranked_by_status_then_by_how_bad(verdict):
    check = verdict["fidelity.pairs"]
    ranked = story.ranked(check.findings, check.each)
    places = [f.measured.estimate.position.value for f in ranked if f.status is Status.PASS]
    assert ranked[0].status is Status.FAIL
    assert places == sorted(places)
