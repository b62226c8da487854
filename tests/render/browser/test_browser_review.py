"""The review page in Chromium: rows are marked, and what is saved is a sign-off that the gate reads."""

from __future__ import annotations

from datetime import date

import pytest

from synthgate.gate import review_page
from synthgate.review.page import render
from synthgate.review.signoff import read_signoff

pytestmark = pytest.mark.slow

# the page saves by a link that it clicks: what it would save is read from there
CATCH = (
    "saved = []; URL.createObjectURL = (blob) => { saved.push(blob); return '#'; };"
    "HTMLAnchorElement.prototype.click = function () { saved.name = this.download; }"
)


@pytest.fixture
def tables(draw_people):
    return draw_people(400, 1), draw_people(400, 2)


@pytest.fixture
def page(tables):
    return review_page(*tables, rows=8)


@pytest.fixture
def tab(open_tab, page, tmp_path):
    file = tmp_path / "review.html"
    file.write_text(render(page), encoding="utf-8")
    return open_tab(file)


def test_page_asks_for_nothing_and_nothing_complains(tab):
    assert tab.run("document.querySelectorAll('.review-row').length") == 8
    assert tab.requests() == []
    assert tab.complaints() == []


def test_marks_are_saved_as_a_sign_off_that_the_gate_reads(tab, page, tmp_path):
    tab.run(CATCH)
    tab.run("document.getElementById('save').click()")
    assert tab.run("saved.length") == 0
    assert "your name" in tab.run("document.getElementById('problem').textContent")
    for at, mark in enumerate(("implausible", "plausible", "unsure")):
        tab.run(f"document.querySelectorAll('.review-row')[{at}].querySelector('[value={mark}]').click()")
    assert tab.run("document.getElementById('progress').textContent") == "3 of 8 rows marked, 1 of them implausible."
    name = 'Ada "O\'Brien": <x> \U0001f600 é'
    tab.run("document.getElementById('reviewer').focus()")
    tab.write(name)
    tab.run("document.querySelector('[name=verdict][value=reject]').click(); document.getElementById('save').click()")
    assert tab.run("saved.name") == "synthgate-review.yaml"
    file = tmp_path / "signed.yaml"
    file.write_text(tab.run("saved[0].text()"), encoding="utf-8")
    signed = read_signoff(file)
    assert (signed.accepted, signed.reviewer, signed.shown, signed.reviewed) == (False, name, 8, 3)
    assert signed.implausible == (page.rows[0].number,)
    assert signed.synthetic_sha256 == page.synthetic.sha256
    assert abs((signed.day - date.today()).days) <= 1  # the browser's own day
    assert tab.complaints() == []


def test_keyboard_marks_a_row(tab):
    tab.run("document.querySelector('.review-row input').focus()")
    tab.press(" ")
    assert tab.run("document.querySelector('.review-row').dataset.mark") == "plausible"


@pytest.mark.parametrize("width", [400, 1000])
def test_nothing_serious_stands_in_the_way_and_nothing_sticks_out(tab, find_violations, width):
    tab.resize(width, 1000)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert find_violations(tab) == []
