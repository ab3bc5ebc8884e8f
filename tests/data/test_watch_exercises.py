"""A watch's recordings: the package's file, people kept apart, and a file that is another one."""

import importlib.util
import pickle
import types

import numpy as np
import pytest

from gru_zoo.data import watch_exercises
from tests.small_data import small_watch


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The file of a package that holds small recordings."""
    file = tmp_path / "seglearn" / "data" / "watch_dataset.npy"
    monkeypatch.setattr(watch_exercises, "CHECKSUM", small_watch.write_file(file))
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path / "seglearn")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    watch_exercises._read.cache_clear()
    yield file
    watch_exercises._read.cache_clear()


@pytest.mark.parametrize("fold", range(watch_exercises.FOLDS))
def test_nobody_is_in_two_splits_and_everybody_is_tested_once(fold):
    people = {split: watch_exercises.subjects(split, fold) for split in watch_exercises.SPLITS}
    assert [len(people[split]) for split in ("train", "validation", "test")] == [6, 2, 2]
    assert sorted(sum(people.values(), ())) == list(range(1, 11))
    tested = [watch_exercises.subjects("test", one) for one in range(watch_exercises.FOLDS)]
    assert sorted(sum(tested, ())) == list(range(1, 11))


def test_a_split_holds_its_peoples_recordings(package):
    wanted = [each for each in small_watch.every() if each.subject in (5, 6)]
    found, source = watch_exercises.load("test", fold=2)
    assert len(found) == len(wanted) == 14
    for one, other in zip(found, wanted, strict=True):
        assert one[1:] == other[1:] and one.signal.dtype == np.float32
        np.testing.assert_array_equal(one.signal, other.signal)
    assert source.splits["test"] == (14, "14 recordings of subjects 5, 6 (fold 2)")
    assert source.splits["train"][0] == 42
    assert source.sha256 == {"watch_dataset.npy": watch_exercises.CHECKSUM}


def test_what_is_kept_is_nobodys_to_change(package):
    watch_exercises.load("train")[0][0].signal[:] = 7
    again = watch_exercises.load("train")[0][0].signal
    assert not (again == 7).any()


def test_another_file_is_not_unpickled(package):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("it was opened",)

    package.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"watch_dataset.npy must have SHA-256 .*; it has"):
        watch_exercises.load("train")


def test_bad_input_is_named(package, monkeypatch):
    with pytest.raises(ValueError, match="split must be one of 'train', 'validation', 'test'"):
        watch_exercises.load("dev")
    with pytest.raises(ValueError, match="fold must be one of 0, 1, 2, 3, 4; got 5"):
        watch_exercises.load("train", 5)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'gru-zoo\[sensors\]'"):
        watch_exercises.load("train")


@pytest.mark.skipif(importlib.util.find_spec("seglearn") is None, reason="the extra `sensors`")
def test_the_real_recordings():
    every = [
        each
        for fold in range(watch_exercises.FOLDS)
        for each in watch_exercises.load("test", fold)[0]
    ]
    assert len(every) == 140 and sum(len(each.signal) for each in every) == 244_102
    did = {(each.subject, each.exercise, each.right) for each in every}
    assert len(did) == 10 * 7 * 2
    assert all(each.signal.shape[1] == len(watch_exercises.CHANNELS) for each in every)
    train, source = watch_exercises.load("train")
    assert len(train) == 84 and source.splits["train"][0] == 84
