"""A bag of n-grams: the strong simple baseline of text classification, and a teacher of GRUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_zoo.arguments import TooFew, positive_int, several
from gru_zoo.files import atomic_write

# Places that n-grams are hashed to: several for each kind in IMDB.
_PLACES = 2**24
# An n-gram of fewer texts says more about them than about others.
_TEXTS = 3
# Words with their apostrophes, and the marks that carry a tone.
_TOKENS = r"[\w']+|[!?.,;:()\"]"


class NGrams:
    """Logistic regression over the n-grams of a text, weighted by how they tell two classes apart.

        r_i = log((1 + texts of class 1 with i) / (1 + texts of class 0 with i)) + constant,
              and 0 for an n-gram of fewer than three texts, or than half of all, rounded
              down, where there are fewer than six
        p(1 | text) = sigmoid(b + sum over the text's n-grams i of  w_i r_i)

    (Wang and Manning 2012, with logistic regression, as Mesnil et al. 2015). It needs scikit-learn,
    the extra `ngrams`.

    Args:
        weights: `[places]` float32, each w_i r_i.
        bias: b.
        longest: words of the longest n-grams.

    Example:
        >>> texts, labels = [b"good film", b"good", b"bad film", b"bad"], [1, 1, 0, 0]
        >>> model = NGrams.fit(texts, labels, longest=2)
        >>> model.predict([b"a good one", b"so bad"]).argmax(axis=1).tolist()
        [1, 0]
    """

    def __init__(self, weights: np.ndarray, bias: float, longest: int) -> None:
        self.weights = weights
        self.bias = bias
        self.longest = positive_int("longest", longest)

    @classmethod
    def fit(
        cls,
        texts: Sequence[bytes],
        labels: Sequence[int],
        longest: int = 3,
        strength: float = 1.0,
        seed: int = 0,
    ) -> NGrams:
        """Return the model of some texts.

        Args:
            texts: UTF-8.
            labels: 0 or 1, both of them.
            longest: words of the longest n-grams.
            strength: inverse of the regularization, liblinear's C.
            seed: of the solver's order.

        Raises:
            ValueError: labels other than 0 and 1, or only one of them; or one text for many.
            ImportError: scikit-learn is missing.
        """
        labels = np.asarray(labels)
        if set(np.unique(labels)) != {0, 1}:
            raise TooFew(f"labels must be 0 and 1, both; got {sorted(set(labels.tolist()))}.")
        from sklearn.linear_model import LogisticRegression

        rows = _counted(texts, positive_int("longest", longest))
        seen = [np.asarray(rows[labels == k].sum(axis=0), np.float64)[0] for k in (0, 1)]
        kept = seen[0] + seen[1] >= min(_TEXTS, len(labels) // 2)
        share = [(1 + each) / (1 + each)[kept].sum() for each in seen]
        ratio = np.where(kept, np.log(share[1] / share[0]), 0).astype(np.float32)
        regression = LogisticRegression(
            C=strength, solver="liblinear", dual=True, max_iter=100, random_state=seed
        )
        regression.fit(rows.multiply(ratio).tocsr(), labels)
        weights = (regression.coef_[0] * ratio).astype(np.float32)
        return cls(weights, float(regression.intercept_[0]), longest)

    def predict(self, texts: Sequence[bytes]) -> np.ndarray:
        """Return probabilities `[texts, 2]` float32.

        Raises:
            ValueError: `texts` is one text and no list.
        """
        logits = _counted(texts, self.longest) @ self.weights + self.bias
        positive = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return np.stack([1 - positive, positive], axis=1)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model to an `.npz` file."""
        with atomic_write(Path(path)) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, weights=self.weights, bias=self.bias, longest=self.longest)

    @classmethod
    def load(cls, path: str | os.PathLike) -> NGrams:
        """Return the model of `save`."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(archive["weights"], float(archive["bias"]), int(archive["longest"]))


def _counted(texts: Sequence[bytes], longest: int) -> Any:
    """Return which n-grams stand in each text, a sparse matrix [texts, places] of 0 and 1."""
    from sklearn.feature_extraction.text import HashingVectorizer

    several("texts", texts)
    vectorizer = HashingVectorizer(
        n_features=_PLACES,
        ngram_range=(1, longest),
        token_pattern=_TOKENS,
        binary=True,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
        decode_error="replace",
    )
    return vectorizer.transform(bytes(text).replace(b"<br />", b" ") for text in texts)
