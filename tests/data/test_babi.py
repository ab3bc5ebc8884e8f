"""bAbI's builder on a small archive, its splits, and what is said of a broken line."""

import collections
import hashlib

import numpy as np
import pytest

from gru_zoo.data import babi, manual, network
from gru_zoo.data.babi_builder import UPSTREAM, Babi
from tests.real_data import needs_tfds, tfds_folder
from tests.small_data import small_babi


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data folder with the small archive where files are put by hand."""
    folder = tmp_path_factory.mktemp("data")
    small_babi.archive(folder / "downloads/manual" / babi.RAW)
    return folder


@pytest.fixture
def loaded(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    monkeypatch.setattr(manual, "HOME", str(data_dir / "home"))
    return {split: babi.load(split) for split in babi.SPLITS}


def test_splits(loaded):
    sizes = {split: len(questions) for split, (questions, _) in loaded.items()}
    # 19 tasks with 30 stories and one with 6, of which a tenth, rounded down, is held out.
    assert sizes["train"] + sizes["validation"] == 2 * (19 * 30 + 6) and sizes["test"] == 400
    assert 0 < sizes["validation"] <= 2 * 19 * 3
    source = loaded["train"][1]
    assert source.splits["train"][0] == sizes["train"]
    assert source.splits["train"][1].endswith("20 tasks (qa3: 12 only)")


def test_no_story_is_on_both_sides(loaded):
    train, validation = (
        {(q.task, q.story) for q in loaded[split][0] if len(q.story) == 3}  # whole stories
        for split in ("train", "validation")
    )
    assert validation and not train & validation


def test_records_agree_and_are_pinned_by_content(loaded, data_dir):
    checksums = [source.sha256 for _, source in loaded.values()]
    assert checksums[0] == checksums[1] == checksums[2]
    assert set(checksums[0]) == {"train stories", "test stories"}
    babi._stories.cache_clear()
    small = next((data_dir / "babi").glob("*"))
    assert babi._checksum(babi._stories(small, "test")) == checksums[0]["test stories"]


def test_a_question_sees_what_was_before_it():
    questions = list(babi.parse_story(7, small_babi.lines(1, 1)))
    assert [q.supports for q in questions] == [(0,), (2,)]  # line 4 is the third sentence
    assert [len(q.story) for q in questions] == [2, 3]
    assert questions[1].question == "Where is Anna?" and questions[1].task == 7


def test_supports_keep_the_order_of_the_reasoning():
    lines = ["1 Eva left.", "2 Eva is here.", "3 It rained.", "4 Who is here?\tEva\t3 1 3"]
    assert list(babi.parse_story(3, lines))[0].supports == (2, 0)


def test_upstream():
    """The address, and TFDS knows the checksum of what is there."""
    assert Babi.url_infos == {babi.ARCHIVE: UPSTREAM}
    assert UPSTREAM.size == 15_719_851 and UPSTREAM.checksum.startswith("0364ebde")


def test_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(manual, "HOME", str(tmp_path))
    monkeypatch.setattr(network, "answers", lambda url: False)
    with pytest.raises(FileNotFoundError, match="does not answer"):
        babi.load("train")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty TFDS folder, and no other."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(manual, "HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_an_archive_that_was_cut_short_is_named(empty, share):
    path = small_babi.archive(empty / "downloads/manual" / babi.RAW)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"v1-2\.tar\.gz must be a tar archive; it is damaged: "):
        babi.load("train")


def test_a_download_that_breaks_off_is_said_with_the_ways(empty, monkeypatch):
    def broken(builder):
        raise EOFError("cut short")

    monkeypatch.setattr(network, "answers", lambda url: True)
    monkeypatch.setattr(Babi, "download_and_prepare", broken)
    message = r"bAbI could not be downloaded \(EOFError: cut short\). Put babi/tasks_1-20"
    with pytest.raises(FileNotFoundError, match=message):
        babi.load("train")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 ", "line 3: must be '3 ' and a text; got '3' ''"),
        ("5 It rained.", "line 3: must be '3 ' and a text; got '5'"),
        ("3 Where? \t\t1", "line 3: a question must have an answer"),
        ("3 Where? \there", "line 3: a question must have an answer"),
        ("3 Where? \there\tx", "line 3: a question must have an answer"),
        ("3 Where? \there\t3", "line 3: supports must be lines before it; got '3'"),
        ("3 Where? \there\t1 2", "line 3: supports must be no questions' lines; got '1 2'"),
    ],
)
def test_broken_lines(line, message):
    lines = ["1 Anna left.", "2 Who left?\tAnna\t1", line]
    with pytest.raises(ValueError, match="qa1.txt, ") as raised:
        list(babi.split_stories(lines, "qa1.txt"))
    assert message in str(raised.value)


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be one of 'train'"):
        babi.load("dev")


@pytest.mark.slow
@needs_tfds
def test_questions_of_the_test_files_that_stand_in_train(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    train, test = (babi.load(split)[0] for split in ("train", "test"))
    known = {(q.task, q.story, q.question) for q in train}
    again = collections.Counter(q.task for q in test if (q.task, q.story, q.question) in known)
    # As the module's docstring and README say.
    assert [again[task] for task in (4, 20, 17)] == [656, 198, 135]


@pytest.mark.slow
@needs_tfds
def test_validation_questions_that_stand_in_train(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder()))
    train, validation = (babi.load(split)[0] for split in ("train", "validation"))
    known = {(q.task, q.story, q.question, q.answer) for q in train}
    again, all_of = collections.Counter(), collections.Counter()
    for q in validation:
        all_of[q.task] += 1
        again[q.task] += (q.task, q.story, q.question, q.answer) in known
    shares = {task: round(100 * again[task] / all_of[task]) for task in (20, 17, 11)}
    # As the module's docstring and docs/comprehension.md say.
    assert shares == {20: 20, 17: 14, 11: 4}


def test_a_support_is_counted_from_1():
    with pytest.raises(
        ValueError, match="qa1.txt, line 2: supports must be lines before it; got '0'"
    ):
        list(babi.split_stories(["1 Anna left.", "2 Who left?\tAnna\t0"], "qa1.txt"))


def test_stories_are_in_the_order_of_their_digests(loaded, data_dir):
    folder = next((data_dir / "babi").glob("*"))
    for split in ("train", "test"):
        for stories in babi._stories(folder, split).values():
            digests = [hashlib.sha256(story).digest() for story in stories]
            assert digests == sorted(digests)


def test_equal_stories_are_on_one_side(loaded, monkeypatch):
    stories = np.empty(20, object)
    stories[:] = [b"1 Eva left.\n2 Who left?\tEva\t1"] * 3 + [
        b"1 Eva left.\n2 It rained %d.\n3 Who left?\tEva\t1" % n for n in range(17)
    ]
    monkeypatch.setattr(babi, "_stories", lambda folder, split: {1: stories})
    train, validation = (
        {q.story for q in babi.load(split)[0]} for split in ("train", "validation")
    )
    assert not train & validation
