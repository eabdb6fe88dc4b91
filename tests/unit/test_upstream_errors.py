"""nginx's words about servers, in plain ones (A5)."""

import datetime

import pytest

from daemun.core.served import upstream_errors

END = (
    ', client: 127.0.0.1, server: app.test, request: "GET /a/b?c=1 HTTP/1.1", upstream: '
    '"http://127.0.0.1:8000/a/b?c=1", host: "app.test:8443"'
)
START = "2026/03/01 12:00:00 [error] 7#7: *5 "

# As nginx 1.31.3 writes them.
LINES = [
    ("upstream sent too big header while reading response header from upstream", "headers of its answer are too large"),
    (
        'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time while reading response header '
        "from upstream",
        "both Content-Length and Transfer-Encoding",
    ),
    ("no live upstreams while connecting to upstream", "all its servers failed a moment ago"),
    (
        "upstream SSL certificate verify error: (18:self-signed certificate) while SSL handshaking to upstream",
        "its certificate is refused",
    ),
    (
        'upstream SSL certificate does not match "app.internal" while SSL handshaking to upstream',
        "its certificate is for another name",
    ),
    (
        "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) while SSL handshaking to "
        "upstream",
        "it speaks plain http",
    ),
    (
        "peer closed connection in SSL handshake while SSL handshaking to upstream",
        "no TLS handshake with it",
    ),
    ("connect() failed (111: Connection refused) while connecting to upstream", "it refused the connection"),
    ("connect() failed (113: No route to host) while connecting to upstream", "there is no way to its address"),
    (
        "upstream timed out (110: Connection timed out) while connecting to upstream",
        "did not take the connection",
    ),
    (
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
        "it did not answer in time",
    ),
    (
        "upstream prematurely closed connection while reading response header from upstream",
        "it closed the connection before its answer was complete",
    ),
    (
        "recv() failed (104: Connection reset by peer) while reading response header from upstream",
        "it closed the connection before its answer was complete",
    ),
    ("upstream sent no valid HTTP/1.0 header while reading response header from upstream", "has no head of HTTP"),
    (
        'upstream sent duplicate header line: "Content-Length: 5", previous value: "Content-Length: 4" while reading '
        "response header from upstream",
        "its answer breaks the rules of HTTP",
    ),
    (
        'FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream',
        "PHP does not find the script",
    ),
]


@pytest.mark.parametrize(("words", "cause"), LINES)
def test_a5_each_has_a_cause_and_a_cure(words: str, cause: str) -> None:
    found = upstream_errors.read_line(START + words + END)
    assert found is not None
    assert cause in found.kind.cause
    assert found.kind.cure
    assert (found.host, found.path, found.words) == ("app.test", "/a/b", words)
    assert found.at == datetime.datetime(2026, 3, 1, 12)


def test_a5_a_unix_socket() -> None:
    words = "connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to upstream"
    found = upstream_errors.read_line(f"2026/03/01 12:00:00 [crit] 7#7: *5 {words}{END}")
    assert found is not None
    assert "unix socket does not exist" in found.kind.cause
    words = "connect() to unix:/run/app.sock failed (13: Permission denied) while connecting to upstream"
    found = upstream_errors.read_line(f"2026/03/01 12:00:00 [crit] 7#7: *5 {words}{END}")
    assert found is not None
    assert "may not open its unix socket" in found.kind.cause


def test_a5_what_nobody_knows_is_told_all_the_same() -> None:
    found = upstream_errors.read_line(f"{START}something new while reading upstream{END}")
    assert found is not None
    assert found.kind.cause == "a request to it failed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "upstream",
        f'{START}open() "/srv/x" failed (2: No such file or directory), client: 127.0.0.1, server: app.test',
        "2026/03/01 12:00:00 [warn] 7#7: *5 an upstream response is buffered to a temporary file" + END,
        "2026/03/01 12:00:00 [notice] 7#7: signal 1 (SIGHUP) received from 1, reconfiguring upstream",
        f'{START}open() "/srv/SSL certificate verify error: (upstream" failed (2: No such file or directory){END}',
        f'{START}"/srv/upstream sent too big header{END}" is not a directory{END}',
        f'{START}directory index of "/srv/connect() upstream failed (2: /" is forbidden{END}',
        '2026/03/01 12:00:00 [emerg] 7#7: host not found in upstream "x" in /x.conf:4',
    ],
)
def test_a5_what_is_about_no_server(text: str) -> None:
    assert upstream_errors.read_line(text) is None


def test_what_a_visitor_sent_is_no_kind_of_an_error() -> None:
    sent = "SSL certificate verify error: (x) upstream, client: 1.2.3.4, server: b.test"
    end = f'{END}, referrer: "{sent}, request: "GET /x HTTP/1.1", host: "b.test""'.replace("c=1", f"c=1, {sent}")
    found = upstream_errors.read_line(f"{START}upstream timed out (110: x) while connecting to upstream{end}")
    assert found is not None
    assert found.words == "upstream timed out (110: x) while connecting to upstream"
    assert "did not take the connection" in found.kind.cause
    assert (found.host, found.path) == ("app.test", "/a/b")


def test_the_lines_of_daemuns_own_pages_are_no_errors_of_servers() -> None:
    """They come a second later, and would stand in the place of what was wrong."""
    line = (
        "2026/11/30 02:51:15 [error] 27358#0: *6 answered 502, request_id: 535644ce5151135a600dd3a74b2d8734, "
        'client: 127.0.0.1, server: a.test, request: "GET /large HTTP/1.1", upstream: "127.0.0.1:34709", host: "a.test"'
    )
    assert upstream_errors.read_line(line) is None


@pytest.mark.parametrize(
    "words",
    [
        'FastCGI sent in stderr: "oops{other}" while reading response header from upstream',
        'upstream sent invalid header: "x: {other}" while reading response header from upstream',
        'upstream sent invalid "Content-Length" header: "Content-Length: 5{other}" while reading response header',
    ],
)
def test_what_a_server_sends_is_no_error_of_another(words: str) -> None:
    other = END.replace("app.test", "other.test")
    assert upstream_errors.read_line(f"{START}{words.format(other='')}{END}") is not None
    assert upstream_errors.read_line(f"{START}{words.format(other=other)}{END}") is None
    assert upstream_errors.read_line(f'{START}{words.format(other="")}{END}, referrer: "{other}"') is None
    plain = "connect() failed (111: Connection refused) while connecting to upstream"
    found = upstream_errors.read_line(f'{START}{plain}{END}, referrer: "{other}"')
    assert found is not None
    assert found.host == "app.test"
