"""The wheel holds what it should and nothing else, and works where there is no source tree."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# The folders of the repository that go into the wheel, and where they stand in it.
SHIPPED = {"synthgate": "synthgate", "checks": "synthgate/checks", "reports": "synthgate/reports"}
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed, and return what it says."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=CLEAN, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> dict[str, Path]:
    """Return the files that belong in the wheel, by their names there."""
    found = {}
    for folder, place in SHIPPED.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found[f"{place}/{path.relative_to(ROOT / folder).as_posix()}"] = path
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the scripts of an environment that holds the wheel, and the dependencies from this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    paths = {"base": str(folder), "platbase": str(folder)}
    scripts = Path(sysconfig.get_path("scripts", "venv", paths))
    python = scripts / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, cwd=folder)
    # Paths added this way come last and their own .pth files are not read, so an editable synthgate stays out.
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return scripts


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_data(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == sources().keys()
    assert {name.split("/")[0] for name in names} == {"synthgate"}
    wanted = ["py.typed", "checks/presets/default.yaml", "demo_data/real.csv", "demo_data/README.md"]
    assert {f"synthgate/{name}" for name in wanted} <= names
    assert any(name.startswith("synthgate/reports/templates/") for name in names)


@pytest.mark.slow
def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (licence,) = (name for name in archive.namelist() if name.endswith("/LICENSE"))
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
def test_an_installed_synthgate_works_without_the_source(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import synthgate; print(synthgate.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert "fidelity.columns" in run(installed / "synthgate", "checks", cwd=tmp_path)
    assert "privacy.copies" in run(installed / "python", "-m", "synthgate", "checks", cwd=tmp_path)


@pytest.mark.slow
def test_an_installed_synthgate_judges_the_demo(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "synthgate"), "demo"], cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    report = tmp_path / "synthgate-report" / "report.html"
    assert str(report.relative_to(tmp_path)) in done.stdout
    assert report.stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_nothing_generated_is_shipped(wheel: Path) -> None:
    assert wheel.stat().st_size < 1_500_000
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *SHIPPED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    tracked = {ROOT / name for name in listed.stdout.split("\0") if name}
    assert set(sources().values()) <= tracked
