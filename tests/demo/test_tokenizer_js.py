"""The page's tokenizer against `WordTokenizer`, id for id, in the browser's own JavaScript."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import list_models
from gru_zoo.export.flatbuffer import metadata
from gru_zoo.text.tokenizers import DELIMITER, SPECIAL, WordTokenizer, delimiter_split
from gru_zoo.zoo import card, models_folder
from tests.nasty_texts import NASTY, known_characters, random_texts

pytestmark = pytest.mark.slow

LENGTH = 24
CLASSIFIERS = [name for name in list_models() if card(name).task == "text-classification"]


@pytest.fixture(scope="module")
def ids_on_the_page(chromium, address):
    """Return a function (tokenizer, texts) -> ids [texts, length] that runs on the page."""
    chromium.open(address)

    def encode(tokenizer: WordTokenizer, texts: list[str]) -> list[list[int]]:
        table, length = list(tokenizer.table().items()), tokenizer.sequence_length
        given = [table, tokenizer.delimiter_pattern, length]
        return chromium.evaluate(f"""(async () => {{
            const {{ WordTokenizer }} = await import("./src/tokenizer.js");
            const [table, pattern, length] = {json.dumps(given)};
            const tokenizer = new WordTokenizer(new Map(table), pattern, length);
            return {json.dumps(texts)}.map((text) => [...tokenizer.encode(text).ids]);
        }})()""")

    return encode


def readable(texts: list[bytes]) -> list[str]:
    """Return texts as a browser decodes them: no other text can be typed or pasted there."""
    return [text.decode(errors="replace") for text in texts]


@pytest.mark.parametrize("fold_case", [False, True])
def test_ids_equal_pythons(ids_on_the_page, fold_case):
    texts = readable(NASTY + random_texts(400))
    found = {
        word.decode() for words in delimiter_split(tf.constant(texts)).to_list() for word in words
    }
    words = sorted({word.lower() for word in found} if fold_case else found)[::2]
    tokenizer = WordTokenizer([*SPECIAL, *words], LENGTH, fold_case)
    expected = tokenizer.encode(texts).tolist()
    assert len({tuple(ids) for ids in expected}) > 100
    given = ids_on_the_page(tokenizer, texts)
    for text, ours, theirs in zip(texts, expected, given, strict=True):
        assert theirs == ours, text


def test_every_character_is_the_same_part_of_a_text(ids_on_the_page):
    characters = known_characters()
    assert len(characters) > 30_000
    tokenizer = WordTokenizer([*SPECIAL, "a"], 4100)
    texts = [
        # One unknown word where the character belongs to it, two known ones where it parts.
        " ".join(f"a{character}a" for character in characters[start : start + 2000])
        for start in range(0, len(characters), 2000)
    ]
    given = np.array(ids_on_the_page(tokenizer, texts))
    np.testing.assert_array_equal(given, tokenizer.encode(texts))


def test_half_a_surrogate_pair_is_what_utf8_makes_of_it(ids_on_the_page):
    tokenizer = WordTokenizer([*SPECIAL, "a", "b"], 6)
    # U+FFFD parts words.
    assert ids_on_the_page(tokenizer, ["a\ud83d b", "a\udc00b"]) == [[1, 3, 4, 0, 0, 0]] * 2


PIECES = [" ", "'", "<br />", "a'", "\u0301", "' <"]


@pytest.mark.parametrize("piece", PIECES)
def test_ids_of_long_runs_of_delimiters(ids_on_the_page, piece):
    tokenizer = WordTokenizer([*SPECIAL, "a"], 8)
    text = "a " + piece * 50_000 + " a"
    assert ids_on_the_page(tokenizer, [text]) == tokenizer.encode([text]).tolist()


def growth(chromium, pattern: str, piece: str) -> float:
    """Return how much longer a run of delimiters takes than 16 that are as long together.

    Linear time gives about 1, quadratic 16. It is the least of several measurements, which end
    with one that is low: what else the machine does can make each too large.
    """
    return chromium.evaluate(f"""(async () => {{
        const {{ WordTokenizer }} = await import("./src/tokenizer.js");
        const tokenizer = new WordTokenizer(new Map(), {json.dumps(pattern)}, 8);
        const time = (count, calls) => {{
            const text = `a ${{{json.dumps(piece)}.repeat(count)}} a`;
            const start = performance.now();
            for (let call = 0; call < calls; call++) tokenizer.split(text);
            return performance.now() - start;
        }};
        let least = Infinity;
        for (let turn = 0; turn < 8 && least > 3; turn++) {{
            const several = time(4000, 48);
            least = Math.min(least, time(64000, 3) / several);
            if (several > 200) break; // linear time is some 10 ms
        }}
        return least;
    }})()""")


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_length_of_a_run_of_delimiters(chromium, address, piece):
    chromium.open(address)
    assert growth(chromium, DELIMITER, piece) < 6


def test_a_word_has_the_spellings_that_python_gives_it(chromium, address):
    chromium.open(address)
    # Alphabets in use: Latin, Greek, Cyrillic, Armenian, ligatures. Unicode still adds capitals to
    # phonetic letters, and JavaScript has no title case, which Croatian's digraphs would need and
    # one letter that Unicode advises against.
    blocks = [(0x61, 0x180), (0x370, 0x590), (0x1E00, 0x1F00), (0xFB00, 0xFB18)]
    letters = [chr(code) for block in blocks for code in range(*block) if chr(code).islower()]
    letters.remove("\u0149")
    words = [*SPECIAL, "don't", "o'neill's", *letters, *(f"{letter}x" for letter in letters)]
    assert len(words) > 600
    told = chromium.evaluate(f"""(async () => {{
        const {{ withSpellings }} = await import("./src/tokenizer.js");
        return [...withSpellings({json.dumps(words)})];
    }})()""")
    ours = WordTokenizer(words, LENGTH, fold_case=True).table()
    assert told == [list(entry) for entry in ours.items()]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_file_tells_the_page_what_it_tells_python(chromium, address, name):
    chromium.open(address)
    inside = metadata.read(models_folder() / name / "model_int8.tflite")
    told = chromium.evaluate(f"""(async () => {{
        const {{ readMetadata }} = await import("./src/metadata.js");
        const file = await (await fetch("models/{name}/model_int8.tflite")).arrayBuffer();
        const about = await readMetadata(file);
        return {{ ...about, vocabulary: [...about.vocabulary] }};
    }})()""")
    ours = WordTokenizer.from_words_bytes(inside.vocabulary, LENGTH)
    assert told["vocabulary"] == [list(entry) for entry in ours.table().items()]
    assert tuple(told["labels"]) == inside.labels
    assert told["pattern"] == inside.pattern == DELIMITER


def test_a_shuffled_review_of_the_models_own_words(chromium, ids_on_the_page):
    inside = metadata.read(models_folder() / CLASSIFIERS[0] / "model_int8.tflite")
    tokenizer = WordTokenizer.from_words_bytes(inside.vocabulary, 400)
    draw = random.Random(1)
    spellings = list(tokenizer.table())
    texts = [" ".join(draw.choices(spellings, k=350)) for _ in range(20)]
    given = np.array(ids_on_the_page(tokenizer, texts))
    np.testing.assert_array_equal(given, tokenizer.encode(texts))
