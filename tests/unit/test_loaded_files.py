"""Files beside daemun.yaml that nginx loads once: another content is another configuration."""

import pathlib

import pytest

from daemun.core import model
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
