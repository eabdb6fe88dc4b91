"""Files beside daemun.yaml that nginx loads once: another content is another configuration."""

import pathlib

import pytest

from daemun.core import model, serialise
from daemun.sources import yaml_file


def _read(folder: pathlib.Path) -> model.Snapshot:
    return yaml_file.read_snapshot(folder / "daemun.yaml")


def _write(folder: pathlib.Path, *, at_top: str = "", of_site: str = "", of_route: str = "") -> None:
    lines = [f"nginx: '{at_top}'"] if at_top else []
    lines += ["sites:", "  a.test:", "    routes:", "      /:", "        to: http://127.0.0.1:3000"]
    lines += [f"        nginx: '{of_route}'"] if of_route else []
    lines += [f"    nginx: '{of_site}'"] if of_site else []
    (folder / "daemun.yaml").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("at_top", "geo $inside { default 0; include x.conf; }"),
        ("at_top", "include *.conf;"),
        ("at_top", "ssl_crl x.conf;"),
        ("of_site", "ssl_client_certificate x.conf;"),
        ("of_site", "ssl_crl x.conf;"),
        ("of_site", "include x.conf;"),
        ("of_site", "location /more/ { include x.conf; }"),
        ("of_route", "include x.conf;"),
        ("of_route", "proxy_ssl_trusted_certificate x.conf;"),
        ("of_route", "proxy_ssl_password_file x.conf;"),
    ],
)
def test_another_content_is_another_configuration(tmp_path: pathlib.Path, level: str, written: str) -> None:
    (tmp_path / "x.conf").write_text("10.0.0.0/8 1;")
    _write(tmp_path, **{level: written})
    before = _read(tmp_path)
    assert _read(tmp_path) == before
    (tmp_path / "x.conf").write_text("10.0.0.0/16 1;")
    changed = _read(tmp_path)
    assert changed != before
    (tmp_path / "x.conf").unlink()
    assert _read(tmp_path) not in (before, changed)


def test_what_an_included_file_includes_counts(tmp_path: pathlib.Path) -> None:
    inner = tmp_path / "inner.conf"
    inner.write_text("deny all;")
    (tmp_path / "x.conf").write_text(
        f"# include /nowhere;\nallow 10.0.0.1; include {inner};\ninclude {tmp_path}/x.conf;\n"
    )
    _write(tmp_path, of_route="include x.conf;")
    before = _read(tmp_path)
    inner.write_text("allow all;")
    assert _read(tmp_path) != before


@pytest.mark.parametrize("level", ["at_top", "of_site", "of_route"])
def test_relative_paths_in_included_files_start_at_the_folder_too(tmp_path: pathlib.Path, level: str) -> None:
    """nginx would look for them beside its own main file."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "x.conf").write_text("include parts/*.conf;\nadd_header X-A 1;\n")
    (tmp_path / "parts" / "1.conf").write_text("ssl_trusted_certificate ca.pem; include parts/plain;\n")
    (tmp_path / "parts" / "plain").write_text("add_header X-B 2;\n")
    _write(tmp_path, **{level: "include x.conf;"})
    before = _read(tmp_path)
    text = _text_of(before, level)
    assert "ssl_trusted_certificate" in text
    assert f"{tmp_path}/ca.pem" in text
    assert f"{tmp_path}/parts/plain" in text, "a file without relative paths is read by nginx itself"
    for path in ("ca.pem", "parts/plain", "parts/2.conf", "x.conf"):
        before = _read(tmp_path)
        (tmp_path / path).write_text("add_header X-C 3;\n")
        assert _read(tmp_path) != before, path


def test_an_included_file_that_cannot_be_read_is_left_to_nginx(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.conf").write_text("include x.conf;\n")
    (tmp_path / "y.conf").write_text("root html\n")
    for name in ("x.conf", "y.conf", "none.conf"):
        _write(tmp_path, of_route=f"include {name};")
        assert f"{tmp_path}/{name}" in _text_of(_read(tmp_path), "of_route")


def _text_of(found: model.Snapshot, level: str) -> str:
    (site,) = found.sites
    assert found.globals is not None
    snippets = {"at_top": found.globals.snippet, "of_site": site.snippet, "of_route": site.routes[0].snippet}
    return serialise.serialise(snippets[level]).decode()


def test_a_file_that_nginx_opens_for_each_visitor_does_not_count(tmp_path: pathlib.Path) -> None:
    (tmp_path / "htpasswd").write_text("a:b")
    _write(tmp_path, of_route="auth_basic_user_file htpasswd;")
    before = _read(tmp_path)
    (tmp_path / "htpasswd").write_text("a:c")
    assert _read(tmp_path) == before


def test_the_roots_for_a_server_count(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("one")
    (tmp_path / "daemun.yaml").write_text("sites: {a.test: {/: {to: https://web, verify: ca.pem}}}\n")
    before = _read(tmp_path)
    (tmp_path / "ca.pem").write_text("two")
    assert _read(tmp_path) != before
