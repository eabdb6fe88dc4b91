"""Wildcards over public suffixes, which no CA signs: they are told before an order fails."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import yaml_file


def read(tmp_path: pathlib.Path, text: str) -> list[str]:
    path = tmp_path / "daemun.yaml"
    path.write_text(text)
    return [str(one) for one in yaml_file.read_snapshot(path).problems if "no public CA signs that" in one.message]


def of_host(tmp_path: pathlib.Path, host: str, more: str = "") -> list[str]:
    dns = "acme: {dns: {provider: cloudflare, auth_token: x}}\n"
    return read(tmp_path, f"{dns}sites:\n  '{host}': {{{more}routes: {{/: http://x}}}}\n")


@pytest.mark.parametrize("host", ["*.com", "*.co.uk", "*.or.kr", "*.xn--p1ai", "*.рф"])
def test_a_public_suffix(tmp_path: pathlib.Path, host: str) -> None:
    (found,) = of_host(tmp_path, host)
    assert "daemun.yaml:3:3" in found
    assert 'name the domain that is yours ("*.example.com"), or write `tls: local`' in found


@pytest.mark.parametrize(
    "host",
    [
        "*.example.com",
        "*.example.co.uk",
        "*.home.arpa",
        "*.lan",
        "*.localhost",
        "*.internal",
        "*.local",
        "*.test",
        "*.corp",
        "*.home",
        "*.duckdns.org",
        "*.me.duckdns.org",
        "*.github.io",
        "example.com",
        "com",
        "192.0.2.1",
    ],
)
def test_others(tmp_path: pathlib.Path, host: str) -> None:
    assert of_host(tmp_path, host) == []


@pytest.mark.parametrize("more", ["tls: local, ", "tls: off, ", "enabled: false, "])
def test_where_no_public_ca_is_asked(tmp_path: pathlib.Path, more: str) -> None:
    assert of_host(tmp_path, "*.dev", more) == []


def test_a_ca_of_the_owner(tmp_path: pathlib.Path) -> None:
    acme = "acme: {directory: https://ca.corp.test/acme, dns: {provider: cloudflare, auth_token: x}}\n"
    assert read(tmp_path, f"{acme}sites:\n  '*.dev': {{routes: {{/: http://x}}}}\n") == []


def test_an_alias(tmp_path: pathlib.Path) -> None:
    text = "sites:\n  example.com:\n    aliases:\n      - www.example.com\n      - '*.com'\n    routes: {/: http://x}\n"
    (found,) = read(tmp_path, text)
    assert "daemun.yaml:5:9" in found


def test_it_is_a_warning(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  '*.com': {routes: {/: http://x}}\n")
    found = [one for one in yaml_file.read_snapshot(path).problems if "where names are sold" in one.message]
    assert [one.severity for one in found] == [model.Severity.WARNING]
