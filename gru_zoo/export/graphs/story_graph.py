"""A reader as graphs: ids for TFLite, one story at a time; raw text for a SavedModel, a batch.

TFLite, every sentence of the story a row, none of them empty; resize `story` to the story:

    story [1, sentences, words] int32, question [1, words] int32
        -> answer [1, answers] float32, gates [1, hops, sentences] float32

SavedModel, with the tokenizer inside; a word that the reader does not know is an error:

    story [batch] string, question [batch] string
        -> label [batch] string, score [batch] float32, probabilities [batch, answers] float32,
           labels [batch, answers] string, gates [batch, hops, sentences] float32
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from gru_zoo.export.graphs import loops, sequence
from gru_zoo.export.graphs.network import Steps
from gru_zoo.export.graphs.plain_loops import run_plain
from gru_zoo.layers import kernels
from gru_zoo.layers.attention_gru import AttentionGRU
from gru_zoo.models.reader import Reader, answer_with, sentence_vectors
from gru_zoo.text.stories import END_OF_SENTENCE, NO_WORD, SIGN, SPACE


class StoryGraph(tf.Module):
    """One story and one question as ids, in operators that TFLite has; holds the variables.

    Args:
        model: a built reader of GRUs.

    Raises:
        ValueError: the reader has another cell.

    Example:
        >>> from gru_zoo.text.stories import StoryText
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> graph = StoryGraph(Reader(text, ["eva", "adam"], units=5))
        >>> story, question = tf.constant([[[2, 3, 0]] * 2]), tf.constant([[4, 3, 1]])
        >>> graph.read(story, question)["gates"].shape
        TensorShape([1, 3, 2])
    """

    def __init__(self, model: Reader) -> None:
        super().__init__()
        if model.cell != "gru":
            raise ValueError(
                f"cell must be 'gru' for TFLite, whose loop is written for it; got {model.cell!r}."
            )
        self.model_variables = [variable.value for variable in model.variables]
        own = {layer.name: layer for layer in model.layers}
        # A plain function: tf.Module would track, and try to save, the layers themselves.
        self._read = lambda story, question: _read(own, story, question)
        words = model.text.sentence_length
        self.inputs = {
            "story": tf.TensorSpec((1, None, words), tf.int32, "story"),
            "question": tf.TensorSpec((1, words), tf.int32, "question"),
        }

    @tf.function(autograph=False)
    def read(self, story: tf.Tensor, question: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `answer` and `gates`; see the module."""
        return self._read(story, question)


def _read(own: dict[str, Any], story: tf.Tensor, question: tf.Tensor) -> dict[str, tf.Tensor]:
    # Sentences are short and of one length: written out, their loop may have any number of rows.
    with kernels.forced("unrolled"):
        vectors = sentence_vectors(own, tf.concat([story[0], question], axis=0))
    vectors = own["sentence_vectors"](vectors)  # [sentences + 1, units]
    facts, asked = vectors[:-1], vectors[-1:]
    facts += own["facts"](sequence.run("fusion", own["fusion"], Steps(facts))[0].rows)
    return answer_with(own, facts[None], asked, remember=_remember)


def _remember(layer: AttentionGRU, facts: tf.Tensor, gate: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
    """Return an AttentionGRU's last state, batch 1, in a loop that carries nothing else."""
    projected, gate = layer.project(facts[0]), tf.transpose(gate)  # [sentences, 1]

    def step(t: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        return layer.recur(tf.gather(projected, t)[None], tf.gather(gate, t), h)

    return loops.fold(step, h, tf.shape(projected)[0], layer.units)


class StoryServer(tf.Module):
    """Tokenizer and reader as one function of texts; holds the variables and the vocabulary.

    Args:
        model: a built reader.

    Example:
        >>> from gru_zoo.text.stories import StoryText
        >>> text = StoryText.fit(["Eva left.", "Who left?"], story_length=4)
        >>> server = StoryServer(Reader(text, ["eva", "adam"], units=5))
        >>> server.read(["Eva left. Eva left."], ["Who left?"])["gates"].shape
        TensorShape([1, 3, 2])
    """

    def __init__(self, model: Reader) -> None:
        super().__init__()
        self.model_variables = [variable.value for variable in model.variables]
        self.names = tf.constant(model.answers)
        words = model.text.words
        # Unknown words get the number after the last.
        self.table = tf.lookup.StaticVocabularyTable(
            tf.lookup.KeyValueTensorInitializer(words, tf.range(len(words), dtype=tf.int64)), 1
        )
        self._sizes = len(words), model.text.sentence_length, model.text.story_length
        call = functools.partial(model, training=False)
        # A plain function: tf.Module would save the Keras model itself as an attribute.
        self._model = lambda inputs: run_plain(model, call, inputs)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.string, name="story"),
            tf.TensorSpec([None], tf.string, name="question"),
        ],
    )
    def read(self, story: tf.Tensor, question: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return label, score, labels, probabilities and gates; see the module."""
        sentences = tf.strings.regex_replace(story, END_OF_SENTENCE, "\\1\n")
        sentences = tf.strings.split(sentences, sep="\n")  # [batch, (sentences)]
        sentences = tf.ragged.boolean_mask(
            sentences, tf.logical_not(_full_match(sentences, NO_WORD))
        )
        rows, asked = self._ids(sentences.flat_values), self._ids(question)
        numbers = sentences.with_flat_values(1 + tf.range(tf.shape(rows)[0])).to_tensor()
        _, _, most = self._sizes
        enough = [
            tf.debugging.assert_positive(sentences.row_lengths(), "story must have a sentence"),
            tf.debugging.assert_less_equal(
                tf.shape(numbers)[1], most, f"story must have at most {most} sentences"
            ),
        ]
        with tf.control_dependencies(enough):
            outputs = self._model(
                {
                    "sentences": tf.concat([tf.zeros_like(asked[:1]), rows, asked], axis=0),
                    "story": numbers,
                    "question": 1 + tf.shape(rows)[0] + tf.range(tf.shape(asked)[0]),
                }
            )
        answer = outputs["answer"]
        return {
            "label": tf.gather(self.names, tf.argmax(answer, axis=1)),
            "score": tf.reduce_max(answer, axis=1),
            "labels": tf.broadcast_to(self.names, tf.shape(answer)),
            "probabilities": answer,
            "gates": outputs["gates"],
        }

    def _ids(self, sentences: tf.Tensor) -> tf.Tensor:
        """Return ids [sentences, words], int32, padded with 0."""
        known, longest, _ = self._sizes
        text = tf.strings.regex_replace(tf.strings.lower(sentences, "utf-8"), f"[.{SPACE}]", " ")
        words = tf.strings.split(tf.strings.regex_replace(text, SIGN, r" \1 "))
        ids = tf.cast(self.table.lookup(words), tf.int32)  # [sentences, (words)]
        fit = [
            tf.debugging.assert_less(
                ids.flat_values, known, "words must be ones it was trained on"
            ),
            tf.debugging.assert_less_equal(
                words.row_lengths(), tf.constant(longest, tf.int64), "too many words in a sentence"
            ),
            tf.debugging.assert_positive(words.row_lengths(), "a sentence must have a word"),
        ]
        with tf.control_dependencies(fit):
            return ids.to_tensor(shape=[None, longest])

    def signature(self) -> Any:
        """Return the concrete function that is served."""
        return self.read.get_concrete_function()


def _full_match(sentences: tf.RaggedTensor, pattern: str) -> tf.RaggedTensor:
    return tf.ragged.map_flat_values(tf.strings.regex_full_match, sentences, pattern)
