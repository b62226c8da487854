"""House rules, kept by a test. Each rule is a function from source to breaches, and each is shown to catch one."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from synthgate.catalogue import FAMILY_MODULES, MEASURES
from synthgate.declared import declared_checks

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "synthgate"

MAX_FUNCTION = 60
MAX_MODULE = 450

# Innermost first: a module imports from its own layer and from those above it in this list.
LAYERS = {
    "words": ("errors", "findings", "roles", "threads", "contracts", "libraries", "_bundle"),
    "tables": ("tables",),
    "counts": (
        "canonical",
        "blocks",
        "values",
        "statistics",
        "rounding",
        "plan",
        "infer",
        "notations",
        "counts",
        "contingency",
        "crosstabs",
        "suppression",
        "expressions",
    ),
    "evidence": (
        "sample",
        "sampling",
        "encoding",
        "links",
        "sides",
        "survey",
        "clusters",
        "joints",
        "evidence",
        "profile",
        "catalogue",
        "mining",
        "typed",
    ),
    "measures": ("measures",),
    "gate": (
        "yamlfile",
        "declared",
        "gatefile",
        "schemas",
        "judging",
        "wrong_labels",
        "wrong_values",
        "diagnosis",
        "verdict",
        "results",
        "ratchet",
        "guard",
        "cache",
        "bridges",
        "looks",
        "scaffold",
        "profiling",
        "review",
        "clock",
        "contradictions",
        "dealing",
        "gathering",
        "linking",
        "dataset",
        "merging",
        "gate",
    ),
    "self test": ("defects",),
    "command line": ("cli", "action", "testing", "demo", "__main__", "__init__"),
}
RANK = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules}
# Reports know findings only, and only what shows a verdict knows reports.
RENDER_MAY_IMPORT = {"render", "findings", "verdict", "_bundle", "errors"}
MAY_IMPORT_RENDER = {"render", "verdict", "cli", "action", "testing", "review", "defects", "__init__"}

TOP_LEVEL = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "checks",
    "docs",
    "github-action",
    "pyproject.toml",
    "reports",
    "synthgate",
    "tests",
}
ROOMS = {"synthgate", "checks", "reports", "tests", "github-action", "benchmarks"}

FORBIDDEN_CALLS = {"print", "eval", "exec", "compile", "breakpoint", "input"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
# Where a defect becomes an `error` finding, where one becomes exit code 4, and where a user's own file is run.
BROAD_EXCEPT_ALLOWED = {"gate": 1, "cli.app": 1, "bridges.user_code": 1}
# Families whose checks stand on published methods, and name them.
SCIENCE = {"fidelity", "utility", "privacy"}
VAGUE_NAMES = {"utils", "util", "helpers", "common", "base", "manager", "misc", "core"}

# What is imported under another name than that of the dependency which brings it.
INSTALLED_AS = {
    "sklearn": "scikit-learn",
    "ruamel": "ruamel.yaml",
    "markupsafe": "jinja2",
    "great_expectations": "great-expectations",
    # a polars schema of pandera's can only be there when polars is
    "polars": "pandera",
    # pandera's extra `io`
    "yaml": "pandera",
}
HEAVY = (
    "numpy",
    "scipy",
    "sklearn",
    "pyarrow",
    "duckdb",
    "jinja2",
    "pandas",
    "polars",
    "sdmetrics",
    "pandera",
    "great_expectations",
)


def name_of(path: Path) -> str:
    """Return the module's name without the package's: ``tables.files``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from runtime_nodes(node)


def imported(tree: ast.AST) -> Iterator[str]:
    """Return the full name of every module that is imported at run time, at the top or inside a function."""
    for node in runtime_nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "synthgate":
                yield from (f"synthgate.{alias.name}" for alias in node.names)
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own(tree: ast.AST) -> Iterator[str]:
    """Return the first part of each imported module of this package."""
    for name in imported(tree):
        parts = name.split(".")
        if parts[0] == "synthgate" and len(parts) > 1:
            yield parts[1]


def wrong_imports(name: str, tree: ast.AST) -> list[str]:
    """Imports against the direction command line -> gate -> measures -> counts -> tables."""
    module = name.split(".", maxsplit=1)[0]
    breaches = []
    for other in own(tree):
        if "render" in (module, other):
            allowed = RENDER_MAY_IMPORT if module == "render" else MAY_IMPORT_RENDER
            wrong = (other if module == "render" else module) not in allowed
        else:
            wrong = RANK.get(other, 0) > RANK[module]
        breaches += [f"{name} imports {other}"] if wrong else []
    return breaches


def long_parts(name: str, tree: ast.AST) -> list[str]:
    """Functions that are too long to be read at once."""
    return [
        f"{name}.{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > MAX_FUNCTION
    ]


def forbidden_calls(name: str, tree: ast.AST) -> list[str]:
    """Calls and imports that print, run text as code, or unpickle."""
    calls = [
        f"{name}:{node.lineno} calls {node.func.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS
    ]
    return calls + [f"{name} imports {m}" for m in imported(tree) if m.split(".")[0] in FORBIDDEN_MODULES]


def broad_excepts(name: str, tree: ast.AST) -> list[str]:
    """Handlers that catch everything, beyond the ones that the two boundaries may have."""

    def is_broad(kind: ast.expr | None) -> bool:
        if isinstance(kind, ast.Tuple):
            return any(is_broad(item) for item in kind.elts)
        return kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})

    found = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and is_broad(n.type)]
    return [f"{name}:{line} catches everything" for line in found[BROAD_EXCEPT_ALLOWED.get(name, 0) :]]


def undocumented(name: str, tree: ast.Module) -> list[str]:
    """Modules, public classes, functions and methods without a docstring."""
    breaches = [name] if tree.body and not ast.get_docstring(tree) else []

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            if any("overload" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            if not ast.get_docstring(node):
                breaches.append(f"{prefix}.{node.name}")
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}.{node.name}")

    look(tree.body, name)
    return breaches


def open_environments(name: str, tree: ast.AST) -> list[str]:
    """Jinja2 environments that do not escape what they are given."""
    breaches = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Environment"):
            escapes = [k.value for k in node.keywords if k.arg == "autoescape"]
            if not any(isinstance(value, ast.Constant) and value.value is True for value in escapes):
                breaches.append(f"{name}:{node.lineno} has an environment without autoescape=True")
    return breaches


CATCHES: dict[Callable[[str, ast.Module], list[str]], tuple[str, str]] = {
    wrong_imports: ("tables.files", "from synthgate.gate import evaluate"),
    long_parts: ("gate", "def f():\n" + "    x = 1\n" * MAX_FUNCTION),
    forbidden_calls: ("gate", "'a'\nprint(1)"),
    broad_excepts: ("measures.privacy", "try:\n    pass\nexcept (ValueError, Exception):\n    pass"),
    undocumented: ("gate", "'a'\nclass A:\n    'a'\n    def f(self):\n        return 1"),
    open_environments: ("render.html", "import jinja2\njinja2.Environment(autoescape=False)"),
}


@pytest.mark.parametrize("rule", CATCHES, ids=lambda rule: rule.__name__)
def test_rule_is_kept(rule: Callable[[str, ast.Module], list[str]]) -> None:
    assert len(SOURCES) > 20
    assert [breach for name, tree in TREES.items() for breach in rule(name, tree)] == []


@pytest.mark.parametrize("rule", CATCHES, ids=lambda rule: rule.__name__)
def test_rule_catches_a_breach(rule: Callable[[str, ast.Module], list[str]]) -> None:
    name, source = CATCHES[rule]
    assert len(rule(name, ast.parse(source))) == 1


def test_every_module_has_a_layer() -> None:
    modules = {name.split(".")[0] for name in SOURCES}
    assert modules - RANK.keys() - {"render"} == set(), "give the new module a layer in LAYERS"


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("render.html", "from synthgate.counts import Counts", 1),
        ("render.html", "from synthgate.findings import Finding", 0),
        ("measures.fidelity", "from synthgate.render import write", 1),
        ("measures.fidelity", "def f():\n    from synthgate.gate import evaluate", 1),
        ("measures.fidelity", "from synthgate import gate", 1),
        ("measures.fidelity", "if TYPE_CHECKING:\n    from synthgate.gatefile import Constraint", 0),
        ("gate", "from synthgate.measures import fidelity", 0),
    ],
)
def test_import_direction_is_read_rightly(name: str, source: str, wrong: int) -> None:
    assert len(wrong_imports(name, ast.parse(source))) == wrong


def test_modules_are_short() -> None:
    assert {name: n for name, text in SOURCES.items() if (n := text.count("\n")) > MAX_MODULE} == {}


def test_names_say_what_is_inside() -> None:
    assert [name for name in SOURCES if VAGUE_NAMES & set(name.split("."))] == []


def test_silenced_rules_say_why() -> None:
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore|pragma)(?P<rest>.*)")
    with_reason = re.compile(r"^(: [A-Z0-9, ]+|\[[a-z, -]+\]) +(-|#) +\S+")
    breaches = [
        f"{name}: {line.strip()}"
        for name, text in SOURCES.items()
        for line in text.splitlines()
        if (found := silenced.search(line)) and not with_reason.match(found["rest"])
    ]
    assert breaches == []


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError")
    assert [name for name, text in SOURCES.items() if marks.search(text)] == []


def test_third_party_imports_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(p for extra in project["optional-dependencies"].values() for p in extra)]
    declared = {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in wanted}
    used = {name.split(".")[0] for tree in TREES.values() for name in imported(tree)}
    third_party = {INSTALLED_AS.get(n, n) for n in used - sys.stdlib_module_names - {"synthgate"}}
    assert third_party - declared == set()
    assert {re.split(r"[<>=!~\[ ]", r)[0] for r in project["dependencies"]} - third_party == set()


def test_dependencies_are_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["test"], *groups["lint"]]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in wanted]
    assert [name for name in names if f"| {name} |" not in text] == []


@pytest.mark.parametrize("start", ["import synthgate", "import synthgate.cli"])
def test_the_start_loads_nothing_heavy(start: str) -> None:
    code = f"import sys; {start}; sys.exit(','.join(sorted(set({HEAVY!r}) & set(sys.modules))) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a checkout")
def test_the_top_level_holds_the_agreed_rooms() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert names - TOP_LEVEL == set()
    assert ROOMS - names == set()


def test_python_is_in_its_rooms_only() -> None:
    assert [str(p) for room in ("checks", "reports", "github-action") for p in (ROOT / room).rglob("*.py")] == []


def test_declared_checks_and_measures_match_one_to_one() -> None:
    for module in FAMILY_MODULES.values():
        import_module(module)
    declared = Counter(check.id for check in declared_checks())
    assert [check_id for check_id, n in declared.items() if n > 1] == []
    assert declared.keys() == MEASURES.keys()
    assert len(declared) >= 15


def test_every_check_and_measure_is_explained() -> None:
    for check in declared_checks():
        found = MEASURES.get(check.id)
        assert check.id.startswith(f"{check.family}.")
        assert check.question.endswith("?"), check.id
        assert check.how_to_read, check.id
        assert check.sources or check.family not in SCIENCE, check.id
        assert set(check.options) <= set(found.options if found else ()), check.id
        assert inspect.getdoc(found.compute) if found else True, check.id


def test_templates_escape_everything() -> None:
    templates = [path for path in (ROOT / "reports" / "templates").rglob("*") if path.is_file()]
    assert templates
    # The style sheet and the script are files of our own; nothing else may go in as it is.
    unsafe = re.compile(r"(?<!style)(?<!script)\s*\|\s*safe\b|autoescape\s+false")
    text = {path.name: path.read_text(encoding="utf-8") for path in templates}
    assert {name: unsafe.findall(body) for name, body in text.items() if unsafe.search(body)} == {}
