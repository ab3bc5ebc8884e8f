"""Predictions of trained classifiers on reviews and excerpts, as distillation targets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gru_zoo.files import atomic_write
from gru_zoo.training.runs import NGRAMS, PREDICTIONS, TRANSFORMER
from recipes.shared import reviews

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.training.runs import RunFolder

# Words of an excerpt: from a sentence to a long paragraph.
_SHORTEST, _LONGEST = 15, 150


def write_predictions(run: RunFolder, predictions: dict[str, np.ndarray]) -> None:
    """Write a teacher's predictions: split -> probabilities [reviews, labels]."""
    import numpy as np

    with atomic_write(run.path / PREDICTIONS) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **predictions)


def read_predictions(
    run: RunFolder, splits: Mapping[str, reviews.Reviews] | None = None
) -> dict[str, np.ndarray]:
    """Return what `write_predictions` wrote into a run.

    Args:
        run: of a teacher.
        splits: the reviews that are to be learnt; None where they are not known yet.

    Raises:
        FileNotFoundError: it wrote nothing there.
        ValueError: its predictions are for other reviews than these.
    """
    import numpy as np

    path = run.path / PREDICTIONS
    if not path.exists():
        raise FileNotFoundError(
            f"teachers must be finished runs with predictions; {run.path} has no {path.name}."
        )
    with np.load(path, allow_pickle=False) as archive:
        predictions = dict(archive)
    for split, given in (splits or {}).items():
        rows = len(predictions.get(split, ()))
        if rows != len(given.texts):
            raise ValueError(
                f"teachers must have predictions for the {len(given.texts):,} {split} reviews, of "
                f"the same source and limit; {run.path} has {rows:,}."
            )
    return predictions


def print_validation(run: RunFolder, splits: Mapping[str, reviews.Reviews]) -> None:
    """Print how a teacher's predictions for the validation reviews score."""
    predicted = read_predictions(run, splits)["validation"]
    accuracy = reviews.score(predicted, splits["validation"].labels)["accuracy"]
    print(f"validation: accuracy {accuracy:.4f}; files in {run.path}")


def evaluate(run: RunFolder, model: str) -> None:
    """Score a teacher that has no artifact on the test split, and write `metrics.json`.

    Args:
        run: of a recipe that trains teachers.
        model: name of the file or folder that a finished run has.

    Raises:
        FileNotFoundError: it is not finished.
    """
    if not (run.path / model).exists():
        raise FileNotFoundError(f"run must be finished; {run.path} has no {model}.")
    test, source = reviews.read("test", reviews.source_of(run), run.config["limit"])
    run.pin_data(source.as_dict())
    accuracy = reviews.score(predict_with_run(run, test.texts), test.labels)["accuracy"]
    metric = {"name": "accuracy", "value": accuracy, "split": "test"}
    run.write_metrics({"metric": metric, "data": source.as_dict()})
    print(f"test: accuracy {accuracy:.4f} on {len(test.labels):,} reviews")


def mean_of(predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the mean of several teachers' predictions: split -> probabilities."""
    import numpy as np

    return {
        split: np.mean([each[split] for each in predictions], axis=0) for split in predictions[0]
    }


def excerpts(texts: Sequence[bytes], seed: int) -> np.ndarray:
    """Return an excerpt of each text: words in a row, 15 to 150 of them or half of a short text.

    Small numbers are as probable as large ones (of their logarithm), and so is every place.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    found = np.empty(len(texts), object)
    for row, text in enumerate(texts):
        words = re.split(rb"\s+", text.replace(b"<br />", b" ").strip())
        size = int(np.exp(random.uniform(np.log(_SHORTEST), np.log(_LONGEST + 1))))
        size = min(size, max(1, len(words) // 2))
        start = random.integers(len(words) - size + 1)
        found[row] = b" ".join(words[start : start + size])
    return found


def taught_excerpts(
    taught_by: Sequence[RunFolder], texts: Sequence[bytes], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return an excerpt of each text, and the mean of what the teachers say of it."""
    import numpy as np

    some = excerpts(texts, seed)
    return some, np.mean([predict_with_run(run, some) for run in taught_by], axis=0)


def predict_with_run(run: RunFolder, texts: np.ndarray) -> np.ndarray:
    """Return the predictions of a teacher: a run of any recipe that trains one.

    Returns:
        Probabilities `[texts, labels]` float32.
    """
    if (run.path / NGRAMS).exists():
        from gru_zoo.models.ngrams import NGrams

        return NGrams.load(run.path / NGRAMS).predict(texts)
    if (run.path / TRANSFORMER).exists():
        from gru_zoo.models.pretrained_transformer import PretrainedTransformer

        model = PretrainedTransformer.load(run.path / TRANSFORMER)
        return model.predict(texts, bfloat16=run.config["bfloat16"])
    from gru_zoo.models.classifier import load_classifier
    from gru_zoo.training.batching import predict_by_length

    model = load_classifier(run.path / "model.keras")
    return predict_by_length(model, reviews.encode(model, texts, run.config.get("backward", False)))
