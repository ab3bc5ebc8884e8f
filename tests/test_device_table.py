"""The table of runtimes is made of what was measured, and stands in the README as it is."""

import json

import pytest

from benchmarks import device_table
from gru_zoo.zoo import list_models


@pytest.fixture(scope="module")
def made():
    return list(device_table.rows())


def test_every_preset_is_in_it_with_its_own_metric(made):
    shown = {row[0]: [] for row in made}
    for model, variant, _, _, _, _, metric in made:
        shown[model].append((variant, metric))
    assert set(list_models()) <= set(shown)
    by_file = dict(shown["translation_multi30k_de_en_gru_small"])
    assert {"encoder int8", "decoder int8", "saved_model"} <= set(by_file)
    card = device_table.ROOT / "saved_models" / "next_word_imdb_gru_small" / "card.json"
    exports = json.loads(card.read_text())["exports"]
    (wanted,) = [row for row in exports if row["variant"] == "float32"]
    metric = f"{wanted['metric']:.2f} ({wanted['scored_on'].split(':')[0]})"
    assert ("float32", metric) in shown["next_word_imdb_gru_small"]


def test_the_largest_difference_of_all_outputs_is_shown(tmp_path, monkeypatch):
    record = {"model": "mine", "variant": "int8", "signature": "step"}
    records = [
        {**record, "output": name, "cpus": {"a": {"from_x86": off}, "b": {"from_x86": 2 * off}}}
        for name, off in (("z", 0.25), ("r", 0.5), ("state", 0.125))
    ]
    (tmp_path / "arm.json").write_text(json.dumps({"records": records}))
    monkeypatch.setattr(device_table, "RESULTS", tmp_path)
    (row,) = device_table._emulated("mine", {"int8": 1500})
    assert row[2:6] == ("LiteRT on a / b, step", "2 KB", "–", "5.0e-01 / 1.0e+00 (vs x86)")


def test_a_translators_parts_have_their_own_sizes(made):
    folder = device_table.ROOT / "saved_models" / "translation_multi30k_de_en_gru_small"
    sizes = {
        (row[1], row[3])
        for row in made
        if row[0] == folder.name and row[1].endswith("float32") and "cortex" in row[2]
    }
    assert sizes == {
        (f"{part} float32", f"{(folder / f'{part}_float32.tflite').stat().st_size / 1e3:,.0f} KB")
        for part in ("encoder", "decoder")
    }


def test_what_a_page_translates_is_of_both_files(tmp_path, monkeypatch):
    card = {"name": "mine", "task": "translation", "metric": "bleu"}
    record = {"model": "mine", "variant": "int8", "same_as_keras": 0.875, "score": 41.5, "ms": 20}
    (tmp_path / "browser.json").write_text(json.dumps({"records": [record]}))
    monkeypatch.setattr(device_table, "RESULTS", tmp_path)
    sizes = {"saved_model": 9000, "encoder int8": 1500, "decoder int8": 2500}
    (row,) = device_table._in_browser(card, {**sizes, "encoder float32": 4000})
    assert row[1:] == (
        *("int8", "LiteRT.js in Chromium", "4 KB", "20.00 ms per sentence"),
        *("87.5 % of the texts are the same", "41.50"),
    )


def test_what_is_written_is_not_stale(made, tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_bytes((device_table.ROOT / "README.md").read_bytes())
    monkeypatch.setattr(device_table, "ROOT", tmp_path)
    whole = device_table.WHOLE
    monkeypatch.setattr(device_table, "WHOLE", tmp_path / "devices.md")
    before = readme.read_text()
    device_table.write(made)
    again = "make it again: python -m benchmarks.device_table --write"
    assert readme.read_text() == before, again
    assert (tmp_path / "devices.md").read_text() == whole.read_text(), again
