"""docs/DESIGN.md holds every decision that the code cites, and every library that daemun needs."""

import pathlib
import re
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DESIGN = (ROOT / "docs" / "DESIGN.md").read_text()
DECISIONS = {int(number) for number in re.findall(r"^\*\*(\d+)\. ", DESIGN, re.MULTILINE)}
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def cited() -> set[tuple[str, int]]:
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py")]
    return {
        (str(file.relative_to(ROOT)), int(number))
        for file in files
        for number in re.findall(r"DESIGN\.md,? decision (\d+)", file.read_text())
    }


def test_each_decision_that_is_cited_is_there() -> None:
    places = cited()
    assert places
    assert [place for place in sorted(places) if place[1] not in DECISIONS] == []


@pytest.mark.parametrize("name", [re.split(r"[><=\[]", one)[0] for one in DEPENDENCIES])
def test_each_library_is_in_the_table(name: str) -> None:
    table = DESIGN[DESIGN.index("| library |") :]
    assert re.search(rf"^\| [^|]*\b{re.escape(name)}\b", table, re.MULTILINE), f"{name} has no row"
