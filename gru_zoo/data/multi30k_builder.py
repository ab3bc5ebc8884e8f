"""The TFDS builder of Multi30k: all three languages of a line are one example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from gru_zoo.data import manual, multi30k


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """Multi30k, task 1, raw text; splits train, validation and test (test_2016_flickr).

    An example is {"line": number in the file, "de": text, "en": text, "fr": text}. Raw files
    are read where `manual.raw_file` finds them, and downloaded otherwise; either way they are
    checked against `multi30k.CHECKSUMS`.

    Example:
        >>> Multi30k(data_dir="none").info.version
        Version('1.0.0')
    """

    VERSION = tfds.core.Version(multi30k.VERSION)
    RELEASE_NOTES = {multi30k.VERSION: f"Commit {multi30k.COMMIT} of {multi30k.ORIGIN}."}

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {language: tfds.features.Text() for language in multi30k.LANGUAGES}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"line": np.int32, **texts}),
            homepage=multi30k.ORIGIN,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        names = [multi30k.raw_name(s, lang) for s in multi30k.FILES for lang in multi30k.LANGUAGES]
        here = {name: manual.raw_file(f"{multi30k.NAME}/{name}") for name in names}
        missing = {name: multi30k.ADDRESS + name for name, path in here.items() if path is None}
        got = {**here, **dl_manager.download(missing)}
        return {split: self._generate_examples(got, split) for split in multi30k.FILES}

    def _generate_examples(self, got: dict, split: str) -> Iterator[tuple[int, dict]]:
        names = {lang: multi30k.raw_name(split, lang) for lang in multi30k.LANGUAGES}
        texts = [multi30k.read_raw(Path(got[name]), name) for name in names.values()]
        for line, row in enumerate(zip(*texts, strict=True)):
            yield line, {"line": line, **dict(zip(names, row, strict=True))}
