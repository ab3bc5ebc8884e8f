"""WordPieceTokenizer by hand, and against the tokenizer inside MediaPipe's own runtime."""

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo.text import wordpiece
from gru_zoo.text.wordpiece import WordPieceTokenizer, basic_tokens
from tests.nasty_texts import NASTY, random_texts

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LENGTH = 24


def tokenizer(*pieces: str, length: int = 8) -> WordPieceTokenizer:
    return WordPieceTokenizer([*SPECIAL, *pieces], length)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [2, 3, 0, 0, 0, 0, 0, 0]),
        ("unlikely", [2, 4, 5, 6, 3, 0, 0, 0]),
        ("UNLIKELY un", [2, 4, 5, 6, 4, 3, 0, 0]),
        ("unlikelyx like", [2, 1, 1, 3, 0, 0, 0, 0]),
        ("un!un", [2, 4, 7, 4, 3, 0, 0, 0]),
        ("un un un un un un un un un", [2, 4, 4, 4, 4, 4, 4, 3]),
        (b"un\x00un", [2, 4, 3, 0, 0, 0, 0, 0]),
        (b"un\xff un", [2, 1, 4, 3, 0, 0, 0, 0]),
        ("[PAD] [CLS]", [2, 1, 1, 1, 1, 1, 1, 3]),
    ],
)
def test_by_hand(text, ids):
    pieces = tokenizer("un", "##like", "##ly", "!")
    assert pieces.encode([text]).tolist() == [ids]
    assert pieces(tf.constant([text])).numpy().tolist() == [ids]


def test_the_longest_piece_wins():
    pieces = tokenizer("a", "ab", "##b", "##bc", "##c", length=5)
    assert pieces.encode(["abc", "abbc"]).tolist() == [[2, 5, 8, 3, 0], [2, 5, 7, 3, 0]]


def test_words_of_more_than_a_hundred_bytes_are_unknown():
    pieces = tokenizer("a", "##a", "\u00e9", "##\u00e9", length=103)
    assert pieces.encode(["a" * 100])[0, 1:101].tolist() == [4] + [5] * 99
    assert pieces.encode(["a" * 101])[0, :3].tolist() == [2, 1, 3]
    assert pieces.encode(["\u00e9" * 51])[0, :3].tolist() == [2, 1, 3]


def test_words_are_kept_for_a_while(monkeypatch):
    monkeypatch.setattr(wordpiece, "KEPT", 2)
    pieces = tokenizer("a", "b", "c", length=6)
    assert pieces.encode(["a b c a"]).tolist() == [[2, 4, 5, 6, 4, 3]]
    assert len(pieces._known) <= 2


def test_no_texts():
    assert tokenizer().encode([]).shape == (0, 8)


def test_files_and_configurations_come_back(tmp_path):
    pieces = tokenizer("\u2028", "un", "##like")  # only "\n" ends a line
    (tmp_path / "vocab.txt").write_bytes(pieces.vocabulary_bytes())
    for other in (
        WordPieceTokenizer.from_file(tmp_path / "vocab.txt", 8),
        WordPieceTokenizer.from_config(pieces.get_config()),
    ):
        assert other.vocabulary == pieces.vocabulary
        assert other.sequence_length == 8


@pytest.mark.parametrize(
    ("vocabulary", "length", "message"),
    [
        (SPECIAL[1:], 8, r"vocabulary must start with \[PAD\], .*; got \('\[UNK\]',\)"),
        ([], 8, r"vocabulary must start with \[PAD\]"),
        (SPECIAL[:3], 8, r"vocabulary must hold \[SEP\]; it is missing"),
        ([*SPECIAL, "a", "a"], 8, "each piece once; got 'a' more than once"),
        ([*SPECIAL, ""], 8, "without line breaks; got ''"),
        ([*SPECIAL, "a\nb"], 8, "without line breaks; got 'a"),
        (SPECIAL, 1, r"sequence_length must be at least 2, for \[CLS\] and \[SEP\]; got 1"),
        (SPECIAL, 0, "sequence_length must be an integer of at least 1; got 0"),
    ],
)
def test_what_is_refused(vocabulary, length, message):
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(vocabulary, length)


def revealing_model(pieces: WordPieceTokenizer) -> bytes:
    """Return a file whose score at place t is the id there, less 10,000 where the mask is 0."""
    from gru_zoo.export.flatbuffer.link import Linker
    from gru_zoo.export.flatbuffer.metadata import TextMetadata, attach
    from gru_zoo.export.tflite_file import to_builtins

    length = pieces.sequence_length
    spec = tf.TensorSpec([1, length], tf.int32)

    @tf.function(input_signature=[spec, spec, spec])
    def reveal(ids, mask, segment_ids):
        scores = ids + (mask - 1) * 10_000 + segment_ids * 20_000
        return {"scores": tf.cast(scores, tf.float32)}

    linker = Linker()
    part = linker.part(to_builtins(reveal.get_concrete_function(), tf.Module(), "float32"))
    names = ("ids", "mask", "segment_ids")
    given = {name: linker.input(name, part, name) for name in names}
    model = linker.finish(linker.add(part, given))
    labels = tuple(f"place{place}" for place in range(length))
    return attach(model, TextMetadata(pieces.vocabulary_bytes(), labels, pattern=None))


class Raw:
    """Bytes that MediaPipe's Python wrapper takes for a text: it only calls `encode`."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def encode(self, encoding: str) -> bytes:
        return self.text


def vocabulary_of(texts: list[bytes]) -> list[str]:
    """Return whole words, beginnings and endings of the words in `texts`."""
    words = sorted(
        {
            word.decode()
            for words in basic_tokens(texts)
            for word in words
            if word.decode(errors="ignore").encode() == word and len(word) < 200
        }
    )
    pieces = dict.fromkeys([*SPECIAL, *words[::3]])
    for word in words:
        pieces |= dict.fromkeys([word[:2], f"##{word[2:]}" if word[2:] else word[:1]])
    return list(pieces)


def test_ids_equal_those_of_mediapipe(tmp_path):
    runtime = pytest.importorskip("mediapipe.tasks.python.text").TextClassifier
    texts = NASTY + random_texts(400)
    pieces = WordPieceTokenizer(vocabulary_of(texts), LENGTH)
    path = tmp_path / "reveal.tflite"
    path.write_bytes(revealing_model(pieces))
    expected = pieces.encode(texts)
    assert len({tuple(ids) for ids in expected.tolist()}) > 100
    with runtime.create_from_model_path(str(path)) as classifier:
        for text, ids in zip(texts, expected, strict=True):
            scores = np.empty(LENGTH)
            for category in classifier.classify(Raw(text)).classifications[0].categories:
                scores[category.index] = category.score
            np.testing.assert_array_equal(scores, np.where(ids == 0, -10_000, ids), str(text))


def test_ids_equal_those_of_the_tokenizers_library(tmp_path):
    """A vocabulary that the library trained, on texts without accents, which it strips."""
    tokenizers = pytest.importorskip("tokenizers")
    random = np.random.default_rng(2)
    stems = ["film", "plot", "wonder", "bore", "act", "music", "quiet", "laugh"]
    ends = ["", "s", "ed", "ing", "ful", "fully", "or", "dom", "!", ", ", "'s"]
    texts = [
        " ".join(random.choice(stems) + random.choice(ends) for _ in range(12)) for _ in range(300)
    ]
    theirs = tokenizers.BertWordPieceTokenizer(lowercase=True)
    theirs.train_from_iterator(texts, vocab_size=90, show_progress=False)
    theirs.save_model(str(tmp_path))
    ours = WordPieceTokenizer.from_file(tmp_path / "vocab.txt", 64)
    unseen = [*texts[:50], "Boredom, filmfully; ACTINGS", "zebra quietest"]
    for text, ids in zip(unseen, ours.encode(unseen), strict=True):
        assert ids[ids > 0].tolist() == [2, *theirs.encode(text).ids, 3]
    assert len(ours.vocabulary) == 90
