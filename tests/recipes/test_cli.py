"""What every recipe's command line does."""

import dataclasses
import io
import sys

from recipes.shared import cli


@dataclasses.dataclass(frozen=True)
class Flags:
    """Says something."""


def test_a_line_is_in_the_file_before_the_command_ends(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    seen = []

    def command(config):
        print("half of it")
        seen.append(path.read_text())

    with io.TextIOWrapper(path.open("wb")) as log:
        monkeypatch.setattr(sys, "stdout", log)
        assert cli.run("some", {"say": (Flags, command)}, []) == 0
    assert seen == ["half of it\n"]
