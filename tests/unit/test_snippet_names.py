"""A `server_name` in a site's hand-written nginx: daemun knows nothing of such a name, so it is told at its line."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import snippet_names, yaml_file


def problems_of(line: str, options: str = "tls: local", host: str = "a.test") -> list[model.Problem]:
    content = f"sites:\n  '{host}':\n    {options}\n    nginx: |\n      {line}\n    routes: {{/: http://10.0.0.1}}\n"
    parsed = yaml_file.parse(content, file_name="daemun.yaml", base_dir="/")
    assert parsed.problems == ()
    return snippet_names.find_problems(parsed)


@pytest.mark.parametrize(
    ("line", "aliases"),
    [
        ("server_name www.a.test;", '`aliases: ["www.a.test"]`'),
        ("server_name a.test b.test *.c.test;", '`aliases: ["b.test", "*.c.test"]`'),
        ("server_name .b.test;", '`aliases: ["b.test", "*.b.test"]`'),
        ("server_name WWW.a.test;", '`aliases: ["www.a.test"]`'),
        (r"server_name ~^(www\.)?b\.test$;", "one of the site's `aliases`"),
    ],
)
def test_a_name_that_the_site_has_not(line: str, aliases: str) -> None:
    (problem,) = problems_of(line)
    assert problem.severity is model.Severity.WARNING
    assert problem.origin.place == "daemun.yaml:5:7"
    assert aliases in problem.message
    assert "(421)" in problem.message


@pytest.mark.parametrize(
    ("line", "options", "host"),
    [
        ("server_name a.test;", "tls: local", "a.test"),
        ("server_name b.test;", "tls: local\n    aliases: [b.test]", "a.test"),
        ("server_name x.a.test;", "tls: local", "*.a.test"),
        ("server_name b.test;", "tls: off", "a.test"),
        ("server_name b.test;", "enabled: false", "a.test"),
        ("server_name _;", "tls: local", "a.test"),
        ('server_name "";', "tls: local", "a.test"),
        ("server_name_in_redirect on;", "tls: local", "a.test"),
        ("location /x { return 204; }", "tls: local", "a.test"),
    ],
)
def test_what_is_left_alone(line: str, options: str, host: str) -> None:
    assert problems_of(line, options, host) == []


def test_the_file_is_good_all_the_same(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  a.test:\n    nginx: server_name b.test;\n    routes: {/: http://10.0.0.1}\n")
    found = yaml_file.read_snapshot(path).problems
    assert ["`server_name` gets no certificate" in one.message for one in found] == [True]
