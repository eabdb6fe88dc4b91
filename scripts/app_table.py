"""`python -m scripts.app_table`: writes the table of applications in docs/applications.md, from their files."""

import collections.abc
import pathlib

from daemun.cli import app_texts
from daemun.sources import app_preset, known_apps

FILE = pathlib.Path(__file__).parents[1] / "docs" / "applications.md"
_HEAD = "| `app` | application | port | is set | its documentation |"


def rows() -> collections.abc.Iterator[str]:
    for name in known_apps.BUILT_IN.names():
        preset = known_apps.built_in(name)
        port = "" if preset.port is None else str(preset.port)
        yield f"| `{name}` | {preset.title} | {port} | {_sets(preset)} | [source]({preset.source}) |"


def _sets(preset: app_preset.Preset) -> str:
    options = [f"`{line}`" for line in app_texts.written(preset, "defaults")]
    paths = [f"`{path}`" for path in preset.written.get("routes") or {}]
    return ", ".join([*options, *([f"paths {' '.join(paths)}"] if paths else [])]).replace("|", "\\|")


def written(text: str) -> str:
    """The document with the applications of today."""
    before, head, after = text.partition(f"{_HEAD}\n")
    lines = after.split("\n")
    rest = next(index for index, line in enumerate(lines) if not line.startswith("|"))
    return "\n".join([f"{before}{head}|---|---|---|---|---|", *rows(), *lines[rest:]])


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text()))
