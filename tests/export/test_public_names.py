"""What `gru_zoo.export` gives by name, and that no module of it takes such a name."""

from pathlib import Path

import pytest

from gru_zoo import export


@pytest.mark.parametrize("name", export.__all__)
def test_a_public_name_is_what_its_module_calls_so(name):
    if name == "LiteTranslator":
        pytest.importorskip("tokenizers")
    found = getattr(export, name)
    assert (found.__name__, found.__module__) == (name, export._HOMES[name])


def test_importing_a_module_hides_no_public_name():
    modules = {path.stem for path in Path(export.__file__).parent.iterdir()}
    assert not modules & {*export.__all__}


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match="'gru_zoo.export' has no attribute 'tflight'"):
        export.tflight  # noqa: B018
