"""A section as JSON and back, so that the report of all sections can be written when one of them was measured again."""

import dataclasses
import json
import typing

from bench import figures, machine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A section, and where and when it was measured. command: what a person types to measure it again."""

    section: figures.Section
    machine: machine.Machine
    command: str


def write(saved: Saved) -> str:
    return json.dumps(dataclasses.asdict(saved), indent=1, ensure_ascii=False) + "\n"


def read(text: str) -> Saved:
    """Raises: KeyError, TypeError, ValueError for what `write` did not write."""
    given = json.loads(text)
    return Saved(
        section=_section(given["section"]), machine=machine.Machine(**given["machine"]), command=given["command"]
    )


def _section(given: dict[str, typing.Any]) -> figures.Section:
    rows = tuple(_row(row) for row in given["rows"])
    return figures.Section(
        **{**given, "rows": rows, "notes": tuple(given["notes"]), "two_modes": tuple(given.get("two_modes", ()))}
    )


def _row(given: dict[str, typing.Any]) -> figures.Row:
    return figures.Row(
        what=given["what"],
        unit=given["unit"],
        series=_series(given["series"]),
        beside={name: _series(series) for name, series in given["beside"].items()},
        targets=tuple(figures.Target(**target) for target in given["targets"]),
    )


def _series(given: dict[str, list[float]]) -> figures.Series:
    return {contestant: tuple(values) for contestant, values in given.items()}
