"""One comment on the pull request, updated in place."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthgate.action.settings import Event
from synthgate.action.telling import annotation
from synthgate.cli.output import say

MARK = "<!-- synthgate: {name} -->"
LIMIT = 65_000
PAGES = 30
SECONDS = 20
REFUSED = (401, 403, 404)


def post(event: Event, text: str, name: str, env: Mapping[str, str]) -> None:
    """Write the verdict as a comment, over the one that an earlier run left.

    Where the token may not write, as on pull requests from forks, the job summary has to do; a
    notice says so, and the job goes on.
    """
    token, api = env.get("TOKEN", ""), env.get("GITHUB_API_URL", "https://api.github.com")
    if event.pull_request is None:
        return
    if event.from_fork or not token:
        say(annotation("notice", "no comment: the token of a fork may not write. The job summary has the verdict."))
        return
    mark = MARK.format(name="".join(c for c in name if c.isalnum() or c in "._-"))
    issues = f"{api}/repos/{event.repository}/issues"
    try:
        earlier = _find(f"{issues}/{event.pull_request}/comments", mark, token)
        body = {"body": fit(f"{mark}\n{text}")}
        if earlier is None:
            _call("POST", f"{issues}/{event.pull_request}/comments", token, body)
        else:
            _call("PATCH", f"{issues}/comments/{earlier}", token, body)
    except urllib.error.HTTPError as error:
        why = "the token may not write comments (permissions: pull-requests: write)" if error.code in REFUSED else error
        say(annotation("notice", f"no comment: {why}. The job summary has the verdict."))
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        say(annotation("notice", f"no comment: {error}. The job summary has the verdict."))


def fit(text: str) -> str:
    """Return as much of a comment as GitHub takes, cut where nothing is open."""
    if len(text.encode("utf-16-le")) // 2 <= LIMIT:
        return text
    lines, size, depth, kept = text.splitlines(), 0, 0, 0
    for at, line in enumerate(lines):
        size += len(line.encode("utf-16-le")) // 2 + 1
        if size > LIMIT - 200:
            break
        depth += line.count("<details") - line.count("</details>")
        if depth == 0:
            kept = at + 1
    return "\n".join([*lines[:kept], "", "The rest found no room here: the job summary has it."])


def _find(url: str, mark: str, token: str) -> int | None:
    for page in range(1, PAGES + 1):
        found = _call("GET", f"{url}?per_page=100&page={page}", token)
        for comment in found:
            if str(comment.get("body", "")).startswith(mark):
                return int(comment["id"])
        if len(found) < 100:
            return None
    return None


def _call(method: str, url: str, token: str, body: Mapping[str, str] | None = None) -> Any:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ValueError("the API is not reached over https")
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        url,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "User-Agent": "synthgate",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - as above
        return json.loads(answer.read() or b"null")


def read_text(path: Path) -> str:
    """Return the text that the gate step left for the comment."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""
