"""docs/CONFIGURATION.md names every key of the file, and no key that is none."""

import pathlib
import re
import typing

from daemun.core.options import catalogue, forms, option
from daemun.sources import yaml_acme, yaml_entry, yaml_route, yaml_site, yaml_top
from scripts import option_tables

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "CONFIGURATION.md").read_text()
TABLES = TEXT[TEXT.index("## All keys") :]
IN_TABLES = [one.name for one in catalogue.EVERY if not isinstance(one.doc, option.Doc)]
PARTS: dict[str, typing.Iterable[str]] = {
    "listen": yaml_top.ListenEntry.model_fields,
    "acme": yaml_acme.AcmeEntry.model_fields,
    **{name: forms.keys(found) for name in IN_TABLES if (found := forms.find_map(catalogue.BY_NAME[name].form))},
}
MAPS_IN_CELLS: tuple[type[yaml_entry.Entry], ...] = (
    yaml_top.DefaultEntry,
    yaml_acme.TlsFilesEntry,
    yaml_acme.TlsOrderEntry,
    yaml_acme.OnDemandEntry,
    yaml_acme.AuthorityEntry,
    yaml_acme.EabEntry,
)


def documented(heading: str) -> set[str]:
    """The keys in the first column of the table under a heading."""
    section = TABLES.split(f"### {heading}\n")[1].split("\n### ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def test_the_top() -> None:
    expected = set(yaml_top.FILE.model_fields) - set(PARTS)
    expected |= {f"{name}.{key}" for name, part in PARTS.items() for key in part}
    assert documented("Top") == expected


def test_sites_routes_and_targets() -> None:
    assert documented("A site") == set(yaml_site.SITE.model_fields)
    assert documented("A route") == set(yaml_route.ROUTE.model_fields)
    assert documented("A target as a map") == set(yaml_route.TargetEntry.model_fields)


def test_keys_of_small_maps() -> None:
    maps = [forms.find_map(one.form) for one in catalogue.EVERY if one.name not in IN_TABLES]
    every = [part.model_fields for part in MAPS_IN_CELLS] + [forms.keys(found) for found in maps if found is not None]
    for part in every:
        for key in part:
            assert re.search(rf"[{{ ]{key}[,:}}]", TABLES), key


def test_the_rows_of_options_are_those_that_they_declare() -> None:
    """`python -m scripts.option_tables`."""
    assert option_tables.written(TEXT) == TEXT


def test_each_row_has_as_many_cells_as_its_table() -> None:
    for table in re.findall(r"^\|(?:.*\n\|)+.*$", TABLES, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table[:80]
