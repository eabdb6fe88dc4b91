"""What keeps a file from being YAML is named where it began, with what to write."""

import re

import pytest

from daemun.sources import yaml_file


def problems(content: str) -> list[str]:
    found = yaml_file.parse(content, file_name="f.yaml", base_dir="/etc/daemun").problems
    return [f"{problem.origin.place.removeprefix('f.yaml:')}: {problem.message}" for problem in found]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("sites:\n  *.example.com: http://web\n", "2:3"),
        ("sites:\n  *.example.com:\n    /: http://web\n", "2:3"),
        ("sites:\n  *.example.com : http://web\n", "2:3"),
        ("sites:\n  a.test: http://web\n  *.example.com: http://web\n", "3:3"),
        ("sites:\n  a.test: http://web\n  *.example.com: http://web\n  b.test: http://web\n", "3:3"),
        ("sites: {*.example.com: http://web}\n", "1:9"),
        ("sites:\n  a.test: {aliases: [*.example.com], routes: {/: http://web}}\n", "2:22"),
        ("sites:\n  a.test:\n    aliases:\n      - *.example.com\n    routes: {/: http://web}\n", "4:9"),
        ("sites:\n  a.test:\n    aliases: *.example.com\n    routes: {/: http://web}\n", "3:14"),
    ],
)
def test_a_wildcard_without_quotes(content: str, place: str) -> None:
    """YAML takes it for an alias. What is printed is accepted where it stands."""
    (line,) = problems(content)
    assert line == f'{place}: text that starts with "*" needs quotes: write "*.example.com"'
    cured = content.replace("*.example.com", '"*.example.com"')
    assert not [one for one in problems(cured) if "signs" not in one]


def test_a_star_alone_is_not_told_to_be_a_host() -> None:
    (line,) = problems("sites:\n  *: http://web\n")
    assert line == '2:3: text that starts with "*" needs quotes, as in "*.example.com"'


@pytest.mark.parametrize(
    ("content", "opened", "seen"),
    [
        ("sites: {a.test: http://web\n", "1:8", "this bracket is never closed"),
        ("sites:\n  a.test: {/: http://web\n\n\n", "2:11", "this bracket is never closed"),
        ("sites:\n  a.test: {/: {to: [http://web}}\n", "2:31", '"}" is unexpected here'),
        ("sites:\n  a.test: {/: http://web\n  b.test: http://web\n", "2:11", 'still open on line 3, where ":" is'),
        ("sites:\n  a.test: {routes: {/: http://web}\n  b.test: http://web\n", "2:11", 'line 3, where "b.test:" is'),
        ("sites:\n  a.test:\n    aliases: [b.test\n    routes: {/: http://web}\n", "3:14", "still open on line 4"),
        ("sites: {\n  a.test: {/: http://web},\nlisten: {http: 80}\n", "1:8", "this bracket is never closed"),
        ("sites:\n  a.test: {/: http://web}}\n", "2:26", 'no bracket is open that this "}" could close'),
        ("sites:\n  a.test: 'http://web\n", "2:11", "this quote is never closed"),
        ('sites:\n  "a.test: http://web\n  b.test: http://web\n', "2:3", "this quote is never closed"),
        ("sites:\n  a.test: 'http://web\n  b.test: 'http://web'\n", "2:11", "closed by the next one only, on line 3"),
        (
            'sites:\n  a.test: {/: "http://web}\n  b.test: {/: "http://web"}\n',
            "2:15",
            "closed by the next one only, on line 3",
        ),
    ],
)
def test_what_is_open_is_named_where_it_was_opened(content: str, opened: str, seen: str) -> None:
    (line,) = problems(content)
    assert line.startswith(f"{opened}: ")
    assert seen in line


def test_no_word_of_the_parser_itself_is_printed() -> None:
    for content in ("sites: {a.test: http://web b.test: x}\n", "sites:\n  - a\n  b: c\n", "sites: ]\n", "sites: {,}\n"):
        for line in problems(content):
            assert not re.search("<[a-z ]+>", line), line
