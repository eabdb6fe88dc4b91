"""docs/docker.md names every label of `sources.docker.label_options`, and no option that is none."""

import pathlib
import re

from daemun.sources.docker import container_labels, label_options

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "docker.md").read_text()
SECTION = TEXT.split("## Labels\n")[1].split("\n## ")[0]
CELLS = [cell for row in re.findall(r"^\| (`daemun\.[^|]*) \|", SECTION, re.MULTILINE) for cell in row.split(", ")]


def documented() -> set[str]:
    """ "timeout", "timeout.read", ...: a cell's `.read` belongs to the option before it."""
    found, option = set(), ""
    for name in re.findall(r"`([^`]+)`", ", ".join([*CELLS, *re.findall(r"`daemun\.status`", SECTION)])):
        if name.startswith("daemun."):
            option = name.removeprefix("daemun.").split(".")[0]
            found.add(name.removeprefix("daemun."))
        else:
            found.add(f"{option}{name}")
    return found


def test_every_option_is_documented() -> None:
    parts = {f"{name}.{key}" for name, keys in label_options.PARTS.items() for key in keys}
    headers = {f"{name}.NAME" for name in label_options.HEADERS}
    every = (label_options.ROUTE_OPTIONS | label_options.SITE_OPTIONS) - label_options.HEADERS | parts | headers
    assert every - documented() == set()


def test_nothing_else_is_documented() -> None:
    known = label_options.ROUTE_OPTIONS | label_options.SITE_OPTIONS | container_labels.KEYS | {"NAME"}
    assert {name.split(".")[0] for name in documented()} - known == set()
