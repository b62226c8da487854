"""The report: one HTML file that opens offline, and a fragment of it for notebooks.

Every text is escaped, and made visible where it holds characters that cannot be seen; the page's
content security policy allows its own style and script, by hash, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from synthgate._bundle import bundled
from synthgate.findings import CheckResult, Finding, Limit, Status
from synthgate.render import pictures, story, tables, text
from synthgate.verdict import Verdict, blocks

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN_FINDINGS = 50
"""Findings of one check on the page; the rest are counted there and stand in ``result.json``."""
SHOWN_WORST = 3
SHOWN_BARS = 12
SHOWN_MODELS = 4
SHOWN_IN_FRAGMENT = 6
PLAIN = re.compile(r"[a-z][a-zA-Z0-9_.-]{1,60}")


def render(verdict: Verdict) -> str:
    """Return the report as one self-contained page."""
    style, script = (source(name) for name in ("report.css", "report.js"))
    page = pages().get_template("report.html.j2")
    return page.render(
        **_view(verdict), style=style, script=script, policy=policy(style, script), shown_findings=SHOWN_FINDINGS
    )


def render_fragment(verdict: Verdict) -> str:
    """Return a short, self-contained piece of HTML for a notebook: verdict, scores, failures, what is open."""
    return pages().get_template("fragment.html.j2").render(**_view(verdict), most=SHOWN_IN_FRAGMENT)


def policy(style: str, script: str) -> str:
    """Return a content security policy that allows this style and this script, and nothing from anywhere."""
    allowed = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    parts = ("default-src 'none'", f"style-src 'sha256-{allowed[0]}'", f"script-src 'sha256-{allowed[1]}'")
    return "; ".join((*parts, "base-uri 'none'", "form-action 'none'"))


@cache
def source(name: str) -> str:
    """Return a file of ``reports/``."""
    return bundled("reports").joinpath(name).read_text(encoding="utf-8")


@cache
def pages() -> Environment:
    """Return the templates of ``reports/``, with everything escaped and made visible."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    pages = Environment(
        loader=FunctionLoader(lambda name: source(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = tomllib.loads(source("glossary.toml"))
    for function in (text.name, text.short, text.number, text.plain, text.percent, text.count, text.listed, text.place):
        pages.filters[function.__name__] = function
    pages.filters["sentence"] = text.sentence
    pages.filters["term"] = lambda word: words["terms"].get(word, "")
    pages.filters["metric"] = lambda metric: words["metrics"].get(metric, {"title": metric.replace("_", " ")})["title"]
    pages.filters["search_key"] = lambda columns: " ".join(column[:200] for column in columns).lower()
    pages.filters["meaning"] = _meaning_in(words["metrics"])
    pages.globals.update(Status=Status, story=story, pictures=pictures, scale=_scale, nothing=text.NOTHING)
    return pages


def _final(value: Any) -> Any:
    """Make what a template puts on the page visible; markup that the templates made stays as it is."""
    return text.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _meaning_in(metrics: Mapping[str, Mapping[str, str]]) -> Callable[[str], str]:
    def meaning(metric: str) -> str:
        return f"{metric}: {metrics[metric]['meaning']}" if metric in metrics else text.name(metric)

    return meaning


def _scale(finding: Finding, each: Limit) -> pictures.Scale | None:
    return pictures.scale(finding.measured.estimate, finding.measured.limit or each)


def _view(verdict: Verdict) -> dict[str, Any]:
    """Return what the templates show."""
    grouped = story.families(verdict)
    triangle = [family for family in story.TRIANGLE if family in grouped]
    cards = [*triangle, *(family for family in grouped if family not in triangle)]
    troubles = story.troubles(verdict)
    return {
        "verdict": verdict,
        "run": verdict.run,
        "sign": story.OUTCOMES[verdict.outcome],
        "opening": story.opening(verdict),
        "diagnosed": story.diagnosed(verdict),
        "counts": story.tally(verdict.checks),
        "scores": verdict.scores,
        "cards": [(family, grouped[family]) for family in cards],
        "triangle": triangle,
        "blocking": [_told(check) for check in troubles if blocks(check)],
        "warnings": [_told(check) for check in troubles if not blocks(check)],
        "open": story.left_open(verdict),
        "families": [(family, [_told(check) for check in checks]) for family, checks in grouped.items()],
        "ids": _anchors([*grouped, *(check.id for check in verdict.checks)]),
        "matrix": tables.matrix(verdict),
        "waived": [(check, f) for check in verdict.checks for f in check.findings if f.waived],
    }


def _anchors(names: Sequence[str]) -> dict[str, str]:
    """Return an HTML id for each name: itself where it is plain, so that links to it stay right."""
    return {name: name if PLAIN.fullmatch(name) else f"part-{at}" for at, name in enumerate(names)}


def _told(check: CheckResult) -> dict[str, Any]:
    """Return a check with its findings worst first and its pictures."""
    findings = story.ranked(check.findings, check.each)
    bad = [f for f in findings if f.status in (Status.FAIL, Status.ERROR, Status.WARN)]
    shaded = [f for f in findings if f.status in (Status.FAIL, Status.WARN)]
    return {
        "check": check,
        "is_open": check.status in (Status.FAIL, Status.ERROR),
        "findings": findings[:SHOWN_FINDINGS],
        "has_bars": any(_scale(f, check.each) for f in findings[:SHOWN_FINDINGS]),
        "more": max(0, len(findings) - SHOWN_FINDINGS),
        "worst": bad[:SHOWN_WORST],
        "places": story.places(bad),
        "n_bad": len(bad),
        "score_scale": pictures.scale(check.score, check.threshold),
        "distributions": pictures.present(map(pictures.distribution, findings), SHOWN_FINDINGS),
        "heatmap": pictures.heatmap(check.details),
        "heatmaps": tables.heatmaps(check),
        "traces": pictures.present(map(tables.trace, findings), SHOWN_FINDINGS),
        "courses": pictures.present(map(tables.course, findings), SHOWN_FINDINGS),
        "contingencies": pictures.present(map(pictures.contingency, shaded), pictures.SHOWN_CONTINGENCIES),
        "curves": pictures.roc(findings),
        "bullets": pictures.bullets(findings, SHOWN_BARS),
        "triples": pictures.triples(findings, SHOWN_BARS),
        "slices": pictures.slices(findings),
        "slice_rules": pictures.slice_rules(findings),
        "risks": pictures.risks(findings),
        "broken": pictures.broken(findings, SHOWN_FINDINGS),
        "correlations": pictures.correlations(check.details),
        "calibrations": pictures.present(map(pictures.calibration, findings), SHOWN_MODELS),
        "confusions": pictures.present(map(pictures.confusion, findings), SHOWN_MODELS),
    }
