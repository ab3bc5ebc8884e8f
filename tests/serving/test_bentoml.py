"""The sentiment preset's SavedModel, served for real by BentoML and asked over REST."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gru_zoo import load
from gru_zoo.zoo import models_folder

pytest.importorskip("bentoml", reason="BentoML is not installed: the extra serve")
pytestmark = pytest.mark.slow

NAME = "sentiment_imdb_gru_small"
TEXTS = [
    "A quiet, wonderful film.",
    "Two hours I will never get back.",
    "",
    "caf\u00e9 \u65e5\u672c\u8a9e \U0001f600 'quoted' \"twice\"\n\t<br />",
    "good " * 500,
]
SECONDS = 120


def post(url, value):
    """Send JSON as a user would; return status and answer."""
    request = urllib.request.Request(
        url, json.dumps(value).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url, process, log):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the service was not ready after {SECONDS} s: {log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Start the service; return its address."""
    folder = tmp_path_factory.mktemp("bentoml")
    port, log = free_port(), folder / "log"
    environment = {
        **os.environ,
        "BENTOML_HOME": str(folder),
        "BENTOML_DO_NOT_TRACK": "True",
        "SAVED_MODEL": str(models_folder() / NAME / "saved_model"),
    }
    command = [sys.executable, "-m", "bentoml", "serve", "service:Sentiment"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--working-dir", str(Path(__file__).parent)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        yield url
    finally:
        # It is the leader of its own group, which its workers belong to.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS, TEXTS * 10], ids=len)
def test_answers_are_the_models(service, texts):
    status, answer = post(f"{service}/classify", {"text": texts})
    assert status == 200
    model = load(NAME)
    wanted = model.predict(texts, verbose=0)
    assert [one["label"] for one in answer] == [model.labels[i] for i in wanted.argmax(axis=1)]
    assert [one["score"] for one in answer] == pytest.approx(list(wanted.max(axis=1)), abs=1e-5)


@pytest.mark.parametrize("wrong", [{}, {"text": 3}, {"texts": ["a"]}], ids=json.dumps)
def test_a_wrong_request_is_refused_and_the_service_goes_on(service, wrong):
    status, answer = post(f"{service}/classify", wrong)
    assert status == 400, answer
    assert post(f"{service}/classify", {"text": TEXTS[:1]})[0] == 200
