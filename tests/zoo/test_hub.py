"""An artifact goes to the hub and comes back; what comes is compared before it is opened."""

import json
import shutil

import numpy as np
import pytest

from gru_zoo import load, push
from gru_zoo.zoo import hub as rooms
from gru_zoo.zoo import registry
from tests.zoo.conftest import NAME, TEXTS
from tests.zoo.hub_double import hub as hub_double

client = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
repocard_data = pytest.importorskip("huggingface_hub.repocard_data")
constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with hub_double() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_an_artifact_goes_and_comes_back(hub, zoo, made):
    for left in ("model.keras.lock", "golden.npz.part"):  # as fetching leaves them
        (zoo / NAME / left).touch()
    url = push(NAME, "hf://someone/two-words")
    (commit,) = hub.repositories["someone/two-words"]
    assert url.endswith(f"/someone/two-words/commit/{commit}")
    sent = hub.repositories["someone/two-words"][commit]
    on_disk = {
        path.relative_to(zoo / NAME).as_posix(): path.read_bytes()
        for path in (zoo / NAME).rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".part")
    }
    assert sent == on_disk and "README.md" in sent
    hub.asked.clear()
    model = load("hf://someone/two-words")
    expected = made[1].predict(TEXTS, verbose=0)
    np.testing.assert_allclose(model.predict(TEXTS, verbose=0), expected, atol=1e-6)
    assert model.card.name == NAME
    # Nothing but the card and what was asked for.
    assert {asked.rpartition("/")[2] for asked in hub.asked} == {"card.json", "model.keras"}
    lite = load(f"hf://someone/two-words@{commit}", format="tflite")
    np.testing.assert_allclose(lite.predict(TEXTS), expected, atol=1e-5)
    hub.shutdown()
    hub.server_close()
    np.testing.assert_allclose(
        load("hf://someone/two-words").predict(TEXTS, verbose=0), expected, atol=1e-6
    )


def test_all_files_are_of_one_commit(hub, zoo):
    push(NAME, "hf://someone/changes")
    _, folder = rooms.download("hf://someone/changes", "model.keras")
    commits = hub.repositories["someone/changes"]
    first = next(iter(commits))
    commits["f" * 40] = {**commits[first], "golden.npz": b"of a later commit"}
    _, later = rooms.download(f"hf://someone/changes@{first}", "golden.npz")
    assert later == folder and folder.name == first


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("model.keras", lambda old: old[:-1] + b"?", "model.keras must have SHA-256 .* not opened"),
        ("card.json", lambda old: old[:-9], "must be a model card; it is corrupt"),
        (
            "card.json",
            lambda old: old.replace(b'"model.keras":', b'"../../model.keras":'),
            "files must lie in the artifact; got '../../model.keras'",
        ),
    ],
)
def test_what_was_changed_there_is_refused(hub, zoo, path, content, message, monkeypatch):
    push(NAME, "hf://someone/changed")
    ((_, files),) = hub.repositories["someone/changed"].items()
    files[path] = content(files[path])
    monkeypatch.setattr("keras.saving.load_model", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(ValueError, match=message):
        load("hf://someone/changed")


def test_only_the_artifacts_files_go_with_the_card_of_today(hub, zoo, tmp_path, monkeypatch):
    packaged = shutil.copytree(zoo, tmp_path / "presets")
    monkeypatch.delenv("GRU_ZOO_MODELS")
    monkeypatch.setattr(registry, "PACKAGED", packaged)
    monkeypatch.setenv("GRU_ZOO_CACHE", str(tmp_path / "cache"))
    shutil.copytree(zoo / NAME, tmp_path / "cache" / NAME)
    (packaged / NAME / "model.keras").unlink()  # so that the cache's folder is what goes
    old = json.loads((tmp_path / "cache" / NAME / "card.json").read_text()) | {"date": "2001-01-01"}
    (tmp_path / "cache" / NAME / "card.json").write_text(json.dumps(old))
    (tmp_path / "cache" / NAME / "private.txt").write_text("mine")
    push(NAME, "hf://someone/today")
    ((_, files),) = hub.repositories["someone/today"].items()
    assert files["card.json"] == (zoo / NAME / "card.json").read_bytes()
    assert "private.txt" not in files and "model.keras" in files


def test_what_an_older_push_had_besides_goes_and_what_is_the_users_stays(hub, zoo, tmp_path):
    push(NAME, "hf://someone/again")
    commits = hub.repositories["someone/again"]
    ((_, first),) = commits.items()
    older = json.loads(first["card.json"])
    older["files"] |= {"model_[int4].tflite": {"sha256": "0" * 64, "bytes": 1}}
    more = {"model_[int4].tflite": b"?", "model_i.tflite": b"mine", "LICENSE": b"mine"}
    commits["0" * 40] = {**first, **more, "card.json": json.dumps(older).encode()}
    push(NAME, "hf://someone/again")
    *_, last = commits.values()
    assert len(commits) == 3
    assert last == {**first, "model_i.tflite": b"mine", "LICENSE": b"mine"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"files": 3}', b'{"model_name": "of others"}'])
def test_a_card_there_that_is_none_of_ours_is_replaced(hub, zoo, content):
    hub.repositories["someone/other"] = {"0" * 40: {"card.json": content, "other.bin": b"mine"}}
    push(NAME, "hf://someone/other")
    *_, last = hub.repositories["someone/other"].values()
    assert last["card.json"] == (zoo / NAME / "card.json").read_bytes()
    assert last["other.bin"] == b"mine"


def test_a_hub_without_it_and_no_hub_at_all(hub, monkeypatch):
    with pytest.raises(ConnectionError, match="hf://someone/nothing: card.json cannot be had"):
        load("hf://someone/nothing")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # The client tries again, and waits.
    with pytest.raises(ConnectionError, match="hf://someone/nothing: card.json cannot be had"):
        load("hf://someone/nothing")
    with pytest.raises(ConnectionError, match="cannot be put there"):
        push(NAME, "hf://someone/two-words")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("Task error: File reconstruction error: CAS Client Error\nat 3"),
            r"Task error: .* Error \(without the client's Xet: HF_HUB_DISABLE_XET=1\)$",
        ),
        (RuntimeError(), r"RuntimeError \(without the client's Xet: HF_HUB_DISABLE_XET=1\)$"),
        (OSError(), "OSError$"),
    ],
)
def test_what_the_client_raises_of_a_transfer_is_a_connection_error(
    hub, zoo, monkeypatch, error, message
):
    def fail(*arguments, **keywords):
        raise error

    monkeypatch.setattr(client, "hf_hub_download", fail)
    with pytest.raises(ConnectionError, match=f"card.json cannot be had: {message}"):
        load("hf://someone/two-words")
    monkeypatch.setattr(client.HfApi, "upload_folder", fail)
    with pytest.raises(ConnectionError, match=f"{NAME} cannot be put there: {message}"):
        push(NAME, "hf://someone/two-words")


def test_a_folders_path_is_no_title_of_what_is_public(hub, zoo, tmp_path):
    for number, path in enumerate((zoo / NAME, str(zoo / NAME))):
        push(path, f"hf://someone/of-a-path-{number}")
    assert hub.titles == [NAME, NAME]
    damaged = shutil.copytree(zoo / NAME, tmp_path / "nameless")
    about = json.loads((damaged / "card.json").read_text()) | {"name": None}
    (damaged / "card.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="it is corrupt: name must be of type str; got None"):
        push(damaged, "hf://someone/nameless")
    assert "someone/nameless" not in hub.repositories


@pytest.mark.parametrize("address", ["hf://nobody", "hf://a/b/c", "hf://a/b@", "https://a/b"])
def test_an_address_has_two_names(zoo, address):
    with pytest.raises(ValueError, match="address must be hf://user/repository"):
        push(NAME, address)
    if address.startswith("hf://"):  # else it is no address for `load`, but a name or a path
        with pytest.raises(ValueError, match="name must be hf://user/repository"):
            load(address)


def test_the_card_is_one_that_the_client_reads(zoo):
    card = client.ModelCard((zoo / NAME / "README.md").read_text(), ignore_metadata_errors=False)
    (result,) = repocard_data.model_index_to_eval_results(card.data.to_dict()["model-index"])[1]
    known = json.loads((zoo / NAME / "card.json").read_text())
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.92)
    assert (result.task_type, result.dataset_type) == (known["task"], known["dataset"])
    assert card.data.language == ["en"] and card.data.license == "apache-2.0"
    # With "keras" the hub would show keras.saving.load_model, which needs another kind of folder.
    assert card.data.library_name == "gru-zoo" and "keras" in card.data.tags
