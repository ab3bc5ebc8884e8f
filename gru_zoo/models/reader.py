"""A reader of short stories: GRU encoders, and a memory that an attention-gated GRU writes.

After Kumar et al. 2016 (Ask Me Anything: Dynamic Memory Networks) and Xiong et al. 2016 (DMN+).
With s_i the vector of sentence i, q that of the question, m_0 = q, for every hop k:

    f     = s + both directions' states over the sentences s   the facts, each knowing the others
    a_k,i = tanh(W [f*q, |f-q|, f*m, |f-m|])                   how fact i is like q and m = m_{k-1}
    g_k,i = sigmoid(w a_k,i)                                   attention to it
    m_k   = AttentionGRU([f, a_k], g_k), beginning with m      the memory
    answer = softmax(V [m_K, q])

That the memory reads a beside f is ours: which room of two the question named is known there. The
memory begins as the question and is rewritten by the facts attended to, as in query-reduction
networks (Seo et al. 2017); the papers begin each hop with zeros and merge afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import layers, ops

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers.attention_gru import AttentionGRU
from gru_zoo.layers.encoders import CELLS, encoder
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.models.policy import dtype_policy_scope, refuse_quantize
from gru_zoo.text.stories import StoryText


@keras.saving.register_keras_serializable(package="gru_zoo")
class Reader(keras.Model):
    """Answer a question about a story, and say which sentences were attended to.

    Args:
        text: turns stories into arrays; kept inside the model and its `.keras` file.
        answers: every answer, in the order of the probabilities.
        embedding_dim: size of a word's vector.
        units: size of every other vector.
        hops: how often the story is read.
        cell: of the encoders of words and of facts, see `gru_zoo.layers.encoders`.
        dropout: share of facts' and the memory's features dropped in training.
        name: of the model.
        trainable: whether its weights are learnt.
        dtype: policy of every layer, such as "mixed_float16"; None is that of the process.

    Call arguments:
        inputs: `sentences` `[sentences, words]`, `story` `[batch, facts]` and `question`
            `[batch]`, int32, as `StoryText.encode` gives them.

    Returns:
        `answer`, probabilities `[batch, answers]`, and `gates` `[batch, hops, facts]` in (0, 1),
        0 where a story has no such fact; float32.

    Raises:
        ValueError: an argument is out of its range, or answers are fewer than two or repeated.

    Example:
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> model = Reader(text, ["eva", "adam"], units=5)
        >>> outputs = model(text.encode([["Eva left."]], ["Who left?"]).inputs())
        >>> outputs["answer"].shape, outputs["gates"].shape
        (TensorShape([1, 2]), TensorShape([1, 3, 1]))
    """

    def __init__(
        self,
        text: StoryText,
        answers: Sequence[str],
        embedding_dim: int = 64,
        units: int = 96,
        hops: int = 3,
        cell: str = "gru",
        dropout: float = 0.1,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        answers = tuple(answers)
        if len(answers) < 2 or len(set(answers)) != len(answers):
            raise ValueError(f"answers must be two or more different ones; got {answers!r}.")
        sizes = {"embedding_dim": embedding_dim, "units": units, "hops": hops}
        for size in sizes:
            positive_int(size, sizes[size])
        one_of("cell", cell, CELLS)
        fraction("dropout", dropout)
        with dtype_policy_scope(dtype):
            inputs = {
                "sentences": keras.Input((None,), dtype="int32", name="sentences"),
                "story": keras.Input((None,), dtype="int32", name="story"),
                "question": keras.Input((), dtype="int32", name="question"),
            }
            own = _layers(len(text.words), len(answers), embedding_dim, units, hops, cell, dropout)
            vectors = own["sentence_vectors"](sentence_vectors(own, inputs["sentences"]))
            question = ops.take(vectors, inputs["question"], axis=0)
            present = ops.not_equal(inputs["story"], 0)  # [batch, facts]
            facts = own["fact_dropout"](ops.take(vectors, inputs["story"], axis=0))
            facts = facts + own["facts"](own["fusion"](facts, mask=present))
            outputs = answer_with(own, facts, question, present)
            super().__init__(inputs=inputs, outputs=outputs, name=name, trainable=trainable)
        pass_on_trainable(self)
        self.text, self.answers, self.cell = text, answers, cell
        self.embedding_dim, self.units, self.hops = embedding_dim, units, hops
        self.dropout = dropout

    quantize = refuse_quantize

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the text's as its own configuration."""
        own = ("embedding_dim", "units", "hops", "cell", "dropout")
        return {
            **super().get_config(),
            **trainable_config(self),
            **{name: getattr(self, name) for name in own},
            "text": self.text.get_config(),
            "answers": list(self.answers),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Reader:
        """Make the model of `get_config`, with new weights."""
        return made_from(cls, {**config, "text": StoryText(**config["text"])})


def _layers(
    words: int, answers: int, embedding_dim: int, units: int, hops: int, cell: str, dropout: float
) -> dict[str, layers.Layer]:
    """Return a reader's layers by their names."""
    made = [
        layers.Embedding(
            words,
            embedding_dim,
            # With Keras' 0.05 the encoder begins nearly linear in its words, and what depends on
            # two of them at once ("north" and who is north) is not found for thousands of updates.
            embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
            # Only a Transformer needs a mask: a recurrent state is taken where a sentence ends.
            mask_zero=cell == "transformer",
            name="words",
        ),
        encoder(cell, units, name="sentence_encoder"),
        layers.Dense(units, "tanh", name="sentence_vectors"),
        layers.Dropout(dropout, name="fact_dropout"),
        encoder(cell, units, bidirectional=True, name="fusion"),
        layers.Dense(units, "tanh", name="facts"),
    ]
    for hop in range(hops):
        made.append(layers.Dense(units, "tanh", name=f"attention_{hop}"))
        made.append(layers.Dense(1, "sigmoid", name=f"gate_{hop}"))
        made.append(AttentionGRU(units, name=f"memory_{hop}"))
    made.append(layers.Dropout(dropout, name="memory_dropout"))
    made.append(layers.Dense(answers, "softmax", name="answer"))
    return {layer.name: layer for layer in made}


def sentence_vectors(own: Mapping[str, layers.Layer], sentences: Any) -> Any:
    """Return what the encoder makes of sentences, before it is a fact's or a question's vector.

    Args:
        own: a reader's layers by name.
        sentences: ids, int32 `[sentences, words]`.

    Returns:
        `[sentences, units]`, the encoder's output at the last word.

    Example:
        >>> own = _layers(9, 2, embedding_dim=4, units=5, hops=1, cell="gru", dropout=0.0)
        >>> sentence_vectors(own, ops.ones((3, 6), "int32")).shape
        TensorShape([3, 5])
    """
    read = own["sentence_encoder"](own["words"](sentences))  # [sentences, words, units]
    present = ops.cast(ops.not_equal(sentences, 0), read.dtype)
    after = ops.concatenate([present[:, 1:], ops.zeros_like(present[:, :1])], axis=1)
    last = present - after  # 1 at the last word, for padding stands on the right
    return ops.squeeze(ops.matmul(last[:, None], read), axis=1)


def answer_with(
    own: Mapping[str, layers.Layer],
    facts: Any,
    question: Any,
    present: Any = None,
    remember: Callable[..., Any] = lambda layer, *given: layer(*given),
) -> dict[str, Any]:
    """Read the facts, hop by hop, and answer.

    Args:
        own: a reader's layers by name.
        facts: `[batch, facts, units]`.
        question: `[batch, units]`.
        present: `[batch, facts]` bool: which facts a story has; None for all.
        remember: how a memory's layer is run: (layer, facts, gate, memory) -> memory.

    Returns:
        `answer` `[batch, answers]` and `gates` `[batch, hops, facts]`.

    Example:
        >>> own = _layers(9, 2, embedding_dim=4, units=5, hops=3, cell="gru", dropout=0.0)
        >>> answer_with(own, ops.ones((1, 7, 5)), ops.ones((1, 5)))["gates"].shape
        TensorShape([1, 3, 7])
    """
    memory, gates = question, []
    for hop in range(sum(name.startswith("gate_") for name in own)):
        each = question[:, None], memory[:, None]
        likeness = [part for m in each for part in (facts * m, ops.abs(facts - m))]
        hidden = own[f"attention_{hop}"](ops.concatenate(likeness, axis=-1))
        gate = ops.squeeze(own[f"gate_{hop}"](hidden), axis=-1)  # [batch, facts]
        gate = gate if present is None else ops.where(present, gate, 0.0)
        read = ops.concatenate([facts, hidden], axis=-1)
        memory = remember(own[f"memory_{hop}"], read, gate, memory)
        gates.append(gate)
    known = own["memory_dropout"](ops.concatenate([memory, question], axis=-1))
    return {"answer": own["answer"](known), "gates": ops.stack(gates, axis=1)}


@keras.saving.register_keras_serializable(package="gru_zoo")
class SupportLoss(keras.losses.Loss):
    """Cross entropy of every hop's gates with the facts that it should attend to.

    Summed over a story's facts, and the mean over hops: the strong supervision of Kumar et al.
    2016, section 2.3.

    Call arguments:
        y_true: `[batch, hops, facts]`, 1 for a fact to attend to, 0 for another, -1 where there is
            none.
        y_pred: gates `[batch, hops, facts]`.

    Returns:
        `[batch]`.

    Example:
        >>> loss = SupportLoss(reduction=None)
        >>> round(float(loss([[[1, 0, -1]]], [[[0.5, 0.5, 0.0]]])[0]), 4)
        1.3863
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each story."""
        gates = ops.clip(ops.convert_to_tensor(y_pred), 1e-6, 1 - 1e-6)
        truth = ops.cast(y_true, gates.dtype)
        chosen = ops.where(truth > 0, gates, 1 - gates)
        losses = ops.where(truth < 0, 0.0, -ops.log(chosen))
        return ops.mean(ops.sum(losses, axis=-1), axis=-1)
