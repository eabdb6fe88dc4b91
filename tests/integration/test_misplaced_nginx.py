"""Hand-written nginx at a level where nginx does not take it: its own words, the cure, and that the cure works."""

import dataclasses
import socket
import ssl

import pytest

from daemun.core import model
from daemun.core.render import render_tree
from daemun.nginx import error_diagnosis
from daemun.sources import nginx_snippet
from tests.support import rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

AT_THE_TOP = "under `nginx:` at the top of daemun.yaml"


def refusal(text: str, level: str) -> str | None:
    """nginx's words. level: "top", "site" or "route"."""
    snippet = nginx_snippet.parse_snippet(text)
    at = {name: snippet if level == name else () for name in ("top", "site", "route")}
    one = site("a.test", route("/", "http://10.0.0.1", snippet=at["route"]), snippet=at["site"])
    desired = model.Desired(sites=(one,), globals=dataclasses.replace(model.Globals(), snippet=at["top"]))
    with rendered.prepared() as layout:
        files = render_tree.render_files(desired, rendered.environment_of(layout))
        return rendered.find_refusal(files, layout)


HTTP_LEVEL = (
    "map $host $own { default 1; }",
    "geo $own { default 1; }",
    'split_clients "$remote_addr" $own { * 1; }',
    "upstream own { server 127.0.0.1:1; }",
    "limit_req_zone $binary_remote_addr zone=own:1m rate=1r/s;",
    "limit_conn_zone $binary_remote_addr zone=own:1m;",
    "log_format own $host;",
    "proxy_cache_path /tmp/own keys_zone=own:1m;",
)


@pytest.mark.parametrize("level", ["site", "route"])
@pytest.mark.parametrize("text", HTTP_LEVEL)
def test_what_belongs_to_the_http_level(text: str, level: str) -> None:
    words = refusal(text, level)
    assert words is not None
    assert AT_THE_TOP in str(error_diagnosis.find_cure(words))


@pytest.mark.parametrize("text", HTTP_LEVEL[:-1])
def test_it_is_accepted_there(text: str) -> None:
    assert refusal(text, "top") is None


@pytest.mark.parametrize("level", ["top", "site", "route"])
@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("user nobody;", "`user: ACCOUNT` at the top"),
        ("worker_processes 2;", "`workers: NUMBER` at the top"),
        ("worker_connections 9;", "as many as the limit of open files allows"),
        ("worker_rlimit_nofile 9;", "as many as the limit of open files allows"),
        ("worker_priority 1;", "nginx's main level is daemun's own"),
        ("worker_shutdown_timeout 9;", "`old_workers: {wait: 1m}`"),
        ("load_module modules/x.so;", "`daemun nginx install`"),
        ("events { }", "nginx's main level is daemun's own"),
        ("http { }", "what is in it belongs under `nginx:` at the top"),
    ],
)
def test_what_belongs_to_the_main_level(text: str, cure: str, level: str) -> None:
    words = refusal(text, level)
    assert words is not None
    assert cure in str(error_diagnosis.find_cure(words))


@pytest.mark.parametrize(
    ("text", "level", "cure"),
    [
        ("location /x { return 204; }", "top", "`nginx:` of the site"),
        ("return 204;", "top", "`nginx:` of the site"),
        ("proxy_pass http://127.0.0.1:1;", "site", "in a `location` of a site's"),
        ("alias /srv;", "top", "in a `location` of a site's"),
        ("server_name b.test;", "route", "`aliases` of the site"),
        ("listen 81;", "route", "`listen:` at the top"),
        ("ssl_certificate /x;", "route", "`tls: {certificate: FILE, key: FILE}`"),
        ("ssl_protocols TLSv1.3;", "route", "`nginx:` of the site"),
    ],
)
def test_what_belongs_elsewhere(text: str, level: str, cure: str) -> None:
    words = refusal(text, level)
    assert words is not None
    assert "is not allowed here" in words
    assert cure in str(error_diagnosis.find_cure(words))


@pytest.mark.parametrize(
    "words",
    [
        'unknown directive "map"',
        '"map" directive is duplicate',
        '"gzip" directive is not allowed here',
        'invalid "map"',
    ],
)
def test_other_words_get_no_such_cure(words: str) -> None:
    assert error_diagnosis.find_cure(words) is None


def test_a_server_name_of_the_owner_answers_no_visitor_of_https() -> None:
    """What `snippet_names` warns of."""
    own = nginx_snippet.parse_snippet("server_name www.a.test;")
    answer = model.Route(path="/", action=model.Respond(body="hello"))
    with rendered.running(site("a.test", answer, snippet=own)) as gate:
        assert status_of(gate, "a.test") == 200
        assert status_of(gate, "www.a.test") == 421


def status_of(gate: rendered.Running, host: str) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", gate.https), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(65536).split(b" ")[1])
