"""python -m gru_zoo.zoo list | show NAME | verify [NAME] | card NAME | reproduce NAME | ..."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.card_text import readme
from gru_zoo.artifacts.latency import latency
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.imports import import_without_optional
from gru_zoo.markdown import write_section
from gru_zoo.zoo import curves, reproducing, table
from gru_zoo.zoo.registry import card, compare, folder_of, list_models, models_folder, place

# Columns of a table that other programs may read: no row of it is wrapped or cut.
_WIDE = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 if a file is not as its card says; 2 after a bad input, or if it cannot be told what a
        file gives, as where a package is missing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    config = _parser().parse_args(arguments)
    try:
        return config.function(config)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gru_zoo.zoo",
        description="Pretrained models: list, inspect, verify and reproduce them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, function: object, text: str, named: str = "name"
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(function=function)
        if named:
            made.add_argument("name", metavar="NAME", nargs="?" if named == "names" else None)
        return made

    command("list", _list, "List all pretrained models.", named="")
    command("show", _show, "Show a model's description, files and scores.")
    checks = command(
        "verify",
        _verify,
        "Check files against their checksums and stored reference outputs.",
        named="names",
    )
    checks.add_argument("--checksums", action="store_true", help="Check only the checksums.")
    command("card", _card, "Print the model card as Markdown.")
    makes = command("reproduce", _reproduce, "Print the commands that reproduce a model.")
    makes.add_argument("--run", action="store_true", help="Run the commands too.")
    makes.add_argument(
        "--into", type=Path, default=Path("reproduced"), help="Output folder with --run."
    )
    rows = command("table", _table, "Print the table of models for README.md.", named="")
    rows.add_argument("--write", action="store_true", help="Write it into ./README.md.")
    picture = command(
        "curves", _curves, "Plot the models' learning curves to a PNG file.", named=""
    )
    picture.add_argument(
        "--out", type=Path, default=Path("saved_models/curves.png"), help="PNG file to write."
    )
    return parser


def _list(config: argparse.Namespace) -> int:
    columns = ("task", "metric", "this model", "mean ± SD over seeds", "parameters", "int8 file")
    columns = (Column("model", overflow="fold"), *columns)  # A name is never cut.
    shown = Table(*columns, title=f"{models_folder()}", title_justify="left")
    bad = 0
    for name in _all_names():
        try:
            about = card(name)
        except (ValueError, OSError) as error:  # It hides nothing of the others.
            bad += 1
            shown.add_row(escape(name), _red(str(error)))
            continue
        metric = METRICS[about.metric]
        shown.add_row(
            *(about.name, about.task, metric.title, metric.show(about.value), about.spread()),
            *(f"{about.model['parameters']:,}", _size(about, "int8")),
        )
    _console(_WIDE).print(shown)
    return 1 if bad else 0


def _show(config: argparse.Namespace) -> int:
    about = card(config.name)
    metric = METRICS[about.metric]
    facts = Table(title=about.name, title_justify="left", show_header=False)
    for what, text in (
        ("what", about.summary),
        ("task", f"{about.task} ({', '.join(about.language)})"),
        (metric.title, f"{metric.show(about.value)} on {about.scored_on}"),
        ("mean ± SD over seeds", about.spread()),
        *((f"published: {row['system']}", str(row["value"])) for row in about.published),
        ("parameters", f"{about.model['parameters']:,} ({about.model['class']})"),
        ("data", f"{about.data['name']} {about.data['version']}; {about.data['licence']}"),
        ("made", f"{about.date} {about.commit}".strip()),
    ):
        facts.add_row(escape(what), escape(text))
    files = Table("file", "KB", metric.title, "max. abs. difference", "latency")
    for export in about.exports:
        files.add_row(
            escape(export["file"]),
            f"{export['bytes'] / 1e3:,.0f}",
            "" if export.get("metric") is None else metric.show(export["metric"]),
            f"{export['largest_difference']:.1e}",
            latency(export, about.task),
        )
    console = _console()
    console.print(facts, files)
    for limit in about.limits:
        console.print(f"- {limit}", highlight=False, markup=False)
    return 0


def _verify(config: argparse.Namespace) -> int:
    from gru_zoo.zoo.goldens import replay

    shown = Table("model", "file", "max. abs. difference", "")
    bad = untold = 0
    names = [config.name] if config.name else _all_names()
    if config.name:
        card(config.name)  # Another name than the zoo's is a bad input, and no damage.
    for name in names:
        # One that is damaged hides nothing of the others.
        try:
            about, folder, lacking = _at_hand(name)
            shown.add_row(name, f"{len(about.files)} files", "", "checksums match the card")
            if lacking:
                shown.add_row("", "the others", "", escape(lacking))
            runs = {"model.keras", "golden.npz"} <= set(about.files) and not config.checksums
            for result in replay(about, folder) if runs else []:
                bad += bool(result.wrong)
                untold += bool(result.untold)
                verdict = _red(result.wrong) or escape(result.untold) or "unchanged"
                difference = "" if result.untold else f"{result.difference:.1e}"
                shown.add_row("", result.file, difference, verdict)
        except ImportError as error:
            untold += 1
            shown.add_row("", "all of it", "", escape(str(error)))
        except (ValueError, OSError) as error:
            bad += 1
            shown.add_row(name, "", "", _red(str(error)))
    _console(_WIDE).print(shown)
    return 1 if bad else 2 if untold else 0


def _at_hand(name: str) -> tuple[Card, Path, str]:
    """Return the card of the files that can be had, compared with their checksums.

    An installed package carries some files of a model. Without an address the others cannot be
    had, and nothing is known to be wrong with them.

    Returns:
        the card, without what cannot be had; the folder; why something cannot be had, or nothing.
    """
    about = card(name)
    try:
        return about, place(name), ""
    except ConnectionError as error:
        folder = folder_of(name)
        here = {path: file for path, file in about.files.items() if (folder / path).is_file()}
        compare(name, folder, here)
        exports = [export for export in about.exports if export["file"] in here]
        return dataclasses.replace(about, files=here, exports=exports), folder, str(error)


def _red(text: str) -> str:
    return f"[red]{escape(text)}[/red]" if text else ""


def _all_names() -> list[str]:
    """Return every model's name; raise ValueError if there is none."""
    if names := list_models():
        return names
    raise ValueError(
        f"GRU_ZOO_MODELS must be a folder of models; none was found in {models_folder()}."
    )


def _card(config: argparse.Namespace) -> int:
    print(readme(card(config.name)))
    return 0


def _reproduce(config: argparse.Namespace) -> int:
    about = card(config.name)
    if not config.run:
        print("\n".join(about.commands))
        return 0
    made = reproducing.run(about, config.into)
    metric = METRICS[about.metric]
    shown = Table("", metric.title, "mean ± SD over seeds")
    for what, one in (("the zoo's", about), (str(config.into), made)):
        shown.add_row(what, metric.show(one.value), one.spread())
    _console().print(shown)
    return 0


def _table(config: argparse.Namespace) -> int:
    made = table.preset_table(map(card, _all_names()))
    if config.write:
        write_section("README.md", made, table.BEGIN, table.END)
    else:
        print(made)
    return 0


def _curves(config: argparse.Namespace) -> int:
    names = curves.draw(map(card, _all_names()), config.out)
    print(f"{config.out}: {', '.join(names)}")
    return 0


def _size(about: Card, variant: str) -> str:
    sizes = [export["bytes"] for export in about.exports if export["variant"] == variant]
    return f"{sum(sizes) / 1e3:,.0f} KB" if sizes else "–"


def _console(width: int = 140) -> Console:
    """Return a console; `width` is that of an output that is no terminal."""
    return Console(width=None if sys.stdout.isatty() else width)


if __name__ == "__main__":
    import_without_optional()
    sys.exit(main())
