"""Problems made to measure how far back a network remembers; nothing is downloaded.

    adding   two numbers of a long row are marked; say their sum (Hochreiter and Schmidhuber 1997)
    copy     ten symbols, a long pause, a sign; say the ten symbols (Arjovsky et al. 2016)

Every batch is a function of `(seed, number)` alone, so all networks see the same examples in the
same order.
"""

from __future__ import annotations

import numpy as np

from gru_zoo.arguments import positive_int

SYMBOLS, RECALLED = 8, 10
BLANK, SIGN = 0, SYMBOLS + 1
# A sum counts as right within this; Hochreiter and Schmidhuber 1997, section 5.4.
TOLERANCE = 0.04


def adding(examples: int, steps: int, seed: int, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of numbers with two of them marked, and the sum of these two.

    One mark is in the first half of the steps and one in the second, as in Le et al. 2015. Who
    always says 1 has a mean squared error of 1/6.

    Args:
        examples: rows.
        steps: length of a row, at least 2.
        seed: of the problem.
        number: of the batch.

    Returns:
        inputs `[examples, steps, 2]` float32: the number in [0, 1), the mark 0 or 1;
        sums `[examples, 1]` float32.

    Raises:
        ValueError: `examples` below 1 or `steps` below 2.

    Example:
        >>> inputs, sums = adding(3, 6, seed=0)
        >>> inputs.shape, bool(np.allclose((inputs[..., 0] * inputs[..., 1]).sum(1), sums[:, 0]))
        ((3, 6, 2), True)
    """
    positive_int("examples", examples)
    if positive_int("steps", steps) < 2:
        raise ValueError(f"steps must be an integer of at least 2; got {steps}.")
    random = np.random.default_rng([seed, number, steps])
    numbers = random.random((examples, steps), np.float32)
    marks = np.zeros((examples, steps), np.float32)
    rows = np.arange(examples)
    marks[rows, random.integers(0, steps // 2, examples)] = 1
    marks[rows, random.integers(steps // 2, steps, examples)] = 1
    sums = (numbers * marks).sum(axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=-1), sums


def copy_memory(
    examples: int, pause: int, seed: int, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return symbols, a pause and a sign, after which the symbols are to be said again.

    Ids: 0 is blank, 1 to 8 are symbols, 9 is the sign. A row has ten symbols, `pause - 1` blanks,
    the sign and ten blanks, `pause + 20` ids. Who guesses gets one symbol of eight right.

    Args:
        examples: rows.
        pause: steps from the last symbol to the sign.
        seed: of the problem.
        number: of the batch.

    Returns:
        ids `[examples, pause + 20]` int32; the symbols `[examples, 10]` int32, 0 to 7, that are
        to be said at the last ten steps.

    Raises:
        ValueError: `examples` or `pause` below 1.

    Example:
        >>> ids, said = copy_memory(3, 5, seed=0)
        >>> ids.shape, ids[0, 10:].tolist(), bool((ids[:, :10] == said + 1).all())
        ((3, 25), [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], True)
    """
    positive_int("examples", examples)
    positive_int("pause", pause)
    random = np.random.default_rng([seed, number, pause])
    said = random.integers(0, SYMBOLS, (examples, RECALLED)).astype(np.int32)
    ids = np.full((examples, pause + 2 * RECALLED), BLANK, np.int32)
    ids[:, :RECALLED] = said + 1
    ids[:, -RECALLED - 1] = SIGN
    return ids, said
