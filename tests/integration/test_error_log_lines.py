"""nginx's error log: a visitor begins no line of it."""

import collections.abc
import pathlib
import re
import tempfile

import pytest

from daemun.core import directive, model
from daemun.core.directive import Text
from daemun.core.options import when_option
from tests.support import rendered, until
from tests.support.sites import route, site, target

pytestmark = pytest.mark.nginx

FORGED = "2026/11/30 04:00:00 [error] 7#7: *5 connect() failed (111: FORGED), client: 1.2.3.4, server: a.test"
BREAK = f"%0A{FORGED.replace(' ', '%20')}%1b"
GONE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with tempfile.TemporaryDirectory(prefix="daemun-test-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "index.html").write_text("page")
        (folder / "a b.txt").write_text("odd")
        (folder / "shut").mkdir(mode=0o700)
        files = model.Files(folder=name)
        by_hand = (directive.Directive("location", (Text("/hand/"),), (directive.Directive("root", (Text(name),)),)),)
        php = model.Proxy(targets=(target(f"fastcgi://{GONE}"),), php=model.Php(folder=name))
        sites = (
            site(
                "files.test",
                route("/", files),
                route("/part/", files),
                route("/spa/", files, spa=True),
                route("/list/", files, listing=True),
                route("~ ^/expression/", files),
                route("*.css", files),
                route("/chosen/", files, when=when_option.When(method=("GET",)), entry=0),
                route("/chosen/", f"http://{GONE}", entry=1),
            ),
            site("php.test", route("/", php, hold=0.0), route("/files/", files)),
            site("hand.test", route("/", f"http://{GONE}", hold=0.0), snippet=by_hand),
            site(
                "servers.test",
                *(
                    route(f"/{scheme}/", f"{scheme}://{GONE}", hold=0.0)
                    for scheme in ("h2c", "grpc", "fastcgi", "uwsgi", "scgi", "memcached")
                ),
                route("/", f"http://{GONE}", hold=0.0),
                route("/inner/", f"http://{GONE}/x/", hold=0.0),
                route("~ ^/by/(?<id>.*)$", f"http://{GONE}/id/${{id}}", hold=0.0),
            ),
        )
        with rendered.running(*sites) as running:
            yield running


FILES = ("/", "/part/", "/spa/", "/list/", "/expression/", "/chosen/", "/shut/", "/part/shut/", "/index.html/")
CASES = (
    *((f"https://files.test{path}", ("", "/", ".css", "/index.html")) for path in FILES),
    ("https://php.test/", ("", "/", ".php", ".php/x")),
    ("https://php.test/shut/", ("", ".php")),
    ("https://php.test/files/", ("",)),
    ("https://hand.test/hand/", ("", "/")),
    ("https://hand.test/", ("",)),
    *(
        (f"https://servers.test/{path}", ("",))
        for path in ("", "inner/", "by/", "h2c/", "grpc/", "fastcgi/", "uwsgi/", "scgi/", "memcached/")
    ),
)


@pytest.mark.parametrize("is_http2", [False, True])
def test_no_path_of_a_visitor_breaks_a_line(gate: rendered.Running, is_http2: bool) -> None:
    for url, ends in CASES:
        for end in ends:
            answer = gate.get(f"{url}{BREAK}{end}", http2=is_http2, Referer=FORGED)
            assert answer.status_code in {301, 400, 404, 502}, (url, end, answer)
    gate.get("https://files.test/last-one", http2=is_http2)
    log = pathlib.Path(gate.layout.logs, "error.log")
    until.true(lambda: b'last-one" failed' in log.read_bytes())
    text = log.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text)
    begins = [line for line in text.split(b"\n") if not re.match(rb"\d{4}/\d\d/\d\d [0-9:]{8} \[\w+\] \d+#\d+: ", line)]
    assert begins == [b""]
    assert b"7#7" not in b"\n".join(line.partition(b", client: ")[0] for line in text.split(b"\n"))


def test_other_paths_are_served_as_before(gate: rendered.Running) -> None:
    for path in ("a%20b.txt", "part/a%20b.txt", "expression/../a%20b.txt", "chosen/a%20b.txt"):
        assert gate.get(f"https://files.test/{path}").text == "odd"
    for path in ("%c3%a9", ".env%0a", "a%0a", "a%09", "a%7f"):
        assert gate.get(f"https://files.test/{path}").status_code == 404
    assert gate.get("https://php.test/a%20b.txt").text == "odd"
    assert gate.get("https://php.test/index.html%0a.php").status_code == 400
