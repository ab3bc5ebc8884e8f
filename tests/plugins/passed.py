"""`--after-pass`: leave out what passed in the run before.

CI runs everything a second time with the packages that the first run was skipped for; what passed
without them need not run again.
"""

import pytest

_KEY = "gru_zoo/passed"


class Passed:
    """Remembers in pytest's cache which tests passed, and deselects them when asked."""

    def __init__(self, config):
        self.config = config
        self.passed = set()

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
        if report.failed:  # What fails after its call has not passed.
            self.passed.discard(report.nodeid)

    def pytest_collection_modifyitems(self, items):
        if not (self._kept() and self.config.getoption("--after-pass")):
            return
        before = set(self.config.cache.get(_KEY, []))
        self.config.hook.pytest_deselected(items=[i for i in items if i.nodeid in before])
        items[:] = [item for item in items if item.nodeid not in before]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        worker = hasattr(self.config, "workerinput")  # Its reports reach the one that writes.
        run = self.passed and not self.config.getoption("--after-pass")
        if self._kept() and not worker and run:
            self.config.cache.set(_KEY, sorted(self.passed))

    def _kept(self):
        """Whether there is a cache: not with -p no:cacheprovider."""
        return self.config.pluginmanager.hasplugin("cacheprovider")
