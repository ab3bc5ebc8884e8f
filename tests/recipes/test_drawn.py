"""What is drawn depends on temperature, top_p and seed; a MIDI file has its tempo; beams, alpha."""

import types

import numpy as np
import pytest

from gru_zoo.data import multi30k, polyphonic_music
from gru_zoo.text.characters import CharacterTokenizer
from recipes import language_model, translation
from recipes import language_model_writing as text_writing
from recipes import polyphonic_music_writing as music_writing
from recipes.polyphonic_music import Generate
from recipes.shared.starting import start_run
from tests.small_data import small_captions, small_music

QUARTER = np.full(88, 0.25, np.float32)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_divides_the_log_odds(temperature):
    begin = np.zeros((2, 88), np.uint8)
    roll = music_writing.continued(lambda frame: QUARTER, begin, 200, temperature, seed=3)
    assert roll.shape == (202, 88) and not roll[:2].any()
    # Odds of one to three: one to 3^(1 / T). Of 17,600 draws a share is within 0.01.
    expected = 1 / (1 + 3 ** (1 / temperature))
    assert roll[2:].mean() == pytest.approx(expected, abs=0.01)


def test_temperature_0_plays_what_is_more_probable_than_not():
    chances = np.linspace(0, 1, 88).astype(np.float32)
    roll = music_writing.continued(lambda frame: chances, np.zeros((1, 88), np.uint8), 3, 0.0, 0)
    np.testing.assert_array_equal(roll[1:], np.tile(chances > 0.5, (3, 1)))


def test_keys_are_drawn_anew_by_the_seed_after_what_was_read():
    read, begin = [], np.eye(3, 88, dtype=np.uint8)

    def drawn(seed):
        read.clear()
        return music_writing.continued(
            lambda frame: read.append(frame) or QUARTER, begin, 5, 1.0, seed
        )

    first, same, other = drawn(1), drawn(1), drawn(2)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first[3] != first[4]).any()
    # Every frame but the last one is read, each once, in order.
    np.testing.assert_array_equal(read, other[:-1])


def test_a_files_frames_last_as_long_as_the_tempo_says(tmp_path, monkeypatch):
    mido = pytest.importorskip("mido")
    monkeypatch.setattr(polyphonic_music, "load", small_music.load)
    config = Generate(
        begin=6, length=4, tempo=90.0, temperature=0.0, piece=2, out=tmp_path / "a.mid"
    )
    music_writing.write(config, lambda frame: np.zeros(88, np.float32))
    file = mido.MidiFile(tmp_path / "a.mid")
    (tempo,) = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert tempo == round(60e6 / 90)
    # Ten frames, of a ninetieth of a minute each.
    assert file.length == pytest.approx(10 * 60 / 90, rel=1e-4)
    sounding, now, played = set(), 0, {}
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on":
            sounding.add(message.note)
            played.setdefault(now // file.ticks_per_beat, set()).add(message.note)
        elif message.type == "note_off":
            sounding.remove(message.note)
    assert not sounding
    piece = small_music.pieces("testdata")[2][:6]
    expected = {
        frame: {21 + int(key) for key in np.flatnonzero(keys)} for frame, keys in enumerate(piece)
    }
    assert played == expected  # No key of these scales goes on sounding.


def texts_drawn(**flags):
    """Continue a text by a table in which three letters are more probable than two others."""
    tokenizer = CharacterTokenizer.fit(np.array(["abcde" * 4], object))
    chances = np.zeros(len(tokenizer.vocabulary))
    for letter, chance in zip("abcde", (0.3, 0.25, 0.2, 0.15, 0.1), strict=True):
        chances[tokenizer.vocabulary.index(letter)] = chance
    config = language_model.Generate(text="ab", length=300, **flags)
    return "".join(text_writing.continued(tokenizer, lambda number: chances, config))


def test_the_nucleus_is_what_top_p_says():
    for top_p, letters in ((0.2, "a"), (0.5, "ab"), (0.7, "abc"), (0.99, "abcde")):
        drawn = texts_drawn(temperature=1.0, top_p=top_p)[2:]
        assert len(drawn) == 300 and set(drawn) == set(letters), top_p


def test_letters_follow_temperature_and_seed():
    first, same, other = (texts_drawn(temperature=1.0, top_p=1.0, seed=s) for s in (1, 1, 2))
    assert first == same != other and first.startswith("ab")
    shares = [texts_drawn(temperature=t, top_p=1.0)[2:].count("a") / 300 for t in (0.2, 1.0, 5.0)]
    weights = [np.power((0.3, 0.25, 0.2, 0.15, 0.1), 1 / t) for t in (0.2, 1.0, 5.0)]
    expected = [weight[0] / weight.sum() for weight in weights]
    np.testing.assert_allclose(shares, expected, atol=0.08)
    assert texts_drawn(temperature=0.0)[2:] == 300 * "a"


class Stub:
    """A translator whose search is stubbed: its subwords are whole sentences of a list."""

    units, cell = 3, "gru"

    def __init__(self, known):
        self.subwords = types.SimpleNamespace(
            encode=lambda texts, numbers: None, decode=lambda ids: known[ids[0]]
        )

    def count_params(self):
        return 7


def test_beams_and_alpha_reach_the_search_and_each_split_has_its_own_score(
    tmp_path, monkeypatch, capsys
):
    pytest.importorskip("sacrebleu")
    pairs = {split: small_captions.pairs(split) for split in ("validation", "test")}
    # Validation's translations are right, the test's are those of other sentences.
    known = [*pairs["validation"].target, *pairs["test"].target[::-1]]
    sources = [*pairs["validation"].source, *pairs["test"].source]
    asked = []

    def translate(model, texts, **options):
        asked.append(options)
        return [[types.SimpleNamespace(ids=[sources.index(text)], score=-0.5)] for text in texts]

    monkeypatch.setattr("gru_zoo.decoding.translating.translate", translate)
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    monkeypatch.setattr(translation, "_load", lambda run: Stub(known))
    monkeypatch.setattr("recipes.shared.attention_figure.draw", lambda *_: None)
    with start_run(
        translation.Train(runs=tmp_path, name="run", pair="de-en", beams=3, alpha=0.4)
    ) as run:
        run.history.append({"epoch": 1, "val_bleu": 1.0, "seconds": 2.0})
        run.save_checkpoint({})
    place = ["--run", str(run.path)]
    capsys.readouterr()
    assert translation.main(["predict", pairs["validation"].source[0], *place]) == 0
    assert capsys.readouterr().out == f"{pairs['validation'].target[0]}\n"
    assert translation.main(["evaluate", *place]) == 0
    metrics = run.metrics()
    assert metrics["validation_bleu"] == pytest.approx(100)
    assert metrics["metric"]["value"] == metrics["bleu"] < 100
    assert asked == 3 * [{"beams": 3, "alpha": 0.4}]
