"""A card as its artifact's `README.md`, with the front matter that Hugging Face reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.latency import latency
from gru_zoo.artifacts.scores import METRICS
from gru_zoo.markdown import table


def readme(card: Card) -> str:
    """Return a card as Markdown.

    Example:
        >>> from gru_zoo.zoo import card
        >>> readme(card("sentiment_imdb_gru_small")).splitlines()[0]
        '---'
    """
    parts = (_front_matter, _text, _training, _files, _measured, _limits, _use, _origin)
    return "\n".join(text for text in (part(card) for part in parts) if text)


def _front_matter(card: Card) -> str:
    # https://huggingface.co/docs/hub/model-cards: JSON values are valid YAML.
    def yaml(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    metric = METRICS[card.metric]
    tags = ["gru", "keras", "on-device"]
    tags += sorted({export["variant"] for export in card.exports} & {"mediapipe", "onnx"})
    if any(export["file"].endswith(".tflite") for export in card.exports):
        tags.append("tflite")
    # The hub knows no "gru-zoo", and shows no snippet: that of "keras" would not load the model.
    return f"""---
license: apache-2.0
language: {yaml(list(card.language))}
library_name: gru-zoo
pipeline_tag: {card.task}
tags: {yaml(tags)}
datasets: [{yaml(card.dataset)}]
metrics: [{metric.kind}]
model-index:
- name: {yaml(card.name)}
  results:
  - task:
      type: {card.task}
    dataset:
      type: {yaml(card.dataset)}
      name: {yaml(card.data["name"])}
      split: test
    metrics:
    - type: {metric.kind}
      value: {card.value:.4f}
      name: {yaml(f"{metric.title} on {card.scored_on}")}
---
"""


def _text(card: Card) -> str:
    metric = METRICS[card.metric]
    title = metric.title[0].upper() + metric.title[1:]
    lines = [
        f"# {card.name}\n",
        f"{card.summary}\n",
        *_score(card, title),
        f"- **Parameters:** {card.model['parameters']:,}",
        f"- **Data:** {card.data['name']} {card.data['version']}, {card.data['licence']}.",
    ]
    if card.published:
        lines.append("- **Published results of others:**")
        lines += [
            f"  - {row['system']}: {row['value']} ({row['source']})" for row in card.published
        ]
    if card.uses:
        lines += ["", "## Intended use", "", card.uses]
    return "\n".join(lines) + "\n"


def _score(card: Card, title: str) -> list[str]:
    """Return the lines on the metric, with its spread where there are several seeds."""
    if len(card.scores) == 1:
        return [f"- **{title}:** {card.spread()} on {card.scored_on}."]
    shown = METRICS[card.metric].show(card.value)
    return [
        f"- **{title}:** {shown} on {card.scored_on};",
        f"  mean ± SD over seeds: {card.spread()}.",
    ]


def _training(card: Card) -> str:
    show = METRICS[card.metric].show
    rows = [
        (
            f"{score.seed}{' (this model)' if score.seed == card.shipped_seed else ''}",
            show(score.value),
            show(score.validation),
            score.epochs,
            f"{score.train_seconds:,.0f} s",
        )
        for score in card.scores
    ]
    text = table(["seed", "test", "validation", "epochs", "training time"], rows)
    total = sum(score.train_seconds for score in card.scores)
    before = (
        ", excluding the models it was initialised from or distilled from (`zoo reproduce` lists "
        "their training)"
    )
    more = before if card.goes_on() else ""
    return f"## Training\n\n{text}\n\n{_chosen(card)} Training took {total:,.0f} s in all{more}.\n"


def _chosen(card: Card) -> str:
    """Say which of several trainings the weights are of."""
    if len(card.scores) > 1:
        return "The seed was chosen on validation data."
    if card.is_average():
        return "The weights are the average of several trainings."
    return "One seed was trained."


def _files(card: Card) -> str:
    metric = METRICS[card.metric]
    translates = card.task == "translation"
    rows = [
        (
            f"`{export['file']}`",
            f"{export['bytes'] / 1e3:,.0f} KB",
            "" if export.get("metric") is None else metric.show(export["metric"]),
            f"{export['largest_difference']:.1e}",
            latency(export, card.task),
            *([_sentence(export)] if translates else []),
        )
        for export in card.exports
    ]
    columns = ["file", "size", metric.title, "max. abs. difference from Keras", "latency"]
    columns += ["whole sentence"] if translates else []
    parts = [_how_measured(card), _compared_on(card)]
    for export in card.exports:
        if steps := export.get("sequence_length"):
            parts.append(
                f"`{export['file']}` reads at most {steps - 1} words; it was compared with the "
                "Keras model limited to as many."
            )
    note = " ".join(part for part in parts if part)
    return f"## Files\n\n{table(columns, rows)}\n\n{note}\n"


def _sentence(export: Mapping[str, Any]) -> str:
    """Return a translator's time for a whole sentence, empty if it was not measured."""
    return f"{export['sentence_ms']:.2f} ms" if "sentence_ms" in export else ""


def _how_measured(card: Card) -> str:
    """Say what the differences and the latencies in the table of files are."""
    if card.task != "translation":
        return (
            "Differences are over all inputs that a file was compared on; latency is the median on "
            "one thread of the machine that made the card."
        )
    beams = card.configuration.get("beams", "its")
    return (
        "Differences are over all sentences that a file was compared on, relative where values "
        "exceed 1. Latencies are medians on one thread of the machine that made the card: of an "
        f"encoder for one sentence, of a decoder for one decoding step of all {beams} beams. The "
        f"whole sentence is encoding and beam search with {beams} beams, by the encoder and the "
        "decoder of a variant together. The SavedModel's times are means over batches of "
        "sentences."
    )


def _compared_on(card: Card) -> str:
    """Say how many inputs files were compared and scored on, where it is not the test split."""
    metric = METRICS[card.metric]
    compared = {export["texts"] for export in card.exports if "texts" in export}
    if compared:
        partly = [e["model_metric"] for e in card.exports if "scored_on" in e and "texts" in e]
        where = f", on which the Keras model has {metric.show(partly[0])}" if partly else ""
        return f"Each file was compared on {max(compared):,} inputs of the test split{where}."
    if sampled := [e for e in card.exports if "scored_on" in e and e.get("model_metric")]:
        return (
            f"Files are scored on {sampled[0]['scored_on']}, where the Keras model has "
            f"{metric.show(sampled[0]['model_metric'])}."
        )
    return ""


def _measured(card: Card) -> str:
    parts = []
    for section in card.measured:
        parts += [f"### {section.title}", ""]
        parts += [section.text, ""] if section.text else []
        parts += [table(section.columns, section.rows), ""]
    return "\n".join(["## Evaluation", "", *parts]) if parts else ""


def _limits(card: Card) -> str:
    return "\n".join(["## Limitations", "", *(f"- {limit}" for limit in card.limits), ""]) * bool(
        card.limits
    )


_SENTENCES = {
    "de": "Ein Hund rennt durch den Schnee.",
    "en": "A dog is running through the snow.",
    "fr": "Un chien court dans la neige.",
}
# Hugging Face's name of a task -> what is called with the model, and what with a file.
_CALLS = {
    "text-classification": (
        ['model.predict(["A quiet, wonderful film."])  # [texts, labels]'],
        ['lite.predict(["A quiet, wonderful film."])'],
    ),
    "token-classification": (
        ['model.tag([["A", "quiet", "film", "."]])'],
        ['lite.tag([["A", "quiet", "film", "."]])'],
    ),
    "question-answering": (
        [],
        ['lite.answer(["Mary went to the garden."], "Where is Mary?")'],
    ),
    "text-generation": (
        [],
        ["lite.read(1)  # an id of lite.tokenizer in, the probabilities [tokens] of the next out"],
    ),
    "tabular-classification": (
        ["model.predict(samples[None])  # [1, time, channels]: after every sample"],
        ['lite.push(sample)["outputs"]  # one sample of a stream, [channels]'],
    ),
}


def _use(card: Card) -> str:
    of_model, of_lite = _calls(card)
    imports = ["from gru_zoo import load"]
    if card.task == "translation":
        imports.append("from gru_zoo.decoding.translating import translations")
    lines = [*imports, "", f'model = load("{_place(card)}")', *of_model]
    lite = [e["variant"] for e in card.exports if e["file"].endswith(".tflite")]
    if lite:
        variant = "int8" if "int8" in lite else lite[0]
        lines.append(f'lite = load("{_place(card)}", format="tflite", variant="{variant}")')
        lines += of_lite
    return "\n".join(["## Use", "", "```python", *lines, "```", ""])


def _calls(card: Card) -> tuple[list[str], list[str]]:
    """Return what is called with the model, and what with a file."""
    if card.metric == "nll":
        return (
            ["model.predict(frames[None])  # [1, time, features], 0 or 1: the next frames"],
            ['lite.push(frame)["outputs"]  # one frame of a stream, [features]'],
        )
    if card.task == "translation":
        sentence = _SENTENCES.get(card.language[0], "...")
        return (
            [f'translations(model, ["{sentence}"])'],
            [f'lite.translate(["{sentence}"])'],
        )
    return _CALLS.get(card.task, ([], []))


def _place(card: Card) -> str:
    """Return what `load` and `zoo` take: the name, or a path before `publish` gave it one."""
    published = any(" publish " in command for command in card.commands)
    return card.name if published else "./path/to/this/folder"


def _origin(card: Card) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    commit = f" at commit `{card.commit}`" if card.commit else ""
    machine = f" on {card.machine}" if card.machine else ""
    return "\n".join(
        [
            "## Reproduction",
            "",
            "```sh",
            *card.commands,
            "```",
            "",
            f"Exported {card.date}{commit}{machine}, with {versions}.",
            f"`python -m gru_zoo.zoo reproduce {_place(card)}` prints these commands, "
            f"`python -m gru_zoo.zoo verify {_place(card)}` checks every file.",
            "",
        ]
    )
