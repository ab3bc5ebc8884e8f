"""A translator's artifact and card, its device files alone, and a preset's rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.data.pairs import Pairs
from recipes import translation_data
from recipes.shared import models
from recipes.shared.device_files import write_compared
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of
from recipes.translation_card import words_of
from recipes.translation_flags import Train

if TYPE_CHECKING:
    import sacrebleu

    from gru_zoo.artifacts.card import About, Card
    from gru_zoo.artifacts.translator import Task
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.training.runs import RunFolder

GOLDENS = 16
# What a card has for a corpus where that is a user's table.
OWN = "own"


def new_bleu() -> sacrebleu.BLEU:
    """Return sacreBLEU's metric.

    Raises:
        ImportError: the package sacrebleu is missing.
    """
    try:
        import sacrebleu
    except ImportError as error:
        raise ImportError(
            'BLEU needs the package sacrebleu: pip install "gru-zoo[translation]".'
        ) from error
    return sacrebleu.BLEU()


def bleu(translations: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Return the sacreBLEU score, 0 to 100, and its signature.

    Raises:
        ImportError: the package sacrebleu is missing.
    """
    metric = new_bleu()
    score = metric.corpus_score(list(translations), [list(references)])
    return score.score, str(metric.get_signature())


def task_of(pairs: Pairs, beams: int, alpha: float, few: bool = False) -> Task:
    """Return what files are compared and scored on: a split, with this beam search.

    Args:
        pairs: of the split.
        beams: of the search.
        alpha: of its length penalty.
        few: take the first 200 sentences at most, as many as numbers are compared for.
    """
    from gru_zoo.artifacts.translator import COMPARED, Task

    if few:
        pairs = Pairs(*(texts[:COMPARED] for texts in pairs))

    def score(translations: Sequence[str]) -> float:
        return bleu(translations, pairs.target)[0]

    return Task(pairs.source, score, beams, alpha)


def write_artifact(
    run: RunFolder, model: Seq2Seq, pairs: Pairs, config: Any, commands: Sequence[str]
) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        pairs: the test split.
        config: the run's flags.
        commands: that trained it, the last one itself.
    """
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.translator import translator_goldens, translator_parts

    task = task_of(pairs, config.beams, config.alpha)
    return publish(
        run.path / "artifact",
        _about(run, model, config, commands),
        model,
        **translator_parts(model, task),
        goldens=translator_goldens(model, pairs.source[:GOLDENS], task),
    )


def write_files(model: Seq2Seq, out: Path, task: Task, overwrite: bool) -> None:
    """Write the device's files into a folder, each compared with the model.

    Raises:
        ValueError: the model's cell has no such files.
        FileExistsError: one is there, and is not to be replaced.
        export.Refused: a file does not do what the model does; none is left there.
    """
    from gru_zoo.artifacts.translator import translator_parts

    def shown(record: Mapping[str, Any]) -> str:
        return (
            f"BLEU {record['metric']:.2f} on {len(task.sources)} sentences (the model's: "
            f"{record['model_metric']:.2f}), max. abs. difference "
            f"{record['largest_difference']:.1e}"
        )

    parts = translator_parts(model, task)
    write_compared(out, parts["files"], parts["compare"], shown, overwrite)


def test_of(model: Seq2Seq) -> Pairs:
    """Return the test split of a preset's corpus, or the part that its run has read.

    Raises:
        ValueError: it is not the one that the preset's scores are of, or it is of a user's table.
    """
    known = model.card.configuration
    if known.get("corpus") == OWN:
        raise ValueError(
            f"preset must be trained on a corpus; {model.card.name} was on "
            f"{model.card.data['name']}: export --run its run, which knows the columns."
        )
    flags = {name: known[name] for name in ("corpus", "pair", "limit") if name in known}
    pairs, source = translation_data.load("test", Train(**flags))
    require_same_data(model.card, source)
    return pairs


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    Raises:
        ValueError: no such preset, a model of another kind, or its data is not what can be read
            here.
    """
    from gru_zoo.artifacts.folder import publish_again
    from gru_zoo.artifacts.translator import translator_parts
    from gru_zoo.models.seq2seq import Seq2Seq

    folder = folder_to_rewrite(name)
    model = models.of_zoo("preset", name, Seq2Seq)
    known = model.card.configuration
    pairs = test_of(model)
    parts = translator_parts(model, task_of(pairs, known["beams"], known["alpha"]))
    return publish_again(folder, model, **parts)


def _about(run: RunFolder, model: Seq2Seq, config: Any, commands: Sequence[str]) -> About:
    from gru_zoo.artifacts.card import About, Section
    from gru_zoo.artifacts.translator import translator_configuration

    metrics = run.metrics()
    history = [
        [
            int(row["epoch"]),
            f"{row['loss']:.3f}",
            f"{row['val_loss']:.3f}",
            f"{row['val_bleu']:.1f}",
        ]
        for row in run.history
    ]
    text = (
        "The training loss has label smoothing, the validation loss has none; validation BLEU is "
        "of greedy decoding. The scores above are of beam search with "
        f"{config.beams} beams and a length penalty of {config.alpha:g}; "
        f"sacreBLEU signature {metrics['signature']}."
    )
    whole = metrics["data"]["splits"]["train"]["size"]
    words = words_of(config, trained_on=min(config.limit or whole, whole))
    columns = ["epoch", "training loss", "validation loss", "validation BLEU"]
    return About(
        name=run.path.name,
        task="translation",
        language=config.pair.split("-"),
        summary=words.summary,
        uses=words.uses,
        metric="bleu",
        dataset=words.dataset,
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=run.config["seed"],
        commands=list(commands),
        configuration={
            **translator_configuration(model),
            "corpus": OWN if config.csv else config.corpus,
            "pair": config.pair,
            "beams": config.beams,
            "alpha": config.alpha,
            **({"limit": config.limit} if config.limit else {}),
            **({"held_out": config.held_out} if config.csv else {}),
        },
        published=words.published,
        measured=[Section("Learning curve", columns, history, text)],
        limits=[*words.limits, *translation_data.learnt_before(config.start)],
    )
