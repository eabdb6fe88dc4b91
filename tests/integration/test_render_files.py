"""Files from a folder, and what must never come out of one."""

import collections.abc
import pathlib
import tempfile

import pytest

from daemun.core import model
from daemun.core.options import hsts_option
from tests.support import rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

TREE = {
    "public/index.html": "home",
    "public/a.txt": "a",
    "public/app.wasm": "wasm",
    "public/한 글.txt": "hangul",
    "public/docs/index.html": "docs",
    "public/list/x.txt": "x",
    "public/.env": "secret",
    "public/sub/.git/config": "secret",
    "public/.well-known/security.txt": "contact",
    "public/%24 $x.txt": "dollar",
    "public-other/secret.txt": "secret",
    "secret.txt": "secret",
    "bare/only.txt": "only",
}


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with tempfile.TemporaryDirectory(prefix="daemun-test-$x-") as name:
        folder = pathlib.Path(name)
        for path, content in TREE.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        for entry in (folder, *folder.rglob("*")):
            entry.chmod(0o755)
        public = f"{folder}/public"
        files = site(
            "files.test",
            route("/assets/", model.Files(folder=public)),
            route("/short", model.Files(folder=f"{public}/")),
            route("/list/", model.Files(folder=public), listing=True),
            route("/spa/", model.Files(folder=public), spa=True),
            route("/broken/", model.Files(folder=f"{folder}/bare"), spa=True),
            route("/pages/", model.Files(folder=public), index=("none.html", "a.txt")),
            route("/start/", model.Files(folder=public), index=("a.txt",), spa=True),
            route("/c d/", model.Files(folder=public), spa=True),
            route("/c$d e/", model.Files(folder=public), response_headers=(("Cache-Control", "public"),)),
            route("/", model.Files(folder=public), spa=True, response_headers=(("X-Own", "1"),)),
            route("/gone", model.Redirect(to="/")),
            http=model.HttpMode.SERVE,
            hsts=hsts_option.Hsts(max_age_s=1),
        )
        with rendered.running(files) as nginx:
            yield nginx


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/assets/", 200, "home"),
        ("/assets/a.txt", 200, "a"),
        ("/assets/none", 404, None),
        ("/assets/docs/", 200, "docs"),
        ("/assets/list/", 403, None),
        ("/assets/%ED%95%9C%20%EA%B8%80.txt", 200, "hangul"),
        ("/assets/%2524%20$x.txt", 200, "dollar"),
        ("/short/a.txt", 200, "a"),
        ("/spa/", 200, "home"),
        ("/spa/a.txt", 200, "a"),
        ("/spa/any/route", 200, "home"),
        ("/spa/list/", 200, "home"),
        ("/spa/docs/", 200, "docs"),
        ("/spa/index.html", 200, "home"),
        ("/pages/", 200, "a"),
        ("/pages/docs/", 403, None),
        ("/start/", 200, "a"),
        ("/start/any/route", 200, "a"),
        ("/broken/only.txt", 200, "only"),
        ("/broken/any", 404, None),
        ("/broken/", 404, None),
        ("/c%20d/any", 200, "home"),
        ("/c$d%20e/a.txt", 200, "a"),
        ("/", 200, "home"),
        ("/a.txt", 200, "a"),
        ("/any/route", 200, "home"),
        ("/docs/", 200, "docs"),
        ("/gone", 301, None),
    ],
)
def test_what_is_served(gate: rendered.Running, path: str, status: int, text: str | None) -> None:
    answer = gate.get(f"https://files.test{path}")
    assert answer.status_code == status
    assert text is None or answer.text == text


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/assets", "/assets/"),
        ("/short?x=1", "/short/?x=1"),
        ("/assets/docs", "/assets/docs/"),
        ("/c$d%20e", "/c%24d%20e/"),
    ],
)
def test_folders_end_in_a_slash(gate: rendered.Running, path: str, location: str) -> None:
    answer = gate.get(f"https://files.test{path}")
    assert (answer.status_code, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "path",
    [
        "/assets../secret.txt",
        "/assets/../secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/%2e%2e%2fsecret.txt",
        "/assets/..\\secret.txt",
        "/assets-other/secret.txt",
        "/short-other/secret.txt",
        "/short../secret.txt",
        "/spa../secret.txt",
        "/spa/..%2fsecret.txt",
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/.%2e/secret.txt",
        "/assets/.env",
        "/assets/%2eenv",
        "/assets/sub/.git/config",
        "/assets//.env",
        "/spa/.env",
        "/.env",
        "/sub/.git/config",
        "/list/.env",
    ],
)
def test_nothing_leaves_the_folder(gate: rendered.Running, path: str) -> None:
    answer = gate.raw(f"GET {path} HTTP/1.1\nHost: files.test\nConnection: close\n\n")
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2], answer
    assert answer.split(b" ")[1] in {b"200", b"400", b"404"}


def test_well_known_is_not_hidden(gate: rendered.Running) -> None:
    for path in ("/assets/.well-known/security.txt", "/.well-known/security.txt"):
        assert gate.get(f"https://files.test{path}").text == "contact"


def test_a_list_of_files(gate: rendered.Running) -> None:
    page = gate.get("https://files.test/list/list/").text
    assert "x.txt" in page
    assert gate.get("https://files.test/list/").text == "home"
    assert ".env" not in gate.get("https://files.test/list/sub/").text


def test_browsers_ask_again_and_are_told_nothing_changed(gate: rendered.Running) -> None:
    answer = gate.get("https://files.test/assets/a.txt")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Type"] == "text/plain"
    assert gate.get("https://files.test/assets/a.txt", If_None_Match=answer.headers["ETag"]).status_code == 304
    assert gate.get("https://files.test/c$d%20e/a.txt").headers.get_list("Cache-Control") == ["public"]


def test_headers_are_on_every_page(gate: rendered.Running) -> None:
    for path in ("/", "/any/route", "/a.txt", "/index.html", "/docs/"):
        answer = gate.get(f"https://files.test{path}")
        assert answer.headers["X-Own"] == "1"
        assert answer.headers["Strict-Transport-Security"] == "max-age=1"
        assert answer.headers.get_list("Cache-Control") == ["no-cache"]


def test_types(gate: rendered.Running) -> None:
    assert gate.get("https://files.test/assets/app.wasm").headers["Content-Type"] == "application/wasm"
    assert gate.get("https://files.test/").headers["Content-Type"] == "text/html"
