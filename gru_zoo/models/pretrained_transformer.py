"""A pretrained Transformer, fine-tuned to classify texts: large, slow, and a teacher of GRUs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.arguments import TooFew, positive_int, several
from gru_zoo.files import atomic_write

if TYPE_CHECKING:
    import torch

# Of a text that is too long its first tokens, so many or half, and its last ones are read.
_HEAD = 128
# Texts whose tokens are looked up at a time: each token brings its place and its spelling along.
_TOGETHER = 1000
# Around every text.
_AROUND = 2
# Batches are padded to a multiple of so many tokens.
_SHAPES = 32
# Steps until the learning rate is whole, a share of all.
_WARM = 0.1
# Batches of similar lengths are drawn from so many at a time.
_POOL = 50


class PretrainedTransformer:
    """A Transformer of Hugging Face's `transformers`, with a new head for two classes or more.

    GRUs can be distilled from it (Tang et al. 2019). A text longer than `max_tokens` is read
    where opinions are said, at its beginning and its end (Sun et al. 2019). It runs on PyTorch,
    and needs the extra `transformers`.

    Args:
        network: a sequence classifier of `transformers`.
        tokenizer: its tokenizer.
        max_tokens: of a text, with the two that stand around it; at least 3.

    Raises:
        ValueError: `max_tokens` is out of its range.

    Example:
        >>> model = PretrainedTransformer.of("some/checkpoint", labels=2)  # doctest: +SKIP
        >>> model.fit([b"good", b"bad"], [1, 0], epochs=1)  # doctest: +SKIP
        >>> model.predict([b"a good one"]).shape  # doctest: +SKIP
        (1, 2)
    """

    def __init__(self, network: Any, tokenizer: Any, max_tokens: int = 512) -> None:
        if positive_int("max_tokens", max_tokens) <= _AROUND:
            raise TooFew(f"max_tokens must be at least {_AROUND + 1}; got {max_tokens}.")
        self.network, self.tokenizer, self.max_tokens = network, tokenizer, max_tokens

    @classmethod
    def of(
        cls, checkpoint: str | os.PathLike, labels: int, max_tokens: int = 512, seed: int = 0
    ) -> PretrainedTransformer:
        """Return one with a checkpoint's weights and a head that has learnt nothing yet.

        Args:
            checkpoint: a folder, or the name of a repository on Hugging Face's hub.
            labels: classes, at least two.
            max_tokens: as above.
            seed: of the head.

        Raises:
            ImportError: `transformers` or PyTorch is missing.
            OSError: there is no such checkpoint, or no network.
        """
        if positive_int("labels", labels) < 2:
            raise TooFew(f"labels must be at least 2; got {labels}.")
        # On a processor, drawing what attention drops takes as long as all the rest of a step.
        options = {"num_labels": labels, "attention_probs_dropout_prob": 0.0}
        return cls(*_loaded(checkpoint, seed, **options), max_tokens)

    def fit(
        self,
        texts: Sequence[bytes],
        labels: Sequence[int],
        epochs: int = 2,
        batch_size: int = 32,
        learning_rate: float = 8e-5,
        bfloat16: bool = False,
        seed: int = 0,
        checkpoint: str | os.PathLike | None = None,
        progress: Callable[[int, int, float], None] | None = None,
    ) -> None:
        """Fine-tune all weights (AdamW; linear warm-up and decay of the learning rate).

        Args:
            texts: UTF-8.
            labels: a class number for each.
            epochs: passes over the texts.
            batch_size: texts a step.
            learning_rate: the highest.
            bfloat16: multiply in bfloat16; weights stay float32. The products are several times as
                fast where the processor has instructions for it (AVX512-BF16, AMX), else slower.
            seed: of dropout and order.
            checkpoint: a file that is written after each epoch; where it exists, training goes
                on after it, and ends with the same weights as if it had never been interrupted.
            progress: called after each step with its number, the number of steps, and the loss.

        Raises:
            ValueError: texts and labels differ in number.
        """
        import torch

        several("texts", texts)
        targets = torch.as_tensor(np.asarray(labels), dtype=torch.long)
        if len(targets) != len(texts):
            raise ValueError(f"labels must be {len(texts)}, one a text; got {len(targets)}.")
        ids = self._encode(texts)
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        steps = epochs * -(-len(ids) // batch_size)
        parts = _parts(self.network, learning_rate, steps)
        done, step = _resumed(checkpoint, parts), 0
        self.network.train()
        for epoch in range(epochs):
            for rows in _batches(ids, batch_size, random):
                step += 1
                if epoch < done:  # Its order is drawn again, so that the next one's is the same.
                    continue
                with _products_in(bfloat16), _plain_attention(self.network):
                    logits = self._logits([ids[row] for row in rows])
                loss = torch.nn.functional.cross_entropy(logits.float(), targets[rows])
                _learn(loss, *parts)
                if progress:
                    progress(step, steps, float(loss.detach()))
            if checkpoint and epoch >= done:
                _keep(checkpoint, parts, epoch + 1)

    def predict(
        self,
        texts: Sequence[bytes],
        batch_size: int = 64,
        bfloat16: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Return probabilities `[texts, labels]` float32.

        Args:
            texts: UTF-8.
            batch_size: texts at a time, of similar length.
            bfloat16: as in `fit`.
            progress: called after each batch with the number of texts so far, and of all.

        Raises:
            ValueError: `texts` is one text and no list.
        """
        import torch

        several("texts", texts)
        ids = self._encode(texts)
        found = np.empty((len(ids), self.network.config.num_labels), np.float32)
        order = np.argsort([len(each) for each in ids], kind="stable")
        self.network.eval()
        with torch.inference_mode(), _products_in(bfloat16):
            for first in range(0, len(order), batch_size):
                rows = order[first : first + batch_size]
                logits = self._logits([ids[row] for row in rows]).float()
                found[rows] = torch.softmax(logits, dim=-1).numpy()
                if progress:
                    progress(first + len(rows), len(order))
        return found

    def save(self, path: str | os.PathLike) -> None:
        """Write weights and tokenizer into a folder, in the format of `transformers`."""
        self.network.config.max_tokens = self.max_tokens
        with atomic_write(Path(path)) as partial:
            self.network.save_pretrained(partial)
            self.tokenizer.save_pretrained(partial)

    @classmethod
    def load(cls, path: str | os.PathLike) -> PretrainedTransformer:
        """Return the model of `save`."""
        network, tokenizer = _loaded(path)
        return cls(network, tokenizer, network.config.max_tokens)

    def _encode(self, texts: Sequence[bytes]) -> list[list[int]]:
        """Return the token ids of each text, those around it included."""
        known, room = self.tokenizer, self.max_tokens - _AROUND
        found = []
        for first in range(0, len(texts), _TOGETHER):
            words = [
                bytes(text).replace(b"<br />", b" ").decode("utf-8", errors="replace")
                for text in texts[first : first + _TOGETHER]
            ]
            for row in known(words, add_special_tokens=False, verbose=False)["input_ids"]:
                found.append([known.cls_token_id, *_both_ends(row, room), known.sep_token_id])
        return found

    def _logits(self, ids: list[list[int]]) -> torch.Tensor:
        """Return logits [texts, labels] of a batch's token ids."""
        import torch

        # Few shapes: with every length of its own, memory grew and grew.
        longest = min(self.max_tokens, -(-max(map(len, ids)) // _SHAPES) * _SHAPES)
        padded = torch.full((len(ids), longest), self.tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros_like(padded)
        for row, each in enumerate(ids):
            padded[row, : len(each)] = torch.as_tensor(each)
            mask[row, : len(each)] = 1
        return self.network(input_ids=padded, attention_mask=mask).logits


def _loaded(place: str | os.PathLike, seed: int = 0, **options: Any) -> tuple[Any, Any]:
    """Return the classifier and the tokenizer of a checkpoint; weights it lacks follow the seed."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise ImportError(
            "A pretrained Transformer needs PyTorch and transformers: pip install -e "
            '".[transformers]".'
        ) from error
    torch.manual_seed(seed)
    with _quiet():
        network = AutoModelForSequenceClassification.from_pretrained(place, **options)
        return network, AutoTokenizer.from_pretrained(place)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Have `transformers` draw no bars, and not warn of a new head, which is what is meant."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _plain_attention(network: Any) -> Iterator[None]:
    """Have attention written out: PyTorch's fused one has a slow backward pass on a processor."""
    fused = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        yield
    finally:
        network.set_attn_implementation(fused)


def _both_ends(row: list[int], room: int) -> list[int]:
    """Return a text's tokens, or of a longer one its beginning and as much of its end as fits.

    Example:
        >>> kept = _both_ends(list(range(1000)), 510)
        >>> len(kept), kept[127:129], kept[-1]
        (510, [127, 618], 999)
    """
    head = min(_HEAD, room // 2)
    return row if len(row) <= room else [*row[:head], *row[head - room :]]


def _batches(
    ids: list[list[int]], batch_size: int, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the numbers of texts of similar length, every text once, in a random order.

    Example:
        >>> rows = _batches([[7] * n for n in (3, 1, 4, 2)], 3, np.random.default_rng(0))
        >>> sorted(map(len, rows))
        [1, 3]
    """
    order, pool = random.permutation(len(ids)), batch_size * _POOL
    for first in range(0, len(order), pool):
        some = sorted(order[first : first + pool], key=lambda row: len(ids[row]))
        batches = [some[at : at + batch_size] for at in range(0, len(some), batch_size)]
        for at in random.permutation(len(batches)):
            yield np.asarray(batches[at])


def _parts(network: Any, learning_rate: float, steps: int) -> tuple[Any, Any, Any]:
    """Return what training changes: the network, the optimizer, the learning rate's schedule."""
    import torch

    def share(step: int) -> float:
        return min((step + 1) / (_WARM * steps), (steps - step) / steps, 1)

    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.01)
    return network, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _learn(loss: torch.Tensor, network: Any, optimizer: Any, schedule: Any) -> None:
    """Take a step against the gradient of a loss."""
    import torch

    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def _keep(path: str | os.PathLike, parts: tuple[Any, Any, Any], epochs: int) -> None:
    """Write what the next epoch depends on."""
    import torch

    states = [part.state_dict() for part in parts]
    with atomic_write(path) as partial:
        torch.save({"states": states, "random": torch.get_rng_state(), "epochs": epochs}, partial)


def _resumed(path: str | os.PathLike | None, parts: tuple[Any, Any, Any]) -> int:
    """Put back what `_keep` wrote, if it has; return the number of epochs that are done."""
    import torch

    if path is None or not Path(path).exists():
        return 0
    kept = torch.load(path, weights_only=True)
    for part, state in zip(parts, kept["states"], strict=True):
        part.load_state_dict(state)
    torch.set_rng_state(kept["random"])
    return kept["epochs"]


def _products_in(bfloat16: bool) -> contextlib.AbstractContextManager:
    """Return PyTorch's automatic mixed precision, or nothing."""
    import torch

    return torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext()
