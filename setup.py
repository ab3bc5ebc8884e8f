"""A wheel carries the zoo: of each preset its card, its Keras model and its int8 files.

Everything else is in pyproject.toml. The other files of a preset are fetched when they are asked
for, see gru_zoo/zoo/cache.py.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CARRIED = ("card.json", "README.md", "model.keras", "golden.npz", "assets/*", "*_int8.tflite")


class BuildWithPresets(build_py):
    """Copies what a wheel carries to `gru_zoo/presets`; a checkout needs no copy."""

    def run(self):
        """Build the package, then add the presets."""
        super().run()
        if self.editable_mode:
            return
        presets = Path(self.build_lib) / "gru_zoo" / "presets"
        # An earlier build may have left presets, or files of them, that are gone since.
        shutil.rmtree(presets, ignore_errors=True)
        for card in sorted(ROOT.glob("saved_models/*/card.json")):
            target = presets / card.parent.name
            for pattern in CARRIED:
                for file in card.parent.glob(pattern):
                    copy = target / file.relative_to(card.parent)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)


setup(cmdclass={"build_py": BuildWithPresets})
