"""A file runs in every release from its declared minimum on, and gives the same there."""

import json
from pathlib import Path

import pytest

from gru_zoo import markdown
from gru_zoo.export.checks.limits import LIMITS
from tests.runtimes import compare, files, releases
from tests.runtimes.__main__ import BEGIN, END, RESULTS, ROOT

# LiteRT's first release is what became the runtime of TensorFlow 2.18.
FIRST_LITERT = (2, 18)
needs_releases = pytest.mark.skipif(
    not releases.there(), reason="no older releases: python -m tests.runtimes --set-up"
)


def at_least(release):
    """Return the version of TensorFlow that a release is as new as, or newer."""
    return FIRST_LITERT if release in releases.LITERT else releases.version(release)[:2]


def check(records):
    for record in records:
        needed = tuple(int(part) for part in record["min_runtime"].split(".")[:2])
        for release, found in record["releases"].items():
            what = f"{record['model']} {record['variant']} in {release}: {found}"
            if at_least(release) >= needed:
                assert "refused" not in found, what
            if "difference" in found:
                limit = LIMITS[record["variant"].split()[0]].difference
                assert found["difference"] <= limit, what


@pytest.mark.slow
@needs_releases
def test_files_run_in_the_releases_they_claim(tmp_path):
    check(compare.compare(files.make(tmp_path), releases.there()))


def test_the_record_holds_what_files_claim():
    records = json.loads(RESULTS.read_text())["records"]
    check(records)
    claims = {record["variant"]: record["min_runtime"] for record in records}
    assert set(claims) == {*files.VARIANTS, files.PER_TENSOR}
    # A claim is no higher than it need be where a release just below it was run.
    refused = {
        (r["variant"], name) for r in records for name, f in r["releases"].items() if "refused" in f
    }
    assert ("int8", "TensorFlow 2.16.2") in refused and ("int4", "TensorFlow 2.17.1") in refused


def test_the_page_on_export_has_the_record():
    page = Path(ROOT / "docs/export.md").read_text()
    made = markdown.table(*compare.table(json.loads(RESULTS.read_text())["records"]))
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == made


def test_a_release_that_must_run_a_file_and_does_not_is_found():
    record = {"model": "text", "variant": "int8", "min_runtime": "2.17.0"}
    check([record | {"releases": {"TFLite 2.14.0": {"refused": "no"}}}])
    with pytest.raises(AssertionError, match="LiteRT 1.0.1"):
        check([record | {"releases": {"LiteRT 1.0.1": {"refused": "no"}}}])
    with pytest.raises(AssertionError, match="difference"):
        check([record | {"releases": {"LiteRT 1.0.1": {"difference": 0.9}}}])
