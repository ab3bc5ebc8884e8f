"""The TFDS builder of bAbI: one example a story, its lines as they stand in the archive."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from gru_zoo.data import babi
from gru_zoo.data.manual import raw_file

# Of the upstream archive, as Hugging Face's loader of the same address records it.
UPSTREAM = tfds.download.checksums.UrlInfo(
    size=15_719_851,
    checksum="0364ebde659f14d11bc21744516c5ec49d3d06cb692733f66680771244998898",
    filename="tasks_1-20_v1-2.tar.gz",
)


class Babi(tfds.core.GeneratorBasedBuilder):
    """The 20 tasks in English, 10,000 questions each to train on where the archive has them.

    Reads `babi/tasks_1-20_v1-2.tar.gz` where such files are put by hand (`gru_zoo.data.manual`),
    else downloads it. A task without a file in `en-10k` is read from `en`, which has 1,000.

    Example:
        >>> Babi(data_dir="none").info.features["task"].np_dtype
        <class 'numpy.int32'>
    """

    VERSION = tfds.core.Version("1.2.0")
    url_infos = {babi.ARCHIVE: UPSTREAM}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"task": tfds.features.Scalar(np.int32), "story": tfds.features.Text()}
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features, homepage=babi.ORIGIN)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        archive = raw_file(babi.RAW) or dl_manager.download(babi.ARCHIVE)
        return {split: self._generate_examples(archive, split) for split in ("train", "test")}

    def _generate_examples(
        self, archive: Path, split: str
    ) -> Iterator[tuple[str, dict[str, int | str]]]:
        try:
            with tarfile.open(archive) as tar:
                for task, name in _files(tar.getnames(), split):
                    lines = tar.extractfile(name).read().decode("utf-8").splitlines()
                    for number, story in enumerate(babi.split_stories(lines, name)):
                        yield f"{task}-{number}", {"task": task, "story": story}
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{archive} must be a tar archive; it is damaged: {error}") from error


def _files(names: list[str], split: str) -> Iterator[tuple[int, str]]:
    """Yield every task and its file in the archive."""
    for task in babi.TASKS:
        ways = [f"/{folder}/qa{task}_" for folder in ("en-10k", "en")]
        found = [n for way in ways for n in names if way in n and n.endswith(f"_{split}.txt")]
        if not found:
            raise ValueError(f"archive must have a {split} file of task {task}; it has none.")
        yield task, found[0]
