"""What the pages say is true: files exist, gate files load, commands and checks are there, examples run."""

import re
from pathlib import Path

import pytest

import synthgate
from synthgate.cli import FORMATS, PRESETS, Exit, commands
from synthgate.declared import declared_checks, preset_names
from synthgate.demo import demo_files
from synthgate.gatefile import KEYS, load_gate
from synthgate.roles import Role

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "github-action").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
GATE_PAGE = (ROOT / "docs" / "gate-file.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(text) if found == language]


def gate_files() -> list[str]:
    found = [b for page in (README, GATE_PAGE) for b in blocks(page, "yaml") if "uses:" not in b]
    assert len(found) == 6
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("text", gate_files())
def test_gate_files_load(text: str, tmp_path: Path) -> None:
    path = tmp_path / "synthgate.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_gate(path).checks


def test_every_key_of_the_gate_file_is_described() -> None:
    assert [key for key in KEYS if f"`{key}`" not in GATE_PAGE] == []
    assert [name for name in preset_names() if f"| `{name}` |" not in GATE_PAGE] == []
    assert [role for role in Role if f"`{role}`" not in GATE_PAGE] == []
    assert set(PRESETS) == set(preset_names())


def test_readme_names_every_check_and_no_other() -> None:
    families = "|".join({check.family for check in declared_checks()})
    table = README.split("## What is checked")[1].split("##")[0]
    assert sorted(re.findall(rf"`((?:{families})\.\w+)`", table)) == sorted(check.id for check in declared_checks())


def test_readme_names_every_exit_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}
    assert codes == {code for code in Exit if code != Exit.INTERRUPTED}


def test_readme_uses_commands_and_options_that_exist() -> None:
    used = {line.split()[1] for line in "".join(blocks(README, "sh")).splitlines() if line.startswith("synthgate ")}
    assert used <= commands.commands.keys()
    options = {name for command in commands.commands.values() for p in command.params for name in p.opts}
    assert set(re.findall(r"`?(--[a-z]+)", README)) <= options
    (formats,) = re.findall(r"--format ([a-z,]+)", README)
    assert set(formats.split(",")) == set(FORMATS)


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(README, "python")
    files = demo_files()
    small = {}
    for name in ("real", "synthetic", "holdout"):
        lines = getattr(files, name).read_text(encoding="utf-8").splitlines()[:300]
        small[name] = tmp_path / f"{name}.csv"
        small[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {**small}
    exec(compile(example.replace('"income"', f'"{files.target}"'), "README.md", "exec"), names)
    assert isinstance(names["verdict"], synthgate.Verdict)
    assert (tmp_path / "report.html").stat().st_size > 1000
