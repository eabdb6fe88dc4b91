"""YAML becomes plain values with places; whatever is wrong is said with its line and column."""

import pytest

from daemun.sources import yaml_positions

TextPosition = yaml_positions.TextPosition


def faults(content: bytes | str) -> list[str]:
    return [f"{fault.mark}: {fault.message}" for fault in yaml_positions.load(content).faults]


def test_values_and_places() -> None:
    text = "a: 1\nb:\n  - x\n  - {c: null, 404: [true, 1.5, 0x10, 012]}\nd: |\n  one\n  two\ne: 2020-01-01\n"
    document = yaml_positions.load(text)
    assert document.value == {
        "a": 1,
        "b": ["x", {"c": None, "404": [True, 1.5, 16, 12]}],
        "d": "one\ntwo\n",
        "e": "2020-01-01",
    }
    assert document.keys[("b", 1, "404")] == TextPosition(4, 15)
    assert document.values[("b", 1, "404", 1)] == TextPosition(4, 27)
    assert document.text_mark(("d",), 2) == TextPosition(7, 3)
    assert document.locate(("a",)) == TextPosition(1, 4)
    assert document.locate(("b",)) == TextPosition(2, 1), "a value that spans lines is named by its key"
    assert document.locate(("b", "long", 1, "form", "c")) == TextPosition(4, 6), (
        "steps that are not written are left out"
    )


def test_aliases_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\nz: *b\nm:\n  y: 3\n  <<: [*b, {x: 9, w: 4}]\n"
    document = yaml_positions.load(text)
    assert document.value == {"base": {"x": 1, "y": 2}, "z": {"x": 1, "y": 2}, "m": {"y": 3, "x": 1, "w": 4}}
    assert not document.faults
    assert document.keys[("m", "x")] == TextPosition(1, 11)


def test_every_duplicate_key_is_found() -> None:
    assert faults("a: 1\nb: {x: 1, x: 2}\n'a': 3\n") == [
        '2:11: b: duplicate key "x": it is already given on line 2',
        '3:1: duplicate key "a": it is already given on line 1',
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: \xff", "1:4: is not text: byte 0xff is not UTF-8; expected YAML"),
        ("a: 가".encode() + b"\n\xed\xa0\x80", "2:1: is not text"),
        (b"\xff\xfea\x00", "1:1: is UTF-16 text"),
        (b"a: b\n\x00", "2:1: holds the character U+0000"),
        (b"a: \x1b[0m", "1:4: holds the character U+001B"),
        (b"x" * (yaml_positions.MAX_BYTES + 1), "1:1: is too large"),
        ("a: b: c", '1:5: unexpected ":"'),
        ("a:\n\t- b", "2:1: a tab cannot indent"),
        ("a: @x", '1:4: text cannot start with "@"'),
        ("a: `x", '1:4: text cannot start with "`"'),
        ("a:\n  b: 1\n c: 2", "3:2: this line does not fit those above it"),
        ("*.a.test: x", '1:1: text that starts with "*" needs quotes'),
        ("a: 'x", "1:4: this quote is never closed"),
        ("a: {b: 1", "1:4: this bracket is never closed"),
        ("a: [1, 2", "1:4: this bracket is never closed"),
        ("a: ]", '1:4: "]" is unexpected here'),
        ("a: 1\n---\nb: 2", "2:1: a second document starts here"),
        ('a: "\\q"', '1:6: "q" after a backslash has no meaning'),
        ("[" * 500, "is nested too deeply"),
        ("a: &a [*a]", "is nested deeper than"),
        ("a: &a {<<: *a}", "merges (<<) a map into itself"),
        ("a: !foo x", '1:4: tag "!foo" has no meaning here'),
        ("a: !!set {x}", '1:4: tag "!!set" has no meaning here'),
        ("a: !!int x", '1:4: "x" is not a value of type int'),
        ("? [a]\n: 1", "1:3: a key must be text"),
        ("a: {<<: 1}", '1:9: "<<" merges maps only'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes | str, said: str) -> None:
    (fault,) = faults(content)
    assert said in fault


@pytest.mark.parametrize("bomb", ["*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}", "<<"])
def test_an_alias_bomb_is_refused(bomb: str) -> None:
    lines = ["n0: &n0 {x: 1}"]
    for number in range(1, 12):
        aliases = "*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}".format(f"n{number - 1}")
        body = f"{{<<: [{aliases}]}}" if bomb == "<<" else f"[{aliases}]"
        lines.append(f"n{number}: &n{number} {body}")
    assert "holds more than" in faults("\n".join(lines))[0]


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"---\n", b"\xef\xbb\xbf"])
def test_nothing_is_no_value_and_no_fault(content: bytes) -> None:
    document = yaml_positions.load(content)
    assert document.value is None
    assert not document.faults


def test_a_byte_order_mark_and_crlf() -> None:
    document = yaml_positions.load(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.value == {"a": 1, "b": 2}
    assert document.keys[("b",)] == TextPosition(2, 1)


def test_an_anchor_of_the_same_name_twice_is_no_warning() -> None:
    assert yaml_positions.load("a: &x 1\nb: &x 2\nc: *x\n").value == {"a": 1, "b": 2, "c": 2}
