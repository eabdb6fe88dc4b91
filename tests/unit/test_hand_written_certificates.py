"""H, A3: a certificate in a site's hand-written nginx is loaded at handshakes, which end where it is not there."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import snippet_files, yaml_file


def problems_of(content: str, folder: pathlib.Path) -> list[model.Problem]:
    parsed = yaml_file.parse(content, file_name="daemun.yaml", base_dir=str(folder))
    assert parsed.problems == ()
    return snippet_files.find_problems(parsed, lambda _: None)


def written(line: str, options: str = "tls: local") -> str:
    return f"sites:\n  a.test:\n    {options}\n    nginx: |\n      {line}\n    routes: {{/: http://127.0.0.1:3000}}\n"


def test_one_that_is_missing_is_an_error(tmp_path: pathlib.Path) -> None:
    (problem,) = problems_of(written("ssl_certificate none.pem;"), tmp_path)
    assert problem.severity is model.Severity.ERROR
    assert "none.pem: no such file" in problem.message
    assert "`tls: {certificate:" in problem.message


def test_one_that_is_there_is_a_warning(tmp_path: pathlib.Path) -> None:
    (tmp_path / "own.pem").write_text("x")
    (problem,) = problems_of(written("ssl_certificate own.pem;"), tmp_path)
    assert problem.severity is model.Severity.WARNING
    assert "visitors get either of them" in problem.message


@pytest.mark.parametrize(
    "content",
    [
        written("ssl_certificate none.pem;", "tls: off"),
        written("ssl_certificate none.pem;", "tls: local\n    enabled: false"),
        written("ssl_protocols TLSv1.3;"),
        written("ssl_certificate data:$x;"),
    ],
)
def test_what_is_no_second_certificate_is_left_alone(tmp_path: pathlib.Path, content: str) -> None:
    assert problems_of(content, tmp_path) == []
