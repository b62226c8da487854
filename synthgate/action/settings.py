"""The action's inputs and the runner's own facts, read from the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgate.errors import UsageError

FAIL_ON = ("fail", "warn", "never")
PULL_REQUESTS = ("pull_request", "pull_request_target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Inputs of one run of the action. Texts are as given; nothing here is ever part of a script.

    Attributes
    ----------
    gates : tuple of str
        Gate files or globs; empty when tables are given.
    compare : bool
        Whether a pull request's verdict is compared with its base's.
    only_changed : bool
        Whether a pull request that changes none of a gate's files skips it.
    """

    gates: tuple[str, ...] = ()
    real: str = ""
    synthetic: str = ""
    holdout: str = ""
    target: str = ""
    preset: str = ""
    baseline: str = ""
    formats: str = ""
    sarif: bool = False
    fail_on: str = "fail"
    report_dir: str = "synthgate-report"
    compare: bool = True
    only_changed: bool = True
    workspace: Path = Path()
    temp: Path = Path()

    @property
    def options(self) -> list[str]:
        """What is passed on to `synthgate run`, whatever is judged."""
        named = {"holdout": self.holdout, "target": self.target, "preset": self.preset}
        return [f"--{name}={value}" for name, value in named.items() if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What set the workflow off.

    Attributes
    ----------
    pull_request : int or None
    base : str
        The commit that the pull request is to be merged into.
    from_fork : bool
        Whether its head is another repository's, so that the token may not write.
    """

    name: str = ""
    pull_request: int | None = None
    base: str = ""
    from_fork: bool = False
    repository: str = ""


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the inputs.

    Raises
    ------
    UsageError
        For inputs that do not go together, or a setting that has no such value.
    """
    real, synthetic = env.get("REAL", ""), env.get("SYNTHETIC", "")
    if bool(real) != bool(synthetic):
        fix = "give both real and synthetic, or neither and a gate file that names them"
        raise UsageError("real, synthetic", "one table is given, expected two", fix)
    settings = Settings(
        gates=tuple(line.strip() for line in env.get("GATE", "").splitlines() if line.strip()),
        real=real,
        synthetic=synthetic,
        holdout=env.get("HOLDOUT", ""),
        target=env.get("TARGET", ""),
        preset=env.get("PRESET", ""),
        baseline=env.get("BASELINE", ""),
        formats=env.get("FORMATS", ""),
        sarif=_flag(env, "SARIF"),
        fail_on=env.get("FAIL_ON", "fail"),
        report_dir=env.get("REPORT_DIR", "synthgate-report"),
        compare=_flag(env, "COMPARE"),
        only_changed=_flag(env, "ONLY_CHANGED"),
        workspace=Path(env.get("GITHUB_WORKSPACE", ".")).resolve(),
        temp=Path(env.get("RUNNER_TEMP", ".")),
    )
    if settings.fail_on not in FAIL_ON:
        raise UsageError("fail-on", f"{settings.fail_on!r} is no choice", f"use one of: {', '.join(FAIL_ON)}")
    if not settings.report_dir or any(sign in settings.report_dir for sign in "\r\n"):
        raise UsageError("report-dir", "it must be the path of a folder, on one line", "leave it out for the default")
    return settings


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "false")
    if value not in ("true", "false"):
        where = name.lower().replace("_", "-")
        raise UsageError(where, f"{value!r} is no choice", "use true or false")
    return value == "true"


def read_event(env: Mapping[str, str]) -> Event:
    """Read the event that set the workflow off; one without a payload concerns no pull request."""
    name, repository = env.get("GITHUB_EVENT_NAME", ""), env.get("GITHUB_REPOSITORY", "")
    path = env.get("GITHUB_EVENT_PATH", "")
    if name not in PULL_REQUESTS or not path:
        return Event(name=name, repository=repository)
    payload: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    request = payload["pull_request"]
    head = (request["head"].get("repo") or {}).get("full_name")
    return Event(
        name=name,
        pull_request=int(request["number"]),
        base=str(request["base"]["sha"]),
        from_fork=name == "pull_request" and head != request["base"]["repo"]["full_name"],
        repository=repository or str(request["base"]["repo"]["full_name"]),
    )
