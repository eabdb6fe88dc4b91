"""What visitors send as name and password: any bytes of any length."""

import base64

import hypothesis
import pytest
from hypothesis import strategies

from daemun.judge import basic_credentials
from daemun.judge.basic_credentials import Credentials


def encode(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (encode("alice:pw"), Credentials("alice", "pw")),
        (encode("alice:p:w"), Credentials("alice", "p:w")),
        (encode("앨리스:비밀"), Credentials("앨리스", "비밀")),
        (encode("a:e\u0301"), Credentials("a", "\u00e9")),
        ("bAsIc   " + encode("alice:pw")[6:] + "  ", Credentials("alice", "pw")),
    ],
)
def test_what_is_read(header: str, expected: Credentials) -> None:
    assert basic_credentials.parse(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWxpY2U6cHc",
        "Basic YWxpY2U6 cHc=",
        "Bearer YWxpY2U6cHc=",
        encode("alice"),
        encode(":pw"),
        encode("alice:"),
        encode(b"al\xffice:pw"),
        encode("alice\0:pw"),
        encode("alice:p\0w"),
        encode("alice:pw\r\nX: y"),
        encode("a" * 256 + ":pw"),
        encode("alice:" + "x" * 1025),
        encode("alice:" + "x" * 1_000_000),
        "Basic \udcff\udcfe",
        "Basic \u00e9",
    ],
)
def test_what_is_nobodys(header: str) -> None:
    assert basic_credentials.parse(header) is None


@hypothesis.given(strategies.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    basic_credentials.parse(text)
    basic_credentials.parse(f"Basic {text}")
    found = basic_credentials.parse(encode(text.encode("utf-8", "surrogatepass")))
    assert found is None or ":" in text


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("alice", "secret"))
