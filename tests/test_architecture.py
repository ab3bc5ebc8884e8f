"""Imports point one way, files stay small, and looking at the package costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the bottom up; a module may import its own floor and those before it.
FLOORS = [
    {"arguments", "errors", "files", "imports", "markdown", "processor", "registered"},
    {"data"},
    {"text"},
    {"layers"},
    {"convert", "gates", "gates_figure"},
    {"models"},
    {"training", "decoding"},
    {"export"},
    {"artifacts"},
    {"evaluation"},
    {"zoo"},
    {"demo"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted([*ROOT.glob("gru_zoo/**/*.py"), *ROOT.glob("recipes/**/*.py")])


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def wrong_imports(room: str, names: set[str]) -> list[str]:
    """Imports that a file of `gru_zoo/<room>` may not have."""
    wrong = [name for name in names if name.split(".")[0] in ("recipes", "tests", "benchmarks")]
    for name in names:
        parts = name.split(".")
        if parts[0] == "gru_zoo" and len(parts) > 1 and parts[1] in FLOOR_OF:
            wrong += [name] if FLOOR_OF[parts[1]] > FLOOR_OF[room] else []
    return sorted(wrong)


def test_imports_point_one_way():
    for path in ROOT.glob("gru_zoo/**/*.py"):
        room = path.relative_to(ROOT / "gru_zoo").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in FLOOR_OF, f"{path.name} has no floor in this test's list"
        assert wrong_imports(room, imported(ast.parse(path.read_text()))) == [], path


def test_the_check_sees_a_wrong_import():
    names = imported(ast.parse("from gru_zoo.export import tflite_file\nimport gru_zoo.files"))
    assert wrong_imports("layers", names) == ["gru_zoo.export", "gru_zoo.export.tflite_file"]


def test_recipes_do_not_import_each_other():
    for path in ROOT.glob("recipes/**/*.py"):
        compares = path.stem == "compare" or path.parent.name == "comparison"
        for name in imported(ast.parse(path.read_text())):
            if name.startswith("recipes."):
                other = name.split(".")[1]
                # A recipe of several files: sentiment.py and sentiment_csv.py.
                same = other.split("_")[0] == path.stem.split("_")[0]
                same = same or (compares and other == "comparison")
                assert same or other == "shared", f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 410, "a file holds one idea"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            # A constructor's long list of arguments is no long function.
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 55, f"{node.name} has {length} lines"


def test_importing_the_package_does_not_import_tensorflow():
    code = (
        "import sys, gru_zoo, recipes.sentiment\n"
        "assert 'GRU' in dir(gru_zoo)\n"
        "heavy = {'tensorflow', 'keras', 'tensorflow_datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_unknown_names_of_the_package_are_refused():
    import gru_zoo

    with pytest.raises(AttributeError, match="has no attribute 'LSTM'"):
        gru_zoo.LSTM  # noqa: B018
