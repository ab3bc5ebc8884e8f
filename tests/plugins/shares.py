"""Which tests share a worker: those of a file, or of files that need the same costly fixture.

What takes longest begins first: pytest-xdist's `loadfile` gives out the files with the most tests
first, so that a long test that is alone in its file, or the last of a long one, would still run
when the other workers are done.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

# A test of minutes for each preset; together they would be one worker's whole work.
_ALONE = "::test_the_real_test_split_gives_the_cards_figure["
# What takes long and is made once in a process -> the files that need it: every worker with one of
# them would make for itself a classifier's file in each format, a zoo, or MediaPipe's files.
_TOGETHER = {
    "exported": tuple(
        f"tests/export/test_{name}.py"
        for name in ("tflite_files", "check_refuses", "saved_model_folder", "streamer")
    ),
    "small_zoo": tuple(
        f"tests/demo/test_{name}.py" for name in ("page", "page_access", "page_problems")
    ),
    "text_kinds": ("tests/demo/test_mediapipe_browser.py", "tests/export/test_mediapipe_kinds.py"),
    "zoo": tuple(
        f"tests/zoo/test_{name}.py" for name in ("commands", "loading", "what_is_trusted", "hub")
    ),
}
# Few tests, but of long ones: they train, convert or compile, or begin processes.
_LONG = tuple(
    f"tests/{name}.py"
    for name in (
        "export/test_calibrated",
        "export/test_saved_model_arrays",
        "layers/test_fused_derivatives",
        "recipes/test_sentiment",
        "test_imports",
        "test_registered",
    )
)


class Shares:
    """Hands out first what is allowed the most time, then `_LONG`, then what has the most tests."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        weights = {}
        for item in items:
            marker, scope = item.get_closest_marker("timeout"), _scope(item.nodeid)
            limit, _, count = weights.get(scope, (0, False, 0))
            limit = max(limit, marker.args[0] if marker else 0)
            weights[scope] = limit, scope.endswith(_LONG), count + 1
        items.sort(key=lambda item: weights[_scope(item.nodeid)], reverse=True)

    def pytest_xdist_make_scheduler(self, config, log):
        config.option.loadscopereorder = False
        return _Scheduler(config, log)


class _Scheduler(LoadFileScheduling):
    def _split_scope(self, nodeid):
        return _scope(nodeid)


def _scope(nodeid):
    file = nodeid.split("::", 1)[0]
    if _ALONE in nodeid:
        return nodeid
    return next((files[0] for files in _TOGETHER.values() if file.endswith(files)), file)
