"""`python -m gru_zoo.demo`: what it serves, what it writes, what it refuses."""

import contextlib
import dataclasses
import errno
import http.client
import json
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from gru_zoo import demo, list_models
from gru_zoo.demo import RUNTIME, Server, main
from gru_zoo.zoo import card
from tests.demo.conftest import running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Put a page with a stand-in for LiteRT.js in the place of `demo/`; return its folder."""
    folder = tmp_path / "page"
    shutil.copytree(demo.PAGE / "src", folder / "src")
    for page in demo.PAGE.glob("*.html"):
        shutil.copy(page, folder)
    for path in RUNTIME:
        place = folder / demo.LITERT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(f"stand-in for {path}".encode())
    monkeypatch.setattr(demo, "PAGE", folder)
    return folder


@contextlib.contextmanager
def asking():
    """Run a server; yield a function (path, method) -> (status, headers, body)."""
    server = Server(0)
    with running(server):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)

        def ask(path, method="GET"):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

        with contextlib.closing(connection):
            yield ask


@pytest.fixture
def zoo_of_one(tmp_path, monkeypatch):
    """Put a zoo of one classifier in the place of the shipped one; return the model's folder."""
    name = next(name for name in list_models() if card(name).task == "text-classification")
    copy = tmp_path / "zoo" / name
    copy.mkdir(parents=True)
    for file in ("card.json", "model_float32.tflite", "model_int8.tflite"):
        shutil.copy(demo.zoo.models_folder() / name / file, copy)
    monkeypatch.setenv("GRU_ZOO_MODELS", str(copy.parent))
    return copy


@pytest.fixture
def ask(page):
    with asking() as ask:
        yield ask


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?x=1", "text/html; charset=utf-8"),
        ("/next-words.html", "text/html; charset=utf-8"),
        ("/translate.html", "text/html; charset=utf-8"),
        ("/src/app.js", "text/javascript; charset=utf-8"),
        ("/src/style.css", "text/css; charset=utf-8"),
        ("/src/icon.svg", "image/svg+xml"),
        ("/litert/core/wasm/litert_wasm_internal.wasm", "application/wasm"),
        ("/models/presets.json", "application/json; charset=utf-8"),
        ("/models/language_models.json", "application/json; charset=utf-8"),
        ("/models/translators.json", "application/json; charset=utf-8"),
    ],
)
def test_files_have_the_types_that_browsers_ask_for(ask, path, kind):
    status, headers, body = ask(path)
    assert status == 200
    assert headers["Content-Type"] == kind
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert int(headers["Content-Length"]) == len(body) > 0


def test_the_presets_name_files_that_are_served(ask):
    presets = json.loads(ask("/models/presets.json")[2])
    classifiers = [name for name in list_models() if card(name).task == "text-classification"]
    assert {preset["name"] for preset in presets} == set(classifiers)
    sizes = [min(file["bytes"] for file in preset["files"]) for preset in presets]
    assert sizes == sorted(sizes) and len(presets) == len(classifiers)
    for preset in presets:
        assert [file["variant"] for file in preset["files"]] == ["float32", "int8"]
        for file in preset["files"]:
            status, headers, body = ask(f"/models/{file['path']}")
            assert (status, len(body)) == (200, file["bytes"])
            assert headers["Content-Type"] == "application/octet-stream"
            assert 0.5 < file["score"] < 1


def test_a_translator_is_two_files_of_each_variant(ask):
    presets = json.loads(ask("/models/translators.json")[2])
    translators = [name for name in list_models() if card(name).task == "translation"]
    assert {preset["name"] for preset in presets} == set(translators)
    for preset in presets:
        assert [file["variant"] for file in preset["files"]] == ["float32", "int8"]
        assert preset["beams"] == 6 and preset["alpha"] == 1.0 and len(preset["language"]) == 2
        for file in preset["files"]:
            parts = [file["encoder"], file["decoder"]]
            assert file["bytes"] == sum(part["bytes"] for part in parts)
            for part in parts:
                status, _, body = ask(f"/models/{part['path']}")
                assert (status, len(body)) == (200, part["bytes"])
            assert 20 < file["score"] < 100


def test_a_question_about_a_file_sends_no_file(ask):
    status, headers, body = ask("/src/app.js", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/src/",
        "/src",
        "/../secret.txt",
        "/src/../../secret.txt",
        "/%2e%2e/secret.txt",
    ]
    + ["/package.json", "//etc/passwd", "/models/../secret.txt", "/src/app.js/"],
)
def test_nothing_else_can_be_asked_for(ask, page, path):
    (page.parent / "secret.txt").write_text("secret")
    (page / "secret.txt").write_text("secret")
    status, _, body = ask(path)
    assert status == 404
    assert body.count(b"secret") <= body.count(b"secret.txt")


def test_a_file_that_goes_away_is_not_found(ask, page, capsys):
    assert ask("/src/app.js")[0] == 200
    (page / "src" / "app.js").unlink()
    assert ask("/src/app.js")[0] == 404
    assert ask("/src/style.css")[0] == 200
    assert capsys.readouterr().err == ""


def names(ask):
    """Return the names in the list of classifiers."""
    return [preset["name"] for preset in json.loads(ask("/models/presets.json")[2])]


def test_the_lists_are_made_anew_at_each_request(page, zoo_of_one, capsys):
    name = zoo_of_one.name
    with asking() as ask:
        assert names(ask) == [name]
        later = shutil.copytree(zoo_of_one, zoo_of_one.with_name("published_later"))
        (later / "card.json").write_text(
            (later / "card.json")
            .read_text()
            .replace(f'"name": "{name}"', f'"name": "{later.name}"')
        )
        path = f"/models/{later.name}/model_int8.tflite"
        assert ask(path)[0] == 404
        assert sorted(names(ask)) == sorted([name, later.name])
        assert ask(path)[2] == (later / "model_int8.tflite").read_bytes()
        shutil.rmtree(zoo_of_one)
        assert ask(f"/models/{name}/model_int8.tflite")[0] == 404
        assert names(ask) == [later.name]
        assert capsys.readouterr().err == ""


def test_a_folder_may_have_any_name(page, zoo_of_one):
    other = zoo_of_one.rename(zoo_of_one.with_name("sentiment caf\u00e9 50%"))
    with asking() as ask:
        assert names(ask) == [other.name]
        path = urllib.parse.quote(f"/models/{other.name}/model_int8.tflite")
        assert ask(path)[2] == (other / "model_int8.tflite").read_bytes()


def test_models_of_characters_are_not_offered(monkeypatch):
    words = next(card(name) for name in list_models() if card(name).task == "text-generation")
    characters = dataclasses.replace(words, metric="bits_per_character")
    for found, count in ((words, 1), (characters, 0)):
        monkeypatch.setattr(demo.zoo, "list_models", lambda: ["one"])
        monkeypatch.setattr(demo.zoo, "card", lambda name, found=found: found)
        assert len(demo.presets("text-generation")) == count


def test_a_file_that_cannot_be_read_is_named(page, zoo_of_one, tmp_path, monkeypatch, capsys):
    file = zoo_of_one / "model_int8.tflite"

    def verify(name, file_name):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(demo.zoo, "verify", verify)
    for words in (["--port", "0"], ["--out", str(tmp_path / "site")]):
        assert main(words) == 2
        assert capsys.readouterr().err == f"error: {file}: Permission denied.\n"


def test_an_interrupted_folder_is_no_success(page, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.shutil, "copyfile", interrupted)
    assert main(["--out", str(tmp_path / "site")]) == 130
    assert not (tmp_path / "site").exists()


def test_a_corrupt_card_leaves_the_list_as_it_was(page, zoo_of_one, capsys):
    with asking() as ask:
        (zoo_of_one / "card.json").write_text("{")
        assert names(ask) == [zoo_of_one.name]
        error = capsys.readouterr().err
        assert error.startswith("error: the list of models stays as it was: ")
        assert len(error.splitlines()) == 1 and "card.json" in error


def test_other_methods_are_refused(ask):
    assert ask("/", "POST")[0] == 501


def test_only_this_machine_can_reach_it(page):
    with Server(0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.address == f"http://localhost:{server.server_port}/"


def test_the_folder_is_what_the_server_serves(page, tmp_path, capsys):
    out = tmp_path / "site"
    assert main(["--out", str(out)]) == 0
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert capsys.readouterr().out == f"{len(written)} files are in {out}.\n"
    with asking() as ask:
        for path in written:
            assert ask(f"/{path}")[2] == (out / path).read_bytes()
    assert written == set(demo.site())
    assert not any(path.endswith(".map") for path in written)


def test_what_is_not_of_the_page_is_not_sent(page):
    """A file manager's note, an editor's copy, a folder: none has a type that could be named."""
    for name in (".DS_Store", "app.js~", ".#app.js"):
        (page / "src" / name).write_bytes(b"not ours")
    (page / "src" / "old.js").mkdir()
    sent = {path for path in demo.site() if path.startswith("src/")}
    assert sent == {f"src/{path.name}" for path in (ROOT / "demo" / "src").iterdir()}


def test_an_existing_folder_is_refused(page, tmp_path, capsys):
    (tmp_path / "kept").mkdir()
    assert main(["--out", str(tmp_path / "kept")]) == 2
    assert "kept: out must be a new folder." in capsys.readouterr().err
    assert list((tmp_path / "kept").iterdir()) == []


def test_it_says_what_to_do_without_litert(page, capsys):
    shutil.rmtree(page / "node_modules")
    assert main(["--port", "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: LiteRT.js is not installed (")
    assert f"npm install --omit=dev --ignore-scripts --prefix {page}" in error
    assert len(error.splitlines()) == 1


def test_a_folder_is_not_half_written(page, tmp_path):
    (page / demo.LITERT / RUNTIME[-1]).unlink()
    assert main(["--out", str(tmp_path / "site")]) == 2
    assert not (tmp_path / "site").exists()


def test_an_installation_without_the_page_says_so(page, capsys):
    (page / "index.html").unlink()
    assert main(["--port", "0"]) == 2
    assert "error: the page is a folder of the repository; " in capsys.readouterr().err


def test_no_models(page, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRU_ZOO_MODELS", str(tmp_path / "none"))
    assert main(["--port", "0"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: no model for the page was found in {tmp_path}/none.\n"


def test_a_damaged_model_is_refused(page, zoo_of_one, capsys):
    with open(zoo_of_one / "model_int8.tflite", "r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))
    assert main(["--port", "0"]) == 2
    assert "model_int8.tflite must have SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http", "80.5", ""])
def test_a_bad_port_is_refused(page, port, capsys):
    with pytest.raises(SystemExit) as stop:
        main([f"--port={port}"])
    assert stop.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(f"argument --port: must be a number from 0 to 65535; got {port!r}.")


def test_a_port_in_use_is_refused(page, capsys):
    with Server(0) as server:
        assert main(["--port", str(server.server_port)]) == 2
    error = capsys.readouterr().err
    assert error == f"error: --port {server.server_port}: Address already in use.\n"


def test_help_comes_at_once():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gru_zoo.demo", "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--port" in done.stdout and "--out" in done.stdout
    assert "tensorflow" not in done.stderr and "keras" not in done.stderr


def test_the_lock_names_no_machine():
    lock = json.loads((demo.Path(demo.__file__).parents[1] / "demo/package-lock.json").read_text())
    for path, package in lock["packages"].items():
        if path:
            assert package["integrity"].startswith("sha512-")
            assert "resolved" not in package
