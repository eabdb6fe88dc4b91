"""What is read in part is what would be read as a whole: the same sites, settings and problems, at the same places."""

import pathlib
import random
import typing

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.sources import yaml_positions, yaml_reader

BASE = pathlib.Path("/srv/app")

HEAD = ["acme: {email: me@example.com}", "", "sites:"]
SITES = [
    ["  {host}: http://127.0.0.1:80{n}"],
    ["  # a comment", "  {host}: http://127.0.0.1:80{n}  # another", ""],
    ["  {host}:", "    /: http://a:80", "    /ws/: http://b:80{n}/"],
    ["  {host}:", "    routes:", "      /:", "        to: http://a:80", "        hold: {n}s"],
    ["  {host}: {{routes: {{/: http://a:80, /x: {{redirect: https://b.test/, status: 308}}}}}}"],
    ["  '{host}':", "    aliases: [www.{host}]", "    routes: {{/: http://a}}"],
    [
        "  {host}:",
        "    nginx: |",
        "      add_header X {n};",
        "",
        "      # b.test: http://x",
        "    routes: {{/: http://a}}",
    ],
    ["  {host}:", '    /: "http://', '      a:80{n}"'],
    ["  {host}:", "    redirect_aliases: true", "    routes: {{/: http://a}}"],
    ["  {host}: http://a:99999"],
    ["  {host}: [wrong"],
    ["  {host}:"],
    ["  {host}: {{to: http://a, tpyo: 1}}"],
]
NASTY = [
    '  open.test: "http://',
    "  'open.test: http://a'",
    '  end.test: http://a"',
    "  nginx: |",
    "    deeper.test: http://a",
    " shallower.test: http://a",
    "  x: &a http://a",
    "  y.test: *a",
    "  <<: {m.test: http://a}",
    "  - item",
    "  ? complex",
    "  : http://a",
    "  f.test: {",
    "  }",
    "acme: {email: other@example.com}",
    "default: {site: a3.test}",
    "sites:",
    "sites: {}",
    "# comment \" ' } ]",
    "---",
    "...",
    "%YAML 1.1",
    "\t",
    "",
    "  a3.test: http://again",
    "  A3.TEST: http://again",
    "  z.test: http://a # trailing",
    "  long.test: http://a",
    "    continued",
]


ONE_LINE = [
    *["  {host}: http://127.0.0.1:80{n}"] * 12,
    "  {host}: http://a",
    "  {host}: http://a:80  ",
    "  n{n}.test: http://a:80",
    "  {n}.test: http://a:80",
    "  192.0.2.{n}: http://192.0.2.{n}",
]
ODD = [
    "  {host}.: http://a",
    "  A{n}.test: http://a",
    "  a_{n}.test: http://a",
    "  a_{n}.example.com: http://a",
    "  -{host}: http://a",
    "  {host}-: http://a",
    "  x..{host}: http://a",
    "  300.1.1.{n}: http://a",
    "  010.1.1.{n}: http://a",
    "  '{host}': http://a",
    "  *.{host}: http://a",
    "  {host}: http://a:99999",
    "  {host}: http://a:0",
    "  {host}: http://unix:80",
    "  {host}: http://a:80/path",
    "  {host}: http://256.1.1.1",
    "  {host}: http://a..b",
    "  {host}: http://a.",
    "  {host}: https://a",
    "  {host}: http://a # why",
    "  {host}: http://a#b",
    "  {host}:  http://a:",
    "  {host}:http://a",
    "   {host}: http://a",
    " {host}: http://a",
    "    {host}: http://a",
    "    continued",
    "  # {host}: http://a",
    "",
    "  deep.{host}:",
    "  nginx.{host}: |",
    "  {host}: {{routes: {{/: http://a}}, aliases: [n{n}.test]}}",
    "  a{n}.test: {{to: http://a}}",
    "\u2028",
    "  {host}: ${{TARGET}}",
]


def read(text: str) -> model.Snapshot:
    """As a whole."""
    return yaml_reader.Reader("daemun.yaml", BASE).read_whole(text.encode()).snapshot


def parse(text: str) -> model.Snapshot:
    """For the first time."""
    return yaml_reader.Reader("daemun.yaml", BASE).parse(text.encode())


def blocks(count: int, pick: random.Random) -> list[str]:
    lines = []
    for number in range(count):
        # Now and then one with a mistake.
        shape = pick.choice(SITES if pick.random() < 0.1 else SITES[:8])
        lines += [line.format(host=f"a{number}.test", n=number % 90 + 10) for line in shape]
    return lines


def edit(lines: list[str], pick: random.Random) -> list[str]:
    start = pick.randrange(len(lines) + 1)
    new = [pick.choice(NASTY) for _ in range(pick.randrange(3))]
    if pick.random() < 0.4:
        number = pick.randrange(200)
        new += [line.format(host=f"n{number}.test", n=number % 90 + 10) for line in pick.choice(SITES[:8])]
    if pick.random() < 0.3:
        new = new[: len(new) // 2] + lines[start : start + 2]
    if pick.random() < 0.1:
        lines = moved(lines, pick)
    return [*lines[:start], *new, *lines[start + pick.randrange(4) :]]


def moved(lines: list[str], pick: random.Random) -> list[str]:
    first, second = sorted(pick.choices(range(len(lines) + 1), k=2))
    part, rest = lines[first:second], lines[:first] + lines[second:]
    place = pick.randrange(len(rest) + 1)
    return [*rest[:place], *part, *rest[place:]]


@hypothesis.given(strategies.integers(0, 2**32))
def test_a_text_is_read_the_same_whatever_was_read_before(seed: int) -> None:
    pick = random.Random(seed)
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    tail = pick.choice([[], [""], ["logs: {access: false}", ""], ["# end"]])
    lines = [*HEAD, *blocks(40 if pick.random() < 0.1 else pick.randrange(1, 12), pick), *tail]
    for _ in range(5):
        assert reader.parse("\n".join(lines).encode()) == read("\n".join(lines))
        before, lines = lines, edit(lines, pick)
        for _ in range(pick.choice([0, 0, 0, 1, 3])):
            lines = edit(lines, pick)
        if pick.random() < 0.3:
            assert reader.parse("\n".join(lines).encode()) == read("\n".join(lines))
            lines = before


@hypothesis.given(strategies.integers(0, 2**32))
def test_sites_of_one_line_are_read_the_same_among_all_else(seed: int) -> None:
    """O3, O5"""
    pick = random.Random(seed)
    head = pick.choice([HEAD, ["sites:"], ["default: {site: a3.test}", *HEAD], ["x-a:", "  b.test: http://a", *HEAD]])
    odd = pick.choice([0, 0.02, 0.1, 0.3])
    lines = []
    for number in range(pick.randrange(60)):
        shape = pick.choice([*ODD, *NASTY[:17]]) if pick.random() < odd else pick.choice(ONE_LINE)
        plain = shape if shape in NASTY else shape.format(host=f"a{number}.test", n=number % 90 + 10)
        lines += [plain]
        if pick.random() < odd:
            lines += [line.format(host=f"b{number}.test", n=number % 90 + 10) for line in pick.choice(SITES)]
    text = "\n".join([*head, *lines, *pick.choice([[], [""], ["logs: {access: false}"], ["  # end"]])])
    assert parse(text) == read(text)


@pytest.mark.parametrize("line", [*(line.format(host="new.test", n=10) for line in ODD), *NASTY])
@pytest.mark.parametrize("place", [3, 4, 5, 20, 32, 33])
def test_among_sites_of_one_line_everything_else_is_read(line: str, place: int) -> None:
    """O3, O5"""
    lines = many(30)
    lines[place:place] = [line]
    assert parse("\n".join(lines)) == read("\n".join(lines))


def many(count: int = 300) -> list[str]:
    return [*HEAD, *(f"  s{number:03}.test: http://127.0.0.1:{9000 + number}" for number in range(count)), ""]


class Counted:
    """How many lines were read as YAML."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines = 0
        load = yaml_positions.load

        def counting(content: bytes | str, *, is_edited: bool = False) -> yaml_positions.Document:
            self.lines += len(content.splitlines())
            return load(content, is_edited=is_edited)

        monkeypatch.setattr(yaml_positions, "load", counting)

    def since(self) -> int:
        found, self.lines = self.lines, 0
        return found


def test_of_hundreds_of_sites_of_one_line_few_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """O3, O5"""
    counted = Counted(monkeypatch)
    lines = many()
    assert len(parse("\n".join(lines)).sites) == 300
    assert counted.since() < 10

    lines[100:102] = ["  # two others", "  a.test: {/: http://a, /b/: http://b}", "  a_b.example.com: http://a"]
    (problem,) = parse("\n".join(lines)).problems
    assert problem.host == "a_b.example.com"
    assert counted.since() < 15


def test_of_hundreds_of_sites_those_that_changed_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    lines = many()
    before = reader.parse("\n".join(lines).encode())
    counted.since()
    assert reader.parse("\n".join(lines).encode()) is before
    assert counted.since() == 0

    lines[150] = "  s147.test: http://127.0.0.1:1"
    after = reader.parse("\n".join(lines).encode())
    assert counted.since() < 10
    assert [new.host for old, new in zip(before.sites, after.sites, strict=True) if new is not old] == [
        "s146.test",
        "s147.test",
        "s148.test",
    ]
    assert after == read("\n".join(lines))
    counted.since()

    lines[10:10] = ["  # two lines", "  new.test: http://127.0.0.1:1"]
    assert reader.parse("\n".join(lines).encode()) == read("\n".join(lines))
    assert counted.since() < 310 + 10


def test_changes_in_several_places_cost_what_is_near_them(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    lines = many()
    reader.parse("\n".join(lines).encode())
    counted.since()

    lines[3] = "  s000.test: http://127.0.0.1:1"
    lines[-2] = "  s299.test: http://127.0.0.1:1"
    del lines[200:202]
    lines[100:100] = ["  new.test:", "    /: http://127.0.0.1:1"]
    found = reader.parse("\n".join(lines).encode())
    assert counted.since() < 20
    assert found == read("\n".join(lines))
    assert len(found.sites) == 299


def test_a_site_with_a_mistake_is_told_of_each_time_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = Counted(monkeypatch)
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    lines = many()
    lines[100] = "  s097.test: http://127.0.0.1:99999"
    reader.parse("\n".join(lines).encode())
    counted.since()
    for port in (1, 2):
        lines[200] = f"  s197.test: http://127.0.0.1:{port}"
        (problem,) = reader.parse("\n".join(lines).encode()).problems
        assert problem.host == "s097.test"
        assert problem.origin.place == "daemun.yaml:101:14"
        assert counted.since() < 15


def test_problems_of_the_surroundings_are_placed_without_reading_all(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    lines = many()
    lines[100] = "  s097.test: {/: http://a, /f: {files: ./gone}}"
    snapshot = reader.parse("\n".join(lines).encode())
    counted.since()
    site = next(site for site in snapshot.sites if site.host == "s097.test")
    problem = model.Problem(origin=site.origin, message="it is gone", host=site.host, field=("routes", "/f", "files"))
    for _ in range(2):
        assert [str(one.origin) for one in reader.place([problem])] == [
            f"daemun.yaml:101:{lines[100].index('./gone') + 1}"
        ]
        assert counted.since() < 10


NOT_CUT: dict[str, typing.Callable[[list[str]], list[str]]] = {
    "a fault": lambda lines: [*lines[:150], "  s.test: {", *lines[150:]],
    "twice": lambda lines: [*lines[:150], lines[20], *lines[150:]],
    "an alias": lambda lines: [*lines[:150], "  s.test: *a", *lines[150:]],
    "carriage returns": lambda lines: [f"{line}\r" for line in lines],
    "a directive": lambda lines: ["%YAML 1.1", "---", *lines],
    "indented": lambda lines: [*lines[:3], *(f" {line}" for line in lines[3:])],
    "nothing": lambda _: [],
    "one line": lambda _: ["sites: {a.test: http://a, b.test: http://b}"],
}


@pytest.mark.parametrize("change", NOT_CUT.values(), ids=NOT_CUT)
def test_what_cannot_be_read_in_part_is_read_as_a_whole(change: typing.Callable[[list[str]], list[str]]) -> None:
    reader = yaml_reader.Reader("daemun.yaml", BASE)
    for lines in (many(), change(many()), many()):
        assert reader.parse("\n".join(lines).encode()) == read("\n".join(lines))
