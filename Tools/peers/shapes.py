# SPDX-License-Identifier: Apache-2.0
"""Reads sea's preset files, so that every program is measured on the same shapes."""

import json
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Models" / "presets"


def preset(name: str) -> dict:
    """A preset with the fields of its parts."""
    fields = json.loads((FOLDER / f"{name}.json").read_text())
    whole: dict = {}
    for part in fields.get("parts", []):
        whole.update(preset(part))
    return {**whole, **fields}
