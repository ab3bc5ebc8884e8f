"""Which tests share a worker: those of a file, or of files that need the same costly fixture.

What takes longest begins first: pytest-xdist's `loadfile` gives out the files with the most tests
first, so that a long test that is alone in its file, or the last of a long one, would still run
when the other workers are done.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

# A test of minutes for each preset; together they would be one worker's whole work.
_ALONE = "::test_the_real_test_split_gives_the_cards_figure["
# Every worker with one of these would make a fixture of the session for itself: a classifier's
# file in each format.
_TOGETHER = tuple(
    f"tests/export/test_{name}.py"
    for name in ("tflite_files", "check_refuses", "saved_model_folder", "streamer")
)


class Shares:
    """Hands out first what is allowed the most time, then the files with the most tests."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        weights = {}
        for item in items:
            marker = item.get_closest_marker("timeout")
            limit, count = weights.get(_scope(item.nodeid), (0, 0))
            limit = max(limit, marker.args[0] if marker else 0)
            weights[_scope(item.nodeid)] = limit, count + 1
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
    return _TOGETHER[0] if file.endswith(_TOGETHER) else file
