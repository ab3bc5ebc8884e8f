"""A language model's artifact and card, its files alone, and a preset's rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.artifacts.file_names import file_of
from gru_zoo.export.variants import BASIC
from gru_zoo.files import size_of
from recipes.shared import models, reviews
from recipes.shared.device_files import require_new
from recipes.shared.presets import folder_to_rewrite

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.models.language_model import LanguageModel
    from gru_zoo.training.runs import RunFolder
    from recipes.language_model import Train

# What files are compared on: so many test texts, so many tokens of each.
TEXTS, TOKENS = 40, 50
ABOUT = {
    "imdb": {
        "summary": "Predicts the next word of an English film review.",
        "uses": (
            "Suggestions while a review is typed, and a starting point for training on other "
            "tasks. Not a source of facts: its texts sound like reviews and mean nothing."
        ),
        "dataset": "stanfordnlp/imdb",
        "published": (
            {
                "system": "GRU with 13 million parameters on other data, Penn Treebank (words)",
                "value": "92.5",
                "source": "Bai et al. 2018",
            },
        ),
        "limits": (
            "It knows only the words of its vocabulary, in lower case and without punctuation.",
            "It was trained on film reviews from before 2011, and reproduces the opinions and the "
            "prejudices in them.",
        ),
    },
    "tiny_shakespeare": {
        "summary": "Predicts the next character of a play.",
        "uses": "An example of character-level training and streaming, small enough to look into.",
        "dataset": "tiny_shakespeare",
        "published": (
            {
                "system": "GRU with 3 million parameters on other data, Penn Treebank (characters)",
                "value": "1.37",
                "source": "Bai et al. 2018",
            },
        ),
        "limits": (
            "It was trained on a million characters by one author and knows no other language.",
        ),
    },
}


def kind_of(dataset: str) -> dict[str, Any]:
    """Return what tells a data set's models from others: task, language, data set and metric."""
    from recipes.language_model_text import METRIC

    return {
        "task": "text-generation",
        "language": ["en"],
        "dataset": ABOUT[dataset]["dataset"],
        "metric": METRIC[dataset],
    }


def write_artifact(
    run: RunFolder, model: LanguageModel, config: Train, command: str, variants: Sequence[str]
) -> Card:
    """Write `artifact/` into a run: its files, compared with the model, with their card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        config: its flags.
        command: that trained it.
        variants: some of `gru_zoo.artifacts.file_names.SHIPPED`.
    """
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.language_model import language_model_goldens, language_model_parts

    ids = beginnings(model, config)
    return publish(
        run.path / "artifact",
        _about(run, model, config, command),
        model,
        **language_model_parts(model, ids, variants),
        goldens=language_model_goldens(model, ids[:8]),
    )


def write_files(model: LanguageModel, out: Path, overwrite: bool) -> None:
    """Write a model as TFLite files and SavedModel, each compared with it.

    Raises:
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    from gru_zoo import export

    require_new(out, [*map(file_of, BASIC), "saved_model"], overwrite)
    for variant in BASIC:
        path = out / file_of(variant)
        difference = export.tflite(model, path, variant, overwrite=True)
        print(f"{path}: {size_of(path) / 1e3:,.0f} KB, max. abs. difference {difference:.1e}")
    difference = export.saved_model(model, out / "saved_model", overwrite=True)
    print(f"{out / 'saved_model'}: SavedModel, max. abs. difference {difference:.1e}")


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is another than can be
            read here.
    """
    from gru_zoo.artifacts.folder import publish_again
    from gru_zoo.artifacts.language_model import language_model_parts
    from gru_zoo.models.language_model import LanguageModel
    from recipes.language_model import Train
    from recipes.language_model_text import read
    from recipes.shared.publishing import require_same_data

    folder = folder_to_rewrite(name)
    model = models.of_zoo("preset", name, LanguageModel)
    about = {told["dataset"]: dataset for dataset, told in ABOUT.items()}
    # A play has one source.
    form = reviews.form_of(model.card.data)
    flags = Train(dataset=about[model.card.dataset], source=form)
    require_same_data(model.card, read("test", flags)[1])
    variants = [export["variant"] for export in model.card.exports]
    parts = language_model_parts(model, beginnings(model, flags), variants)
    return publish_again(folder, model, **parts)


def beginnings(model: LanguageModel, config: Train) -> np.ndarray:
    """Return the first ids of test texts that are long enough, int32 [at most TEXTS, TOKENS].

    Raises:
        ValueError: no text is long enough.
    """
    import numpy as np

    from gru_zoo.text.tokenizers import SPECIAL, START
    from recipes.language_model_text import read

    texts = read("test", config)[0]
    if len(texts) == 1:  # a play: its pieces
        size = max(TOKENS, len(texts[0]) // TEXTS)
        texts = [texts[0][first : first + size] for first in range(0, len(texts[0]), size)]
    rows = model.tokenizer.words(texts[: 4 * TEXTS]).to_list()
    start = SPECIAL.index(START)
    rows = [[start, *row[: TOKENS - 1]] for row in rows if len(row) >= TOKENS - 1]
    if not rows:
        raise ValueError(
            f"finished must have a test text of at least {TOKENS - 1} tokens; it has none."
        )
    return np.array(rows[:TEXTS], np.int32)


def _about(run: RunFolder, model: LanguageModel, config: Train, command: str) -> About:
    from gru_zoo.artifacts.card import About
    from recipes.shared.publishing import score_of

    metrics, about = run.metrics(), ABOUT[config.dataset]
    overlap = reviews.overlap(metrics["data"], True) if config.dataset == "imdb" else []
    return About(
        name=run.path.name,
        data=metrics["data"],
        scored_on=_scored_on(config, metrics),
        scores=[score_of(run)],
        shipped_seed=config.seed,
        commands=[command],
        configuration={
            "tokens": model.tokens,
            "embedding_dim": model.embedding_dim,
            "units": model.units,
            "dropout": model.dropout,
        },
        **{**about, **kind_of(config.dataset), "limits": [*about["limits"], *overlap]},
    )


def _scored_on(config: Train, metrics: Mapping[str, Any]) -> str:
    """Say what the score of a run's test was measured on."""
    if config.dataset == "tiny_shakespeare":
        part = f"the first {config.limit:,} characters of " if config.limit else ""
        return f"{part}the last 5 % of Tiny Shakespeare"
    size, test = metrics["test"]["texts"], metrics["data"]["splits"]["test"]
    if reviews.form_of(metrics["data"]) == "tfds" and size == test["size"]:
        return test["description"]  # "IMDB's test half": its size is known.
    return reviews.so_many(size, test["size"], test["description"])
