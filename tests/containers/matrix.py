"""Prints the matrix of install.yml as JSON: every machine of every dist, its image, its runner.

It runs where nothing of this project is installed, so it reads the files by itself.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def _table(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def rows(buildroot: Path) -> list[dict[str, str]]:
    """The machines of the build roots in a folder. Ends with a message without an image."""
    images = _table(HERE / "images.toml")
    matrix = []
    for file in sorted(buildroot.glob("*.toml")):
        if file.stem not in images["image"]:
            sys.exit(f"no image of {file.stem}: name one in tests/containers/images.toml")
        for arch, machine in _table(file)["machine"].items():
            runner = images["runner"][machine.get("processor", arch)]
            image = images["image"][file.stem]
            matrix.append({"dist": file.stem, "arch": arch, "runner": runner, "image": image})
    return matrix


if __name__ == "__main__":
    json.dump(rows(HERE.parents[1] / "buildroot"), sys.stdout)
