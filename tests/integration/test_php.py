"""PHP applications (`php`) with Debian's PHP-FPM: what is run, what is served, and what never comes out."""

import collections.abc
import contextlib
import json
import os
import pathlib
import tempfile
import typing

import httpx
import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue, trailing_slash_option, trusted_proxies_option, when_option
from tests.support import php_fpm, rendered
from tests.support.sites import route, site, target

pytestmark = pytest.mark.nginx

SOURCE = "<?php /* the source */ $kept = 1;"
SHOW = """
echo json_encode(["script" => __FILE__, "server" => $_SERVER, "get" => $_GET, "post" => $_POST,
    "size" => strlen(file_get_contents("php://input"))]);
"""
UNSHOWN = (
    "index.php~",
    "index.phps",
    "index.php.bak",
    "index.php_old",
    "index.php5",
    "INDEX.PHP",
    "x.PhTmL",
    "x.pht",
    "x.phar",
    "config.inc",
    "config.INC",
    "config.inc.save",
    "notes.bak",
    "#index.php#",
    "a|b.php~",
    ".env",
    ".user.ini",
    ".git/config",
    "sub/.index.php.swp",
    "wp-content/uploads/evil.php",
    "wp-content/uploads/2026/index.php",
    "net/wp-content/uploads/evil.php",
    "Wp-Content/Uploads/evil.php",
    "files/evil.php",
    "files/x.php/evil.php",
)
FILES = {
    "style.css": "css",
    "a b+c.txt": "odd name",
    "docs/index.html": "docs",
    "empty/x.txt": "x",
    "photo.jpg": f"{SOURCE} echo 'photo ran';",
    "wp-content/uploads/photo.jpg": "photo",
    "files/ok.txt": "ok",
    ".well-known/security.txt": "contact",
    "phpinfo.txt": "no source",
    "main.increase": "no include",
}
# Links whose owner is another than that of what they lead to, which only root can make.
STOLEN = ("stolen.txt", "stolen.php") if os.geteuid() == 0 else ()
SCRIPTS = (
    "index.php",
    "a.php",
    "wp-login.php",
    "admin/index.php",
    "tools/index.php",
    "a b.php",
    "$x.php",
    ".well-known/x.php",
    "tools/denied.php",
    "shut/index.php",
    "a.login.php",
    "late/x.php",
)


def make_tree(folder: pathlib.Path) -> None:
    def write(name: str, text: str) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    for name in UNSHOWN:
        write(name, SOURCE + SHOW)
    for name in SCRIPTS:
        write(name, SOURCE + SHOW)
    for name, text in FILES.items():
        write(name, text)
    write("fails.php", SOURCE + "http_response_code(503); echo 'of the application';")
    (folder / "linked.txt").symlink_to("style.css")
    for name in STOLEN:
        (folder / name).symlink_to(f"../{name.replace('stolen', 'secret')}")
    (folder.parent / "secret.txt").write_text("secret")
    (folder.parent / "secret.php").write_text(SOURCE + SHOW)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)


@pytest.fixture(scope="module")
def house() -> collections.abc.Iterator[tuple[rendered.Running, pathlib.Path]]:
    with contextlib.ExitStack() as stack:
        top = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daemun-test-$x-")))
        top.chmod(0o755)
        folder = top / "app"
        make_tree(folder)
        (top / "inside").symlink_to("app")
        for name in STOLEN:
            os.chown(folder / name, 65534, 65534, follow_symlinks=False)
        fpm = target(f"fastcgi://unix:{stack.enter_context(php_fpm.running())}")
        gone = target(f"fastcgi://unix:{top}/none.sock")

        def php(server: model.Target = fpm, **changes: typing.Any) -> model.Proxy:
            given = {"folder": str(folder), "no_code": ("/files/",), "trusted": str(top), **changes}
            return model.Proxy(targets=(server,), php=model.Php(**given))

        posted = when_option.When(method=("POST",))
        closed = access_option.OPTION.set(access_option.Access(deny=("127.0.0.1",)))
        sites = (
            site(
                "php.test",
                route("/", php(), max_body=2 << 20),
                route("/blog/", php(front="wp-login.php")),
                route("/no front/", php(front=None)),
                route("/inside/", php(server_folder=f"{top}/inside")),
                route("/closed no front/", php(front=None), options=catalogue.values(closed)),
                route("/closed/", php(), options=catalogue.values(closed)),
                route("= /wp-login.php", php(), options=catalogue.values(closed)),
                route("~ ^/(?<part>adm|[Xx]dm)in/", php(), options=catalogue.values(closed)),
                route("*.{php9,css9}", php()),
                route("= /tools/denied.php", php(), options=catalogue.values(closed)),
                route("= /shut/index.php", php(), options=catalogue.values(closed)),
                route("/gone/", php(gone), hold=0.0),
                http=model.HttpMode.SERVE,
            ),
            site(
                "list.test",
                route("/", php(), options=catalogue.values(when_option.OPTION.set(posted)), entry=0),
                route("/", php(front="a.php"), entry=1),
            ),
            site(
                "shut.test",
                route("/", php(front=None), options=catalogue.values(when_option.OPTION.set(posted), closed), entry=0),
                route("/", php(front=None), entry=1),
            ),
            site("slash.test", route("/", php()), trailing_slash=trailing_slash_option.Slash.REMOVE),
            site(
                "suffix.test",
                route("/", php()),
                route("/blog/", php()),
                route("/no front/", php(front=None)),
                route("~ ^/tools/", php()),
                route("*.php", php(), options=catalogue.values(closed)),
                route("~ ^/late/", php()),
            ),
            site("denied.test", route("/", php()), route("*.{x,PHP}", model.Respond(status=403))),
            site("part.test", route("/", php()), route("*.login.php", model.Respond(status=403))),
            site("same.test", route("/", php()), route("*.php", php(), max_body=2 << 20)),
            site("closed.test", route("/", php()), options=catalogue.values(closed)),
        )
        settings = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
        yield stack.enter_context(rendered.running(*sites, settings=settings)), folder


def told(answer: httpx.Response) -> dict[str, typing.Any]:
    assert answer.status_code == 200, answer
    assert "the source" not in answer.text
    found: dict[str, typing.Any] = answer.json()
    return found


Gate = tuple[rendered.Running, pathlib.Path]


@pytest.mark.parametrize(
    ("path", "script", "name", "info"),
    [
        ("/", "index.php", "/index.php", ""),
        ("/index.php", "index.php", "/index.php", ""),
        ("/index.php/", "index.php", "/index.php", "/"),
        ("/index.php/a%20b/c.php", "index.php", "/index.php", "/a b/c.php"),
        ("/index.php/wp-content/uploads/x", "index.php", "/index.php", "/wp-content/uploads/x"),
        ("/blog/wp-login.php?x=1", "wp-login.php", "/blog/wp-login.php", ""),
        ("//a.php", "a.php", "/a.php", ""),
        ("/%61%2ephp", "a.php", "/a.php", ""),
        ("/x/../a.php", "a.php", "/a.php", ""),
        ("/a%20b.php", "a b.php", "/a b.php", ""),
        ("/$x.php", "$x.php", "/$x.php", ""),
        ("/.well-known/x.php", ".well-known/x.php", "/.well-known/x.php", ""),
        ("/tools/", "tools/index.php", "/tools/index.php", ""),
        ("/any/path?x=1", "index.php", "/index.php", ""),
        ("/none.php/x", "index.php", "/index.php", ""),
        ("/empty/", "index.php", "/index.php", ""),
        ("/.well-known/carddav", "index.php", "/index.php", ""),
        # Attacks by PATH_INFO: nothing but a real script is one.
        ("/photo.jpg/x.php", "index.php", "/index.php", ""),
        ("/photo.jpg/.php", "index.php", "/index.php", ""),
        ("/wp-content/uploads/photo.jpg/x.php", "index.php", "/index.php", ""),
        ("/blog/", "index.php", "/blog/index.php", ""),
        ("/blog/any", "wp-login.php", "/blog/wp-login.php", ""),
        ("/new.css9", "index.php", "/index.php", ""),
        ("/blog/admin/", "admin/index.php", "/blog/admin/index.php", ""),
        ("/blog/index.php/x", "index.php", "/blog/index.php", "/x"),
        ("/no%20front/index.php", "index.php", "/no front/index.php", ""),
    ],
)
def test_what_is_run(house: Gate, path: str, script: str, name: str, info: str) -> None:
    gate, folder = house
    answer = gate.raw(f"GET {path} HTTP/1.0\nHost: php.test\n\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"200", answer
    found = json.loads(body)
    server = found["server"]
    assert found["script"] == f"{folder}/{script}"
    assert (server["SCRIPT_NAME"], server["PATH_INFO"]) == (name, info)
    assert (server["PHP_SELF"], server["DOCUMENT_ROOT"]) == (f"{name}{info}", str(folder))
    assert (server["REQUEST_URI"], server["QUERY_STRING"]) == (path, path.partition("?")[2])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/style.css", "css"),
        ("/a%20b+c.txt", "odd name"),
        ("/wp-content/uploads/photo.jpg", "photo"),
        ("/files/ok.txt", "ok"),
        ("/docs/", "docs"),
        ("/.well-known/security.txt", "contact"),
        ("/phpinfo.txt", "no source"),
        ("/main.increase", "no include"),
        ("/linked.txt", "css"),
        ("/blog/style.css", "css"),
        ("/no%20front/docs/", "docs"),
    ],
)
def test_files(house: Gate, path: str, text: str) -> None:
    answer = house[0].get(f"https://php.test{path}")
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert house[0].get(f"https://php.test{path}", If_None_Match=answer.headers["ETag"]).status_code == 304


@pytest.mark.parametrize(
    ("path", "there"), [("/tools?x=1", "/tools/?x=1"), ("/blog", "/blog/"), ("/blog/docs", "/blog/docs/")]
)
def test_folders_end_in_a_slash(house: Gate, path: str, there: str) -> None:
    answer = house[0].get(f"https://php.test{path}")
    assert (answer.status_code, answer.headers["Location"]) == (301, there)


@pytest.mark.parametrize(("method", "blog"), [("GET", 301), ("POST", 308), ("PROPFIND", 308)])
def test_a_prefix_without_its_slash_is_behind_the_guard(house: Gate, method: str, blog: int) -> None:
    assert house[0].ask(method, "https://php.test/blog").status_code == blog
    answer = house[0].ask(method, "https://php.test/closed")
    assert (answer.status_code, answer.headers.get("Location")) == (403, None)


def test_trailing_slash_leaves_folders_alone(house: Gate) -> None:
    assert told(house[0].get("https://slash.test/tools/"))["server"]["SCRIPT_NAME"] == "/tools/index.php"


def test_one_of_a_list_of_routes(house: Gate) -> None:
    gate, folder = house
    assert told(gate.ask("POST", "https://list.test/any", body=b"x"))["script"] == f"{folder}/index.php"
    assert told(gate.get("https://list.test/any"))["script"] == f"{folder}/a.php"
    assert gate.get("https://list.test/style.css").text == "css"
    assert gate.get("https://list.test/docs/").text == "docs"
    assert gate.get("https://list.test/docs").headers["Location"] == "/docs/"


def spellings(name: str) -> collections.abc.Iterator[str]:
    quoted = name.replace("#", "%23")
    yield quoted
    yield f"{quoted}/"
    yield f"{quoted}/x.css"
    yield f"{quoted}/x.php"
    yield f"{quoted}%00"
    yield f"{quoted}%00.jpg"
    yield f"{quoted}%20"
    yield f"{quoted}."
    yield f"{quoted}::$DATA"
    yield quoted.replace(".", "%2e").replace("/", "%2f")
    yield f"./{quoted}"
    yield f"x/..;/../{quoted}"
    yield f"/{quoted}"


@pytest.mark.parametrize("name", [*UNSHOWN, *STOLEN])
def test_what_is_neither_shown_nor_run(house: Gate, name: str) -> None:
    """The front controller may answer; the file itself does not."""
    gate, folder = house
    for base, front in (("/", "index.php"), ("/blog/", "wp-login.php"), ("/no%20front/", None)):
        for spelling in spellings(name):
            answer = gate.raw(f"GET {base}{spelling} HTTP/1.0\nHost: php.test\n\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"the source" not in body, (spelling, answer)
            assert b"secret" not in body, (spelling, answer)
            status = head.split()[1]
            if status == b"200":
                # "x.php/evil.php": the first script in a path, where it is one.
                assert json.loads(body)["script"] == f"{folder}/{front}", (base, spelling, answer)
            else:
                assert status in {b"301", b"400", b"404"}, (base, spelling, answer)


@pytest.mark.parametrize("path", ["/", "/index.php", "/style.css", "/admin", "/any", "/index.php~", "/docs/"])
def test_access_guards_everything(house: Gate, path: str) -> None:
    assert house[0].get(f"https://closed.test{path}").status_code == 403
    answer = house[0].ask("POST", f"https://php.test/closed{path}", body=b"x")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/wp-login.php", "/%77p-login%2ephp", "//wp-login.php?x", "/admin/", "/admin/index.php/x"]
)
def test_access_of_a_single_script(house: Gate, path: str) -> None:
    for method in ("GET", "POST"):
        assert house[0].ask(method, f"https://php.test{path}").status_code == 403


@pytest.mark.parametrize("path", ["/wp-login.php/", "/wp-login.php/x?y", "/tools/denied.php/x.css", "/shut/"])
def test_nothing_leads_past_an_exact_path(house: Gate, path: str) -> None:
    """The front controller gets it."""
    gate, folder = house
    assert told(gate.get(f"https://php.test{path}"))["script"] == f"{folder}/index.php"


@pytest.mark.parametrize(
    "path",
    [
        "/wp-login.php/",
        "/wp-login.php/x.css",
        "/a.php/b.php/",
        "/index.php/x",
        "/admin/",
        "/blog/admin/",
        "/late/x.php/y",
    ],
)
def test_nothing_leads_past_a_suffix(house: Gate, path: str) -> None:
    gate, folder = house
    for host in ("suffix.test", "denied.test"):
        found = told(gate.get(f"https://{host}{path}"))
        name = "/blog/index.php" if path.startswith("/blog/") and host == "suffix.test" else "/index.php"
        assert (found["script"], found["server"]["SCRIPT_NAME"]) == (f"{folder}/index.php", name)
        assert gate.get(f"https://{host}/wp-login.php").status_code == 403
    if not path.startswith(("/blog/", "/late/")):
        assert gate.get(f"https://suffix.test/no%20front{path}").status_code in {403, 404}


def test_scripts_that_no_suffix_guards_run_as_ever(house: Gate) -> None:
    gate, folder = house
    for host, path, script, info in (
        # An expression before the suffix.
        ("suffix.test", "/tools/denied.php/x", "tools/denied.php", "/x"),
        ("suffix.test", "/tools/", "tools/index.php", ""),
        # A suffix that treats visitors as the rest.
        ("same.test", "/wp-login.php/x", "wp-login.php", "/x"),
        ("same.test", "/admin/", "admin/index.php", ""),
        ("part.test", "/wp-login.php/x", "wp-login.php", "/x"),
        ("part.test", "/admin/", "admin/index.php", ""),
        ("part.test", "/a.login.php/x", "index.php", ""),
    ):
        found = told(gate.get(f"https://{host}{path}"))
        assert (found["script"], found["server"]["PATH_INFO"]) == (f"{folder}/{script}", info), (host, path)


def test_without_a_front_controller(house: Gate) -> None:
    for path in ("any", "index.php~", "none.php", "empty/"):
        for method in ("GET", "POST", "DELETE"):
            answer = house[0].ask(method, f"https://php.test/no%20front/{path}")
            assert (answer.status_code, "Not found" in answer.text) == (404, True), (method, path)
    answer = house[0].get("https://shut.test/any")
    assert (answer.status_code, "Not found" in answer.text) == (404, True)
    assert house[0].get("https://shut.test/style.css").text == "css"


@pytest.mark.parametrize("name", ["none", "index.php", "style.css", "docs/", "docs", "empty/", ".env", "index.php~"])
def test_who_is_kept_out_learns_of_no_file(house: Gate, name: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = house[0].ask(method, f"https://php.test/closed%20no%20front/{name}")
        assert answer.status_code == 403, (method, name)
    assert house[0].ask("POST", f"https://shut.test/{name}").status_code == 403


def test_what_php_is_sent(house: Gate) -> None:
    spoofed = {"Proxy": "http://evil.test", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    server = told(house[0].ask("GET", "http://php.test/x", headers=spoofed))["server"]
    assert "HTTP_PROXY" not in server
    # 127.0.0.1 is a trusted proxy in these tests.
    assert (server["REMOTE_ADDR"], server["HTTP_X_FORWARDED_PROTO"]) == ("6.6.6.6", "https")
    assert (server.get("HTTPS"), server["REQUEST_SCHEME"], server["SERVER_NAME"]) == ("on", "https", "php.test")
    plain = told(house[0].get("http://php.test/x"))["server"]
    assert (plain.get("HTTPS", ""), plain["REQUEST_SCHEME"]) == ("", "http")


def test_php_elsewhere(house: Gate) -> None:
    """The server sees the folder by another path, as in a container."""
    gate, folder = house
    found = told(gate.get("https://php.test/inside/any"))["server"]
    assert found["SCRIPT_FILENAME"] == f"{folder.parent}/inside/index.php"
    assert found["DOCUMENT_ROOT"] == f"{folder.parent}/inside"


def test_bodies(house: Gate) -> None:
    gate, _ = house
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    found = told(gate.ask("POST", "https://php.test/any?x=1", body=b"a=1&b=2", headers=form))
    assert (found["post"], found["get"]) == ({"a": "1", "b": "2"}, {"x": "1"})
    assert gate.ask("DELETE", "https://php.test/empty/").json()["server"]["REQUEST_METHOD"] == "DELETE"
    for size in (20_000, 1_500_000):
        assert told(gate.ask("PUT", "https://php.test/tools/", body=b"x" * size))["size"] == size
    assert gate.ask("POST", "https://php.test/", body=b"x" * (3 << 20)).status_code == 413
    assert gate.ask("POST", "https://php.test/style.css", body=b"x").status_code == 405


def test_error_pages(house: Gate) -> None:
    of_application = house[0].get("https://php.test/fails.php")
    assert (of_application.status_code, of_application.text) == (503, "of the application")
    of_gate = house[0].get("https://php.test/gone/")
    assert (of_gate.status_code, "Service not reachable" in of_gate.text) == (502, True)
    assert house[0].get("https://php.test/gone/style.css").text == "css"
