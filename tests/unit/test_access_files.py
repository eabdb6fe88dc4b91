"""What is said of the files of `access` that cannot be used, and what is so until then."""

import pathlib

import pytest

from daemun.core import directive
from daemun.sources import yaml_file


def _read(folder: pathlib.Path, access: str) -> str:
    path = folder / "daemun.yaml"
    path.write_text(f"sites:\n  a.test:\n    access: {access}\n    routes: {{/: http://127.0.0.1:1}}\n")
    with pytest.raises(yaml_file.InvalidFileError) as found:
        yaml_file.YamlFile(path).read_now()
    return str(found.value)


def test_what_is_missing_says_what_is_so_until_it_is_there(tmp_path: pathlib.Path) -> None:
    assert "until then none of its users can sign in" in _read(tmp_path, "{basic_auth: {file: ./users}}")
    assert "where nothing was, nobody comes in" in _read(tmp_path, "{countries: {database: c.mmdb, allow: [KR]}}")


def test_a_database_that_is_damaged_from_the_start(tmp_path: pathlib.Path) -> None:
    (tmp_path / "c.mmdb").write_bytes(b"no database")
    assert "until then nobody comes in" in _read(tmp_path, "{countries: {database: c.mmdb, allow: [KR]}}")


def test_a_wrong_line_keeps_one_user_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "users").write_text("bob\nalice:$2y$04$abcdefghijklmnopqrstuuLLPhuBN6sGpJ0zIc4Uc4C9iT4F1ZbLy\n")
    said = _read(tmp_path, "{basic_auth: {file: ./users}}")
    assert "users:1 " in said
    assert "this line lets nobody in, the other users can sign in" in said


def test_yes_is_no_truth(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  a.test:\n    security_headers: yes\n    routes: {/: http://127.0.0.1:1}\n")
    with pytest.raises(yaml_file.InvalidFileError, match=r"expected true, false or strict.*; write true"):
        yaml_file.YamlFile(path).read_now()


@pytest.mark.parametrize(("access", "is_complete"), [("{allow: private}", True), ("public", False)])
def test_hand_written_nginx_of_a_guarded_site_is_known_whole(
    tmp_path: pathlib.Path, access: str, *, is_complete: bool
) -> None:
    (tmp_path / "own.conf").write_text("location = /x { return 200 hi; }\n")
    path = tmp_path / "daemun.yaml"
    path.write_text(
        f"sites:\n  a.test:\n    access: {access}\n    nginx: include {tmp_path}/own.conf;\n"
        "    routes: {/: http://127.0.0.1:1}\n"
    )
    (site,) = yaml_file.YamlFile(path).read_now().sites
    found = {node.name for node in site.snippet if isinstance(node, directive.Directive)}
    assert found == {"location" if is_complete else "include"}
