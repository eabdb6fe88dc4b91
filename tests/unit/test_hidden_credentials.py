"""Passwords that people write into URLs are in no message: the log, `status` and `check` show those."""

import pathlib

import pytest

from daemun.core import value_parsers
from daemun.core.options import stream_forms
from daemun.core.texts import words
from daemun.core.why import requested_url
from daemun.sources import yaml_file

_SECRET = "SECPW"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://bob:SECPW@127.0.0.1", "http://***@127.0.0.1"),
        ("http://SECPW@h/path", "http://***@h/path"),
        ("http://bob:SECPW@SECPW@h", "http://***@h"),
        ("http://bob:/SECPW/x@h", "http://***@h"),
        ("http://bob:#SECPW@h", "http://***@h"),
        ("a ftp://bob:SECPW@h and tcp://u:SECPW@b:1", "a ftp://***@h and tcp://***@b:1"),
        ("https://h:8080/@scope/package", "https://h:8080/@scope/package"),
        ("https://h/@name", "https://h/@name"),
        ("https://h?mail=a@b.c", "https://h?mail=a@b.c"),
        ("mailto:me@example.com", "mailto:me@example.com"),
        ("bob@example.com", "bob@example.com"),
    ],
)
def test_what_stands_before_the_host_of_a_url(text: str, shown: str) -> None:
    assert words.without_credentials(text) == shown
    assert words.quoted(text) == f'"{shown}"'


def test_a_long_password_is_hidden_before_the_text_is_cut() -> None:
    assert words.quoted(f"http://bob:{_SECRET * 40}@h") == '"http://***@h"'


@pytest.mark.parametrize(
    "text",
    ["http://u:SECPW@127.0.0.1", "u:SECPW@127.0.0.1:80", "http://u:SECPW/1@h", "http://u:?SECPW@h"],
)
def test_servers_of_routes(text: str) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*@") as caught:
        value_parsers.parse_target(text)
    assert _SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["tcp://u:SECPW@a:1", "u:SECPW@a:1", "tls://u:SECPW/1@a:1"])
def test_servers_of_streams(text: str) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*@") as caught:
        stream_forms.parse_target(text)
    assert _SECRET not in str(caught.value)


def test_the_cure_for_a_server_of_a_stream_leaves_them_out() -> None:
    with pytest.raises(ValueError, match='write "tcp://a:1"'):
        stream_forms.parse_target("tcp://u:SECPW@a:1")


def test_a_url_of_why() -> None:
    with pytest.raises(ValueError, match="is no URL") as caught:
        requested_url.parse("http://bob:SECPW/x@h")
    assert _SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        "http://u:SECPW@127.0.0.1",
        "{to: 'http://u:SECPW@127.0.0.1'}",
        "{redirect: 'http://u:SECPW@h'}",
        "{routes: {/: {to: ['http://u:SECPW@a', 'u:SECPW@b:1']}}}",
        "{routes: {/: 'fpt://u:SECPW@a'}}",
        "{routes: {/: {redirect: 'fpt://u:SECPW@a'}}}",
        "{routes: {/: http://a}, access: {forward: 'ldap://u:SECPW@a'}}",
    ],
)
def test_files(tmp_path: pathlib.Path, options: str) -> None:
    content = f"sites: {{a.test: {options}}}"
    messages = [one.message for one in yaml_file.parse(content, file_name="f.yaml", base_dir=tmp_path).problems]
    assert messages
    assert not [one for one in messages if _SECRET in one]
