"""What people read as text: Markdown, the terminal, and how names and numbers are shown."""

from __future__ import annotations

import doctest
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate.findings import Diagnosis, Estimate, Position, Status
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


def test_findings_as_bad_as_careless_ones_are_ranked_by_how_far_below(verdict):
    check = verdict["fidelity.pairs"]
    one = next(f for f in check.findings if f.status is Status.FAIL)

    def at(value):
        nowhere = Position(value=0.0, low=0.0, high=0.0)
        estimate = Estimate(value=value, low=value, high=value, method="m", ceiling=0.9, floor=0.7, position=nowhere)
        return replace(one, measured=replace(one.measured, estimate=estimate))

    ranked = story.ranked([at(0.65), at(0.2), at(0.5)], check.each)
    assert [f.measured.estimate.value for f in ranked] == [0.2, 0.5, 0.65]


def test_places_are_the_columns_of_most_findings(verdict):
    failing = [f for f in verdict["fidelity.pairs"].findings if f.status is Status.FAIL]
    counted = story.places([*failing, *failing[:1]])
    assert counted[0][1] == max(n for _, n in counted) >= 2
    assert {name for name, _ in counted} == {name for f in failing for name in f.measured.columns}


def test_weakest_check_is_the_one_nearest_to_its_floor(verdict):
    checks = [verdict[name] for name in ("fidelity.columns", "fidelity.detection", "fidelity.pairs")]
    assert story.weakest(replace(check, status=Status.WARN) for check in checks).id == "fidelity.detection"
    assert story.weakest([verdict["schema.keys"]]) is None
    failing = replace(verdict["fidelity.columns"], status=Status.FAIL)
    passing = replace(verdict["fidelity.detection"], status=Status.PASS)
    assert story.weakest([failing, passing]) is failing, "a family that fails names a check that does"


def test_a_column_keeps_its_name_at_the_start_of_a_diagnosis(verdict, monkeypatch):
    found = Diagnosis(name="smoothed spikes", sentence="capital-gain has lost its spikes", confidence="likely",
                      checks=("fidelity.columns",), columns=("capital-gain",))  # fmt: skip
    monkeypatch.setattr(type(verdict), "diagnosis", (found,))
    assert story.diagnosed(verdict) == [("Smoothed spikes (likely)", "capital-gain has lost its spikes.")]
