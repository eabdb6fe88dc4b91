import typing

from daemun.cli import finding_lines

Json = dict[str, typing.Any]


def finding(weight: str, message: str, cure: str | None = None, host: str | None = None) -> Json:
    return {"topic": "dns", "weight": weight, "message": message, "cure": cure, "host": host}


FOUND = [
    finding("warns", "has no address", "make\nan A record", "b.test"),
    finding("good", "nginx runs"),
    finding("good", "resolves", None, "a.test"),
    finding("blocks", "no CA may sign", "add a CAA record", "b.test"),
]


def test_those_of_one_name_stand_together_and_the_gate_comes_first() -> None:
    assert finding_lines.lines_of(FOUND) == [
        (None, "the gate"),
        ("good", "nginx runs"),
        (None, "b.test"),
        ("warns", "has no address"),
        (None, "      make an A record"),
        ("blocks", "no CA may sign"),
        (None, "      add a CAA record"),
        (None, "a.test"),
        ("good", "resolves"),
        (None, "1 problem and 1 warning"),
    ]
    assert not finding_lines.all_good(FOUND)


def test_lines_are_broken_where_the_terminal_ends() -> None:
    text = " ".join(["word"] * 20)
    lines = finding_lines.lines_of([finding("warns", text, text)], width=44)
    assert all(len(line) + (4 if weight else 0) <= 44 for weight, line in lines)
    assert " ".join(line.strip() for _, line in lines[1:-1]) == f"{text} {text}"


def test_the_last_line() -> None:
    assert finding_lines.lines_of([finding("good", "well")])[-1] == (None, "all is well")
    assert finding_lines.summary_of(FOUND[:1] * 2) == "2 warnings"
