"""What servers of other protocols answer with, and what servers of https answer to plain HTTP."""

import pytest

from daemun.core.served import server_greetings


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"SSH-2.0-dropbear\r\n", "an SSH server"),
        (b"-NOAUTH Authentication required.\r\n", "a Redis server"),
        (b"220-FileZilla Server\r\n", "a mail or FTP server"),
        (b"+OK POP3 ready\r\n", "a POP3 server"),
        (b"RFB 003.008\n", "a VNC server"),
        (b"AMQP\0\0\x09\x01", "an AMQP server"),
        (b'INFO {"server_id":"x"}\r\n', "a NATS server"),
        (b"ERROR\r\n", "a memcached server"),
        (b"J\0\0\0\n5.5.5-10.11.6-MariaDB\0" + bytes(40), "a MySQL or MariaDB server"),
        (b"E\0\0\0\x8bSFATAL\0VFATAL\0C08P01\0", "a PostgreSQL server"),
        (b"<!doctype html><p>hello", "a page without a head"),
        (b"\n<HTML>", "a page without a head"),
        (b"hello", None),
        (b"", None),
        (b"\x15\x03\x01", None),
    ],
)
def test_what_a_server_is(head: bytes, words: str | None) -> None:
    found = server_greetings.describe(head)
    assert (found is None) == (words is None)
    assert words is None or words in str(found)
    assert found is None or found.isprintable()


@pytest.mark.parametrize(
    ("answer", "is_refusal"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port", True),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nBad Request: Invalid Host header", False),
        (b"HTTP/1.1 301 Moved\r\nlocation: https://a.test/\r\n\r\n", True),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://a.test/\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nhow to use https", False),
        (b"", False),
    ],
)
def test_a_refusal_of_plain_http(answer: bytes, is_refusal: bool) -> None:
    assert server_greetings.refuses_plain_http(answer) is is_refusal
