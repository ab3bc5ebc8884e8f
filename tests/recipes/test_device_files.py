"""Device files that are compared together appear together or not at all."""

import pytest

from gru_zoo.export.checks.inspection import Refused
from recipes.shared.device_files import write_compared


def parts(written, refused=""):
    def write(path):
        path.mkdir() if path.suffix == "" else path.write_bytes(b"new")

    def compare(path, name):
        # A pair's other half is beside it.
        assert all((path.parent / other).exists() for other in files)
        written.append(name)
        if name == refused:
            raise Refused(f"path must be right; {name} is not.")
        return {"largest_difference": 1e-6}

    files = dict.fromkeys(("saved_model", "encoder.tflite", "decoder.tflite"), write)
    return files, compare


def show(record):
    return f"off by {record['largest_difference']:g}"


def test_every_file_is_compared_and_shown(tmp_path, capsys):
    compared = []
    write_compared(tmp_path / "out", *parts(compared), show, overwrite=False)
    assert compared == ["saved_model", "encoder.tflite", "decoder.tflite"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(compared)
    assert capsys.readouterr().out.count("KB, off by 1e-06") == 3
    with pytest.raises(FileExistsError, match="without --overwrite"):
        write_compared(tmp_path / "out", *parts(compared), show, overwrite=False)


def test_one_that_is_refused_leaves_what_was_there(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Refused):
        write_compared(out, *parts([], "decoder.tflite"), show, overwrite=False)
    assert not list(out.iterdir())
    (out / "encoder.tflite").write_bytes(b"old")
    with pytest.raises(Refused):
        write_compared(out, *parts([], "decoder.tflite"), show, overwrite=True)
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [
        ("encoder.tflite", b"old")
    ]
    write_compared(out, *parts([]), show, overwrite=True)
    assert (out / "encoder.tflite").read_bytes() == b"new"
