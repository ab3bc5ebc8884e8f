"""Which commit a card names."""

import subprocess

from gru_zoo.artifacts.folder import commit


def test_a_card_says_whether_the_code_was_changed_and_of_which_repository(tmp_path):
    def git(*arguments):
        names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        command = ["git", "-C", str(tmp_path), *names, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    for folder in ("gru_zoo", "recipes", "notes", "venv/site-packages/gru_zoo"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("old")
    assert commit(tmp_path) == ""  # no repository
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (tmp_path / "notes" / "a.py").write_text("new")  # no code
    (tmp_path / "gru_zoo" / "b.py").write_text("new")  # not known to git
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "recipes" / "a.py").write_text("new")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + " with changes"
    assert commit(tmp_path / "venv/site-packages") == ""  # installed within another's project
