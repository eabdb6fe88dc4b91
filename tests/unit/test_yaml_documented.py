"""docs/CONFIGURATION.md names every key of the file, and no key that is none."""

import collections.abc
import pathlib
import re
import typing

from daemun.core.options import catalogue, forms, option, ordering_forms
from daemun.sources import yaml_route, yaml_site, yaml_top
from scripts import option_tables

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "CONFIGURATION.md").read_text()
TABLES = TEXT[TEXT.index("## All keys") :]
IN_TABLES = [one.name for one in catalogue.EVERY if not isinstance(one.doc, option.Doc)]
PARTS: dict[str, typing.Iterable[str]] = {
    name: forms.keys(found) for name in IN_TABLES if (found := forms.find_map(catalogue.BY_NAME[name].form))
}


def every_map(form: object) -> collections.abc.Iterator[type[forms.OptionMap]]:
    """The maps with known keys that can stand where the form is, or in one of them."""
    if isinstance(form, type) and issubclass(form, forms.OptionMap):
        yield form
        for inner in forms.keys(form).values():
            yield from every_map(inner)
    for part in typing.get_args(form):
        yield from every_map(part)


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
    in_cells = [found for one in catalogue.EVERY for found in every_map(one.form)]
    whole = [forms.find_map(catalogue.BY_NAME[name].form) for name in IN_TABLES]
    for part in in_cells:
        # What a provider calls otherwise.
        of_dns = {"options"} if issubclass(part, ordering_forms.WrittenDns) else set()
        for key in forms.keys(part).keys() - of_dns if part not in whole else ():
            assert re.search(rf"[{{ ]{key}[,:}}]", TABLES), key


def test_the_rows_of_options_are_those_that_they_declare() -> None:
    """`python -m scripts.option_tables`."""
    assert option_tables.written(TEXT) == TEXT


def test_each_row_has_as_many_cells_as_its_table() -> None:
    for table in re.findall(r"^\|(?:.*\n\|)+.*$", TABLES, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table[:80]
