"""The record of where data came from."""

import json

import pytest

from gru_zoo.data.source import Source


def test_record_survives_json():
    splits = {"train": (3, "a part"), "test": (2, "another")}
    source = Source("toy", "1.2", "https://example.org", "CC0", splits, {"f": "00"}, "asked for")
    record = json.loads(json.dumps(source.as_dict()))
    assert record["splits"]["test"] == {"size": 2, "description": "another"}
    assert record["sha256"] == {"f": "00"}
    assert record["reason"] == "asked for"


def test_record_does_not_change():
    with pytest.raises(AttributeError):
        Source("toy", "1", "", "", {}, {}).name = "other"
