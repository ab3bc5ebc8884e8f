"""The README and the pages in docs: links lead somewhere, commands are today's, code is Python."""

import ast
import importlib
import importlib.util
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
import tyro

from gru_zoo.zoo import card, list_models

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def fences(text: str, *languages: str) -> list[str]:
    """The contents of a page's blocks of code in one of some languages."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for language, content in found if language in languages]


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    """The relative targets of a page's links and pictures."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'src="([^"]+)"', prose)
    return [target for target in found if "://" not in target]


def broken(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in links(text):
        path, _, anchor = unquote(target).partition("#")
        place = (page.parent / path) if path else page
        if not place.exists() or (anchor and anchor not in anchors(place.read_text("utf-8"))):
            wrong.append(target)
    return wrong


def commands(text: str) -> list[list[str]]:
    """The words of each `python -m recipes...` command in a page's blocks of shell."""
    found = []
    for block in fences(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            # A loop's variable stands for a number.
            for part in re.split(r"&&|;", re.sub(r"\$(seed|fold)", "0", line)):
                words = shlex.split(part.strip().removeprefix("do "), comments=True)
                if words[:2] == ["python", "-m"] and words[2].startswith("recipes."):
                    found.append(words[2:])
    return found


def read_by_its_recipe(words: list[str]) -> bool:
    """Whether a command's flags are those of its recipe."""
    module, *rest = words
    steps = importlib.import_module(module).COMMANDS
    step = rest.pop(0) if rest and rest[0] in steps else next(iter(steps))
    flags, _ = steps[step]
    try:
        return isinstance(tyro.cli(flags, args=rest), flags)
    except SystemExit:
        return False


def missing(code: str) -> list[str]:
    """What a page's code imports from the package and is not there."""
    wrong = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            named = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        ours = [(module, name) for module, name in named if module.split(".")[0] == "gru_zoo"]
        wrong += [
            f"{module} {name or ''}".strip() for module, name in ours if not has(module, name)
        ]
    return wrong


def has(module: str, name: str | None) -> bool:
    """Whether there is a module, and a name in it; TensorFlow is not imported for that."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # of a package that is not there
        return False
    if spec is None or name is None:
        return spec is not None
    if spec.submodule_search_locations is not None:  # A package imports its names when asked.
        whole = f"{module}.{name}"
        return name in dir(importlib.import_module(module)) or bool(importlib.util.find_spec(whole))
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    assigned = [n.targets[0] for n in tree.body if isinstance(n, ast.Assign)]
    return name in {getattr(n, "name", getattr(n, "id", None)) for n in [*tree.body, *assigned]}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    assert broken(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_recipes_take_the_commands(page, capsys):
    for words in commands(page.read_text("utf-8")):
        if "--help" not in words:
            assert read_by_its_recipe(words), (shlex.join(words), capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_is_python(page):
    for content in fences(page.read_text("utf-8"), "python"):
        assert ast.parse(content).body, content
        assert missing(content) == []


def test_every_recipe_and_page_is_named_in_the_readme():
    text = PAGES[0].read_text("utf-8")
    assert {f"docs/{page.name}" for page in PAGES[1:]} <= {t.partition("#")[0] for t in links(text)}
    named = {words[0] for page in PAGES for words in commands(page.read_text("utf-8"))}
    with_commands = {
        f"recipes.{path.stem}"
        for path in ROOT.glob("recipes/*.py")
        if "\nCOMMANDS = " in path.read_text("utf-8")
    }
    assert named == with_commands


def test_the_variants_are_the_same_on_both_pages():
    tables = []
    for page in ("README.md", "docs/export.md"):
        rest = (ROOT / page).read_text("utf-8").partition("| TFLite variant |")[2]
        tables.append(rest.partition("\n\n")[0].splitlines())
    assert tables[0] == tables[1] and len(tables[0]) == 7


@pytest.mark.parametrize("name", list_models())
def test_the_table_of_recipes_has_the_cards_scores(name):
    text = PAGES[0].read_text("utf-8").partition("## Recipes")[2].partition("**Data.**")[0]
    score = card(name).spread().partition(" (")[0].replace(" %", "")
    # The other presets of these tasks are not in the table.
    others = ("music_nottingham_gru_small", "next_word_imdb_gru_base", "translation_multi30k_en_de")
    if name.startswith(others):
        assert score not in text
    else:
        assert score in text, score


def test_the_checks_see_what_is_wrong(capsys):
    page = PAGES[0]
    assert broken(page, "[a](docs/none.md), [b](#none), [c](docs/zoo.md#none)") == [
        *("docs/none.md", "#none", "docs/zoo.md#none")
    ]
    text = (
        "```sh\nfor seed in 0 1; do python -m recipes.ngrams train \\\n  --none 1  # so\ndone\n```"
    )
    assert commands(text) == [["recipes.ngrams", "train", "--none", "1"]]
    assert not read_by_its_recipe(commands(text)[0])
    assert "--none" in capsys.readouterr().err
    assert missing("from gru_zoo.export import LiteReader, micro, none\nimport gru_zoo.none") == [
        *("gru_zoo.export none", "gru_zoo.none")
    ]
    assert missing("import keras\nfrom gru_zoo.zoo.table import none, preset_table") == [
        "gru_zoo.zoo.table none"
    ]
