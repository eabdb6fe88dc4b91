"""The documents name files that exist and hold what they describe; modules are small and have names of their own."""

import collections
import pathlib
import re
import statistics
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
CODE = ROOT / "src" / "daemun"
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
GLOSSARY = (ROOT / "docs" / "GLOSSARY.md").read_text()
TABLE = ARCHITECTURE.partition("\n| I want to change |")[2].partition("\n\n")[0]
WAYS = [
    tuple(zip(re.findall(r"`([\w/.]+)`", files), re.findall(r"`([\w/.]+)`", symbols), strict=True))
    for _, files, symbols in (line.strip("| ").split(" | ") for line in TABLE.splitlines()[2:])
]
WORDS = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[1:]


@pytest.mark.parametrize(("file", "symbol"), [pair for pairs in WAYS for pair in pairs])
def test_the_place_of_a_change_holds_what_is_named(file: str, symbol: str) -> None:
    place = CODE / file
    if place.is_dir():
        assert (CODE / symbol).is_file()
    else:
        stands = rf"^(?:def|async def|class) {symbol}\b|^{symbol}\b.*=|^\[{symbol}\]"  # the last: a table of TOML
        assert re.search(stands, place.read_text(), re.MULTILINE)


@pytest.mark.parametrize("init", sorted(CODE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_the_map_of_a_package_names_what_is_there(init: pathlib.Path) -> None:
    named = re.findall(r"^([a-z][a-z_0-9]*(?:\.[a-z]+)?)  +\S", init.read_text(), re.MULTILINE)
    there = {name for path in init.parent.iterdir() for name in (path.name, path.stem)}
    assert set(named) <= there


def test_each_change_has_a_place() -> None:
    assert len(WAYS) > 50
    assert all(WAYS)


@pytest.mark.parametrize(("word", "places"), [pair for pair in WORDS if "---" not in pair[0]])
def test_each_word_of_the_glossary_has_its_place(word: str, places: str) -> None:
    named = re.findall(r"`([\w/.]+)`", places)
    assert named, word
    assert [place for place in named if not (CODE / place).exists()] == []


def test_each_word_stands_once_and_in_order() -> None:
    words = [word for word, _ in WORDS if "---" not in word]
    assert words == sorted(set(words))


def test_a_name_of_a_module_tells_it_from_all_others() -> None:
    names = collections.Counter(file.stem for file in CODE.rglob("*.py") if not file.stem.startswith("__"))
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_a_name_of_a_class_tells_it_from_all_others() -> None:
    """Those of a module alone (`_Name`) may be as short as they like."""
    stands = re.compile(r"^class ([A-Za-z]\w*)", re.MULTILINE)
    names = collections.Counter(name for file in CODE.rglob("*.py") for name in stands.findall(file.read_text()))
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_modules_are_small() -> None:
    sizes = {file.stem: len(file.read_text().splitlines()) for file in CODE.rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) <= 120


def test_no_module_is_imported_under_another_name() -> None:
    renamed = re.compile(r"^ *(?:from [\w.]+ )?import .*\b\w+ as \w+_$", re.MULTILINE)
    assert [str(file) for file in CODE.rglob("*.py") if renamed.search(file.read_text())] == []


def test_each_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "docs" / "DESIGN.md").read_text().partition("## Libraries")[2]
    needed = [re.split(r"[^\w.-]", one)[0] for one in project["dependencies"]]
    assert [
        name for name in needed if not re.search(rf"^\|[^|]*\b{re.escape(name)}\b[^|]*\|", reasons, re.MULTILINE)
    ] == []
