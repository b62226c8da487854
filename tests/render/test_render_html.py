"""The page: self-contained, escaped, readable without its script, and small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from synthgate.findings import Estimate, Finding, Measured, Outcome, Status
from synthgate.render import html, pictures, render, text
from synthgate.verdict import Verdict

VOID = {"meta", "br", "input", "hr", "img", "link"}
LINKS = ("src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction", "style")


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.code: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        self.inside.append(f"/{tag}")

    def handle_data(self, data):
        if self.inside and self.inside[-1] in ("style", "script"):
            self.code[self.inside[-1]] = data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(verdict: Verdict) -> Page:
    return Page(html.render(verdict))


@pytest.mark.parametrize("rendered", [html.render, html.render_fragment])
def test_hostile_text_makes_no_element_and_no_attribute(verdict, hostile, hostile_texts, rendered):
    plain, evil = Page(rendered(verdict)), Page(rendered(hostile))
    assert {name for name, _ in evil.elements} <= {name for name, _ in plain.elements} | {
        "circle",
        "rect",
        "em",
        "ul",
        "li",
    }
    for name, attributes in evil.elements:
        assert name not in ("img", "iframe", "object", "a:x")
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
    assert len(evil.all("script")) == len(plain.all("script"))
    shown = ("<script>alert(1)</script>", hostile_texts[2]) if rendered is html.render else (hostile_texts[2],)
    assert all(words in evil.text for words in shown)
    assert "49" not in evil.text.split()


def test_page_asks_for_nothing(page):
    for _, attributes in page.elements:
        for key in LINKS:
            value = attributes.get(key)
            assert value is None or value.startswith("#"), (key, value)
    assert not re.search(r"url\(|@import|https?:", page.code["style"] + page.code["script"])


def test_policy_allows_exactly_this_style_and_script(page):
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    for part in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.code[part].encode()).digest()).decode()
        assert f"{part}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_first_words_are_the_verdict(page):
    at = page.text.index
    assert at("Fail") < at("Do not use this table") < at("What failed, and what to do") < at("What is left open")
    assert at("What is left open") < at("What was judged") < at("Every check")
    assert "no row of the real table" in page.text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_has_its_word_and_sentence(verdict, outcome):
    status = {Outcome.PASS: Status.PASS, Outcome.FAIL: Status.FAIL, Outcome.INCOMPLETE: Status.NOT_ASSESSED}[outcome]
    check = replace(verdict["fidelity.columns"], status=status, required=True)
    shown = Page(html.render(Verdict(outcome=outcome, checks=(check,), run=verdict.run))).text
    words = {
        Outcome.PASS: "Pass By this gate, the table may be used in place of the real one: 1 of 1 check passed.",
        Outcome.FAIL: "Fail Do not use this table in place of the real one yet: 1 of 1 check fails, in fidelity.",
        Outcome.INCOMPLETE: "Incomplete Not decided: nothing fails, but 1 of 1 check is required and still open.",
    }
    assert words[outcome] in shown


def test_pictures_are_named_and_described(page):
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert [name for name, n in Counter(ids).items() if n > 1] == []
    pictures = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    assert len([svg for svg in pictures if svg.get("aria-labelledby")]) >= 11
    for svg in pictures:
        assert svg["role"] == "img"
        assert svg.get("aria-label") or all(part in ids for part in str(svg["aria-labelledby"]).split())


def test_tables_and_links_hold_together(page):
    assert all(head.get("scope") in ("row", "col") for head in page.all("th"))
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = [str(a["href"]) for a in page.all("a")]
    assert len(links) > 10
    assert {link[1:] for link in links} <= ids


def test_failing_checks_stand_open_and_others_do_not(verdict, page):
    state = {d["id"]: "open" in d for d in page.all("details") if str(d.get("class", "")).startswith("check")}
    assert set(state) == {check.id for check in verdict}
    for check in verdict:
        assert state[check.id] == (check.status in (Status.FAIL, Status.ERROR))


def test_fifty_findings_are_shown_and_the_rest_counted(adult_sized):
    page = Page(html.render(adult_sized))
    rows = [row for row in page.all("tr") if "data-status" in row]
    assert len([row for row in rows if row["data-status"] == "fail"]) >= 12
    assert "105 findings, worst first. The worst 50 are here, 55 more in result.json" in page.text


def test_adult_sized_page_is_small(adult_sized):
    assert 50_000 < len(html.render(adult_sized).encode()) < 1_000_000


def test_page_of_200_columns_is_small_and_tells_what_it_left_out(make_verdict):
    wide = make_verdict(200)
    assert len(wide["fidelity.pairs"].findings) == 200 * 199 / 2
    whole = html.render(wide)
    assert 300_000 < len(whole.encode()) < 5_000_000
    assert "19,850 more in" in Page(whole).text
    assert len(render(wide, "markdown")) < 65_000


def test_first_screen_tells_scores_with_ceilings_what_is_judged_and_what_is_not_known(page):
    top = page.text[: page.text.index("What failed, and what to do")]
    assert "Fidelity" in top
    assert "failing: Columns depend on each other as in real, 0.8810 where fresh real rows reach 0.9700" in top
    assert "Judged : data/synthetic.parquet (24,421 rows, 5 columns) against data/train.parquet (24,421 rows)" in top
    assert "gate file synthgate.yaml , preset default, seed 42, 1 finding waived" in top
    assert "Not known : Title of privacy.linkability (required); " in top


def test_each_failure_says_what_was_found_where_why_and_what_to_try(verdict, page):
    failed = page.text[page.text.index("What failed, and what to do") : page.text.index("What is left open")]
    pairs = failed[failed.index("fidelity.pairs Found") :]
    order = ["Found", "Where to look workclass", "Why it matters", "What to try"]
    at = [pairs.index(words) for words in order]
    assert at == sorted(at)
    assert failed.count("Where to look") == len(verdict.failures()) > 3


@pytest.mark.parametrize(
    ("check_id", "words"),
    [
        ("fidelity.detection", "relationship = 'Husband' and sex = 'Female' 2.1 % 1.1 % to 3.1 % fewer than 10 rows"),
        ("privacy.attributes", "workclass 50.0 % 48.0 % to 52.0 % 30.0 % 28.0 % to 32.0 % 28.6 %"),
        ("constraints.declared", "age >= 17 12 24,421 0.05 % fewer than 10"),
        ("utility.tstr", "true \\ said <=50K >50K <=50K 89.0 11.0 >50K 44.0 56.0"),
        ("utility.tstr", "Trained on synthetic: off by 4.0 %"),
        (
            "fidelity.higher_order",
            f"age {text.TIMES} workclass {text.TIMES} fnlwgt: 0.7800; fresh real rows 0.9600, careless 0.7000.",
        ),
        ("fidelity.pairs", "Correlations of the numerical columns"),
    ],
)
def test_pictures_have_their_numbers_in_words(verdict, check_id, words):
    only = Verdict(outcome=Outcome.FAIL, checks=(verdict[check_id],), run=verdict.run)
    assert words in Page(html.render(only)).text


def test_a_model_without_baselines_is_no_bar_between_them(verdict):
    only = Verdict(outcome=Outcome.FAIL, checks=(verdict["fidelity.detection"],), run=verdict.run)
    assert "trained on synthetic" not in Page(html.render(only)).text


def test_long_places_keep_their_end():
    shown = text.place("/srv/" + "deep/" * 30 + "synthetic.parquet")
    assert shown.startswith("…/deep")
    assert shown.endswith("/synthetic.parquet")
    assert len(shown) < 60
    assert text.place("a.csv") == "a.csv"
    assert "U+202E" in text.place("\u202e" + "x" * 99 + "/b\u202e.csv")


def test_fragment_is_short_and_has_no_script(verdict):
    short = html.render_fragment(verdict)
    assert len(short) < 8_000
    assert "<script" not in short
    assert verdict._repr_html_() == short


@pytest.mark.parametrize(
    "details",
    [
        {"distribution": 3},
        {"distribution": {"kind": "bins", "labels": ["a"], "real": [1.0], "synthetic": [], "holdout": None}},
        {"distribution": {"kind": "bins", "labels": ["a"], "real": ["x"], "synthetic": [float("nan")]}},
        {"contingency": {"rows": ["a"], "columns": [], "real": [[]], "synthetic": [[1.0, 2.0]]}},
        {"roc": "text", "attack": None, "tpr": [1]},
        {"roc": [[0.0], [1.0, 1.0], None]},
        {"model": None},
        {"expected": 0.0, "found": 1, "interval": [0.0, 1.0]},
        {"expected": "many", "found": None, "interval": None},
        {"rule": "a", "synthetic_share": None},
        {"main": {"rate": "x"}, "control": 0.5},
        {"cause": "x", "broken": 1},
        {"calibration": {"real": {"bins": 3}, "synthetic": None}},
        {"calibration": {"real": {"bins": [1, {"stated": 0.5}]}, "synthetic": {"bins": "x"}}},
        {"confusion": {"real": {"classes": ["a"], "shares": [[1]]}, "synthetic": {"classes": ["b"], "shares": [[1]]}}},
        {"confusion": {"real": {"classes": ["a"], "shares": 1}, "synthetic": {"classes": ["a"], "shares": [[1]]}}},
    ],
)
def test_details_of_another_form_give_no_picture_and_no_error(verdict, details):
    finding = Finding(measured=Measured(metric="auc", message="m", details=details), status=Status.FAIL)
    check = replace(
        verdict["fidelity.columns"],
        findings=(finding,),
        details={"heatmap": {"columns": ["a"], "real": [[1, 2]]}, "correlations": {"columns": ["a"], "pearson": 1}},
    )
    shown = html.render(Verdict(outcome=Outcome.FAIL, checks=(check,), run=verdict.run))
    assert 'class="findings' in shown
    assert "<figure" not in shown
    assert 'class="twins' not in shown


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, 1.4.3)."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_aa(theme):
    style = html.source("report.css")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[theme]))
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "sheet", "sunk")]
    for tone in ("pass", "fail", "warn", "undecided", "missing"):
        pairs += [(tone, f"{tone}-wash"), (tone, "sheet"), ("ink", f"{tone}-wash"), ("soft", f"{tone}-wash")]
    assert len(colours) > 25
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_bars_of_models_say_which_column_each_predicts():
    estimate = Estimate(value=0.7, low=0.6, high=0.8, method="exact", floor=0.5, ceiling=0.9)
    found = [
        Finding(
            measured=Measured(
                metric="auc",
                message="",
                estimate=estimate,
                columns=(column,),
                details={"model": "quick_forest"},
            ),
            status=Status.PASS,
        )
        for column in ("age", "job")
    ]
    assert [row.label for row in pictures.bullets(found, 9).rows] == ["age, quick forest", "job, quick forest"]
