"""`@mediapipe/tasks-text` in a browser on every kind of text classifier: the model's scores."""

import functools
import http.server
import json
import shutil

import numpy as np
import pytest

from gru_zoo import demo, list_models, load
from gru_zoo.zoo import models_folder
from tests.demo.conftest import running
from tests.export.conftest import REVIEWS, random_reviews
from tests.export.text_kinds import KINDS, expected, write

pytestmark = pytest.mark.slow

PACKAGE = demo.PAGE / "node_modules/@mediapipe/tasks-text"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of a folder that prints nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def classify(chromium, tmp_path_factory):
    """Return a function (path of a file, texts) -> scores [texts, labels], NaN for none."""
    if not PACKAGE.is_dir():
        pytest.skip("needs @mediapipe/tasks-text (npm install --ignore-scripts --prefix demo)")
    site = tmp_path_factory.mktemp("site")
    shutil.copy(PACKAGE / "text_bundle.mjs", site / "text.js")
    (site / "wasm").symlink_to(PACKAGE / "wasm")
    (site / "index.html").write_text("<!doctype html><title>MediaPipe</title>")
    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def run(path, texts, labels):
        # A name of its own: a browser may take a file changed within a second for the same one.
        name = f"model_{len(list(site.glob('*.tflite')))}.tflite"
        shutil.copy(path, site / name)
        chromium.open(f"http://localhost:{server.server_port}/")
        rows = chromium.evaluate(f"""(async () => {{
            const {{ FilesetResolver, TextClassifier }} = await import("./text.js");
            const files = await FilesetResolver.forTextTasks("./wasm");
            const classifier = await TextClassifier.createFromModelPath(files, "./{name}");
            const rows = {json.dumps(texts)}.map((text) => {{
                const row = new Array({labels}).fill(null);
                const [head] = classifier.classify(text).classifications;
                for (const {{ index, score }} of head.categories) row[index] = score;
                return row;
            }});
            classifier.close();
            return rows;
        }})()""")
        return np.array(rows, float)  # None becomes NaN

    with running(server):
        yield run


@pytest.mark.parametrize("kind", KINDS)
def test_the_browser_gives_the_models_probabilities(classify, kind, tmp_path):
    texts = REVIEWS + random_reviews(60)
    model, thresholds = write(kind, tmp_path / "model.tflite")
    wanted = expected(model, thresholds, texts)
    given = classify(tmp_path / "model.tflite", texts, len(model.labels))
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", list_models())
def test_the_zoos_files_too(classify, name):
    path = models_folder() / name / "model_mediapipe.tflite"
    if not path.is_file():
        pytest.skip("the model has no file for MediaPipe")
    model = load(name)
    texts = REVIEWS + random_reviews(60)
    given = classify(path, texts, len(model.labels))
    np.testing.assert_allclose(given, model.predict(texts, verbose=0), rtol=0, atol=1e-5)
