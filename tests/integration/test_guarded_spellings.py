"""Spellings of a guarded path, in one table for each kind of guard, over HTTP/1.1 and HTTP/2.

What a server receives of somebody who may not come in is read as the most lenient server would: it is never the guarded
path. One nginx for all; where daemun's own judge decides, it is not there, so that nobody comes in.
"""

import collections
import collections.abc
import itertools
import json
import re
import urllib.parse

import pytest
from passlib import hash as passlib_hash

from daemun.core import model
from daemun.core.options import (
    access_option,
    basic_auth_form,
    catalogue,
    client_certificates_form,
    forward_auth_forms,
    login_option,
    login_rule_form,
)
from daemun.core.options.access_option import Access
from daemun.sources import client_authorities
from tests.support import client_authority, clients, echo, judges, ports, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

BEFORE = (
    "/",
    "//",
    "/./",
    "/%2e/",
    "/x/../",
    "/x/%2e%2e/",
    "/x/.%2E/",
    "/x//../",
    "/x%2f../",
    "/%2f",
    "/a/b/../../",
    "/..;/",
)
NAMES = ("admin", "%61dmi%6e")
AFTER = ("/", "/x", "//x", "/./x", "%2f", "/%2e%2e/admin/", "/;x", "/?y=1", "/../admin/x", "/.;/x")
ODD = (
    "/admin#",
    "/admin/#x",
    "/x/..\\admin/",
    "/x\\..\\admin/",
    "\\admin\\",
    "/x/..%5cadmin/",
    *("/x%5c..%5cadmin/", "/x%5C%2e./admin/x", "/%5c..%5c/admin", "/x%5c..;/admin/"),
    *("/x%2f..;/admin/", "/x%2F.%2e%3b%2fadmin"),
    *(
        "/x/;a/../admin/",
        "/x/%3b/../admin",
        "/x/;a/b/../%2e%2e/admin/",
        "/x%2f;/..%2fadmin/",
        "/;/x/../../x/;/../admin",
    ),
    *("/admin%09/", "/admin%0a", "/admin%1f.%20/x", "/admin%a0", "/admin%85/", "/x/../admin%A0"),
    *("/admin%c2%a0/", "/admin%C2%85.", "/admin%e3%80%80;x/y", "/admin%e2%80%89%20/", "/admin%ef%bb%bf"),
    *("/admin::$INDEX_ALLOCATION/x", "/Admin%3A$i30%3A%24Index_Allocation/", "/admin.::$DATA"),
    "/admin/%00",
    "*",
    *("/admin;x", "/admin;x/y", "/;/admin", "/;x=1;y/admin/", "/%3b/admin/x", "/admin%3bx/", "/Admin", "/ADMIN/x"),
    *("/%41dmin/", "/x/../aDMIN//x", "/admin./", "/admin%20/x", "/;x%5cadmin/", "/%5cadmin%5cx", "/%5c;%5cAdmin.;/"),
)
DROPPED = "." + "".join(chr(number) for number in (*range(33), 0x85, 0xA0))
SPACES = ("\N{NO-BREAK SPACE}", "\x85", "\N{IDEOGRAPHIC SPACE}", "\N{THIN SPACE}", "\N{ZERO WIDTH NO-BREAK SPACE}")
IN_UTF8 = re.compile(f"(?:{'|'.join(one.encode().decode('latin-1') for one in SPACES)})")
SPELLINGS = (*("".join(parts) for parts in itertools.product(BEFORE, NAMES, AFTER)), *ODD)
KINDS = {
    "plain": {},
    "WebSocket": {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    "event stream": {"Accept": "text/event-stream"},
}  # fmt: skip
# "app": forward_auth, whose stand-in knows a site of that name.
GUARDS = ("allow", "deny", "certificate", "app", "password", "login", "either")


def read_leniently(path: str) -> str:
    """As a server could that decodes first, drops parameters of parts, and dots and spaces behind them, takes a
    backslash for a slash, and does not distinguish capitals."""
    text = urllib.parse.unquote(path.partition("?")[0].partition("#")[0], "latin-1").replace("\\", "/")
    parts: list[str] = []
    for part in re.sub(r";[^/]*|:[^/$]*\$[^/]*", "", IN_UTF8.sub(" ", text)).split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part.rstrip(DROPPED) or part)
    return "/" + "/".join(parts).lower()


def guards(family: client_authority.ClientAuthority, judge: judges.Judge) -> dict[str, Access]:
    found = client_authorities.read(str(family.file), str(family.revoked), None)
    ca = client_certificates_form.ClientAuthority(path=str(family.file), found=found)
    certificate = client_certificates_form.ClientCertificates(ca=ca, revoked=str(family.revoked))
    form = forward_auth_forms.ForwardAuth(kind=forward_auth_forms.ForwardAuthKind.AUTHELIA, url=judge.url)
    return {
        "allow": Access(allow=("192.0.2.1",)),
        "deny": Access(deny=("127.0.0.1",)),
        "certificate": Access(client_certificates=certificate),
        "app": Access(forward_auth=form),
        "password": Access(
            basic_auth=basic_auth_form.BasicAuth(users=(("alice", passlib_hash.apr_md5_crypt.hash("pw")),))
        ),
        "login": Access(login=login_rule_form.LoginRule()),
        "either": Access(client_certificates=certificate, allow=("192.0.2.1",), any=True),
    }


@pytest.fixture(scope="module")
def gate(one: echo.EchoServer, tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    family = client_authority.ClientAuthority(tmp_path_factory.mktemp("family"), "family")
    there = f"http://127.0.0.1:{one.port}"
    away = f"http://127.0.0.1:{ports.free_port()}"
    with judges.running(judges.authelia) as judge:
        every = guards(family, judge)
        sites = [
            site(
                f"{name}.test",
                route("/", there),
                route("/admin/", there, options=catalogue.values(access_option.OPTION.set(access))),
                route("/away/", away, options=catalogue.values(access_option.OPTION.set(access))),
            )
            for name, access in every.items()
        ]
        settings = model.Globals(
            options=catalogue.values(login_option.OPTION.set(login_option.Login(host="auth.test")))
        )
        with rendered.running(*sites, settings=settings) as running:
            yield running


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("guard", GUARDS)
def test_no_spelling_reaches_a_guarded_path(gate: rendered.Running, guard: str, http2: bool) -> None:
    seen: collections.Counter[int] = collections.Counter()
    kinds = itertools.cycle(KINDS if not http2 else ("plain", "event stream"))
    with clients.client(gate.clients, http2=http2) as client:
        for spelling, kind in zip(SPELLINGS, kinds, strict=False):
            answer = client.get(f"https://{guard}.test/", headers=KINDS[kind], extensions={"target": spelling.encode()})
            seen[answer.status_code] += 1
            if answer.status_code == 200:
                received = json.loads(answer.text)["path"]
                assert not read_leniently(received).startswith("/admin"), (spelling, received)
        assert client.get(f"https://{guard}.test/x").status_code == 200
        # Whose server is away waits for nobody who may not come in, and has no page of its own for them.
        refused = client.get(f"https://{guard}.test/away/").status_code
        assert refused in ({302, 401, 503} if guard in {"app", "password", "login"} else {403})
    assert sum(seen[status] for status in (302, 400, 401, 403, 503)) > len(SPELLINGS) // 2, seen


def test_the_table_is_read_as_servers_could() -> None:
    assert len(set(SPELLINGS)) > 200
    plain = ("/admin", "//x/..//admin/", "/x/%2e%2e/admin", "/x/..;a/admin", "\\admin", "/x/..%5cadmin", "/Admin;x")
    for spelling in plain:
        assert read_leniently(spelling) == "/admin"


QUOTES = "'\"" * 60
"""In a file of nginx each is longer than in a path."""
CLOSED = ("/admin/", "= /metrics", "/Api", "/api", "/other/", "/a b/\N{HANGUL SYLLABLE GA}/", "/büro/")
"""What a site of `closed` refuses to everybody by a fixed status; /api and /Api are two paths that are meant."""


LONG = (f"/{'p/' * 120}", f"/{'x' * 240}/", f"= /{'y' * 240}.txt")
"""Guarded paths with more spellings than fit into one argument of nginx."""
CROWDED = f"/AdminS/{'x' * 60}/"
"""One beside sixty routes whose paths are other spellings of it."""


@pytest.fixture(scope="module")
def closed(one: echo.EchoServer) -> collections.abc.Iterator[rendered.Running]:
    there, elsewhere = f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{ports.free_port()}"
    allow = catalogue.values(access_option.OPTION.set(Access(allow=("192.0.2.1",))))
    public = catalogue.values(access_option.OPTION.set(Access()))
    refused = model.Respond(status=404)
    sites = (
        site("closed.test", route("/", there), *(model.Route(path=path, action=refused) for path in CLOSED)),
        site("beside.test", route("/", there), route("/wiki/", elsewhere, options=allow)),
        site("within.test", route("/", there, options=allow), route("/share/", there, options=public)),
    )
    dav = site(
        "dav.test",
        route("/", there),
        route("/private/", there, options=allow),
        route("= /private.txt", there, options=allow),
        route("/a b/", model.Respond(status=404)),
    )
    let_in = catalogue.values(access_option.OPTION.set(Access(allow=("127.0.0.1",))))
    for_all = catalogue.values(access_option.OPTION.set(Access(allow=("public",), connections=20)))
    hook = site("hook.test", route("/", there, options=let_in), route("/hook/", there, options=for_all))
    short = site("short.test", route("/", there), route("/admin", there, options=allow))
    suffix = site(
        "suffix.test",
        route("/", there),
        model.Route(path="*.{sql,bak}", action=refused),
        route("*.key", there, options=allow),
    )
    quoted = (model.Route(path=f"/{number}{QUOTES}/", action=refused) for number in range(9))
    long = site("long.test", route("/", there), *(route(path, there, options=allow) for path in LONG))
    names = map("".join, itertools.product(*zip("admins", "ADMINS", strict=True)))
    spelled = {f"/{name}/{'x' * 60}/" for name in names}
    many = (route(path, there) for path in sorted(spelled - {CROWDED}))
    crowded = site("crowded.test", route("/", there), *many, route(CROWDED, there, options=allow))
    further = (suffix, dav, hook, short, long, crowded, site("quoted.test", route("/", there), *quoted))
    with rendered.running(*sites, *further) as running:
        yield running


def statuses(gate: rendered.Running, host: str, *paths: str, http2: bool = False) -> dict[str, int]:
    with clients.client(gate.clients, http2=http2) as client:
        return {
            path: client.get(f"https://{host}/", extensions={"target": path.encode()}).status_code for path in paths
        }


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_no_spelling_reaches_a_path_that_is_denied(closed: rendered.Running, http2: bool) -> None:
    with clients.client(closed.clients, http2=http2) as client:
        for spelling in SPELLINGS:
            answer = client.get("https://closed.test/", extensions={"target": spelling.encode()})
            if answer.status_code == 200:
                assert not read_leniently(json.loads(answer.text)["path"]).startswith("/admin"), spelling
    odd = (
        "/metrics/",
        "/Metrics",
        "/metrics;x",
        "/API/x",
        "/aPI;x",
        "/a%20B/%EA%B0%80",
        "/a%20b;x/%EA%B0%80;y/z",
        "/B%C3%9Cro/",
    )
    assert set(statuses(closed, "closed.test", *odd, http2=http2).values()) == {400}
    assert set(statuses(closed, "closed.test", "/metrics", "/api/x", "/Api/x", "/a%20b/%EA%B0%80/").values()) == {404}


def test_what_no_server_reads_as_a_closed_path_is_passed_on(closed: rendered.Running) -> None:
    open_paths = (
        "/metrics/x",
        "/administrator/",
        "/Administrator/",
        "/x/admin/",
        "/x;/admin/",
        "/;x",
        "/b;c/d;e",
        "/metrics:x",
        "/admin%E2%80%94/",
    )
    assert set(statuses(closed, "closed.test", *open_paths, "/?q=C:\\x;y").values()) == {200}
    # Of another server, and of a site that is closed around what is open, no spelling leads past anything.
    assert statuses(closed, "beside.test", "/Wiki/", "/wiki;x/") == {"/Wiki/": 200, "/wiki;x/": 200}
    assert statuses(closed, "within.test", "/share/x;y", "/Share/x", "/share;x/y", "/share/?q=a\\..\\b") == {
        "/share/x;y": 200,
        "/Share/x": 403,
        "/share;x/y": 403,
        "/share/?q=a\\..\\b": 200,
    }


def test_a_prefix_without_a_slash_is_guarded_with_all_its_names(closed: rendered.Running) -> None:
    assert statuses(closed, "short.test", "/administrator/x", "/Administrator/x", "/ADMIN;x", "/admi", "/x/Admin") == {
        "/administrator/x": 403,
        "/Administrator/x": 400,
        "/ADMIN;x": 400,
        "/admi": 200,
        "/x/Admin": 200,
    }
    with clients.client(closed.clients) as client:
        for place, status in {"/administrator": 400, "/Admin.php": 400, "/adm": 200}.items():
            answer = client.request("COPY", "https://short.test/x", headers={"Destination": place})
            assert answer.status_code == status, place


def test_a_path_that_is_open_to_everybody_with_a_limit_is_not_closed(closed: rendered.Running) -> None:
    assert set(statuses(closed, "hook.test", "/hook/x", "/Hook/x", "/hook;x/y", "/x").values()) == {200}
    with clients.client(closed.clients) as client:
        for place in ("/hook/x", "https://hook.test/x"):
            answer = client.request("MOVE", "https://hook.test/y", headers={"Destination": place})
            assert answer.status_code == 200, place


def test_paths_with_many_quotation_marks_are_refused_as_others_are(closed: rendered.Running) -> None:
    assert set(statuses(closed, "quoted.test", f"/1{QUOTES}/x", f"/8{QUOTES}/").values()) == {404}
    assert set(statuses(closed, "quoted.test", f"/1{QUOTES};x/", f"/8{QUOTES}./").values()) == {400}


def test_a_path_that_is_too_long_for_an_expression_is_no_more_open_for_that(closed: rendered.Running) -> None:
    """Only its beginning is compared then, so that more is refused."""
    as_written = [one.removeprefix("= ") for one in LONG]
    odd = [one[:-6].upper() + one[-6:] for one in as_written] + [f"{one[:2]};z/{one[3:]}" for one in as_written[:1]]
    assert set(statuses(closed, "long.test", *as_written).values()) == {403}
    assert 200 not in statuses(closed, "long.test", as_written[0].upper(), as_written[1].upper(), *odd[:3]).values()
    assert statuses(closed, "long.test", "/", "/other/x") == {"/": 200, "/other/x": 200}
    assert statuses(closed, "crowded.test", CROWDED, f"/ADMINS;x/{'x' * 60}/") == {
        CROWDED: 403,
        f"/ADMINS;x/{'x' * 60}/": 400,
    }
    with clients.client(closed.clients) as client:
        for place in (*as_written, *odd[:3]):
            answer = client.request("COPY", "https://long.test/x", headers={"Destination": place})
            assert answer.status_code == 400, place
        assert client.request("COPY", "https://long.test/x", headers={"Destination": "/other/x"}).status_code == 200


def test_a_suffix_is_guarded_in_other_spellings(closed: rendered.Running) -> None:
    odd = (
        "/a.sql;x",
        "/a.SQL.",
        "/x/a.bak%20;y",
        "/a.sql/",
        "/a/b;c/d.key;e",
        "/a.key::$DATA",
        "/a.Key%c2%a0",
        "/a.key%5c",
    )
    assert set(statuses(closed, "suffix.test", *odd).values()) == {400}
    meant = {"/a.sql": 404, "/x;y/a.BAK": 404, "/a.key": 403, "/a;b.key": 403}
    assert statuses(closed, "suffix.test", *meant) == meant
    passed = ("/a.sql/x", "/a.sqlite", "/sql", "/a.sql;x/y", "/a.txt;x", "/a.keys/", "/?q=a.sql;x", "/x.sql.txt", "/")
    assert set(statuses(closed, "suffix.test", *passed).values()) == {200}
    places = (
        "/a.sql",
        "https://suffix.test/x/a%2eKEY",
        "/a.b%61k;x",
        "/a.key/",
        "/a.sql.?x",
        "/x;a.sql",
        "/a.key::$DATA",
    )
    open_places = ("/a.txt", "https://suffix.test/a.sql/x", "/a.sqlite", "/a.keys", "/x;y/a.txt", "/x?y=.sql")
    with clients.client(closed.clients) as client:
        for place, status in {**dict.fromkeys(places, 400), **dict.fromkeys(open_places, 200)}.items():
            answer = client.request("COPY", "https://suffix.test/x", headers={"Destination": place})
            assert answer.status_code == status, place
        for odd_path in (f"/{'.sql.sql;' * 800}x/y", f"/{'.sql:.key' * 700}/y", f"/{'.key;' * 1400}/y"):
            answer = client.get("https://suffix.test/", extensions={"target": odd_path.encode()})
            assert answer.status_code == 200, odd_path
            answer = client.request("COPY", "https://suffix.test/x", headers={"Destination": odd_path})
            assert answer.status_code == 200, odd_path


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_no_destination_of_webdav_is_in_a_closed_path(closed: rendered.Running, method: str) -> None:
    refused = (
        *("/private/x", "https://dav.test/private/x", "https://dav.test/private", "http://dav.test:8080/Private/x"),
        *(
            "https://dav.test/%70rivate/x",
            "https://dav.test/open/../private/x",
            "https://dav.test/open/%2e%2e/private/x",
        ),
        *(
            "https://dav.test//private/x",
            "https://dav.test/./private/x",
            "https://dav.test/private;x/y",
            "/;x/private/",
        ),
        *("https://dav.test/open%2f..%2fprivate/x", "https://dav.test/open/..", "https://dav.test\\private\\x"),
        *("/private.txt", "/private.txt?x", "/a%20b/x", "private/x", "https://dav.test/private./x", "/private%20/x"),
        *("/%70%72%69%76%61%74%65/x", "/%50rivate%2e/x", "/private%2Etxt", "/%61%20b/%78"),
        *(
            "https://dav.test\\private/x",
            "https://dav.test\\@x/open/y",
            "/pri\tvate/x",
            "/open/\t../private/x",
            "/private /x",
        ),
        *(
            "/private%09/x",
            "/private%A0/x",
            "/private%c2%a0;y/x",
            "/private%85.",
            "/private::$INDEX_ALLOCATION/x",
            "/Private%3a$I30%3a%24x/y",
            "/private%e3%80%80/x",
            "/open/y /private/x",
        ),
    )
    passed = (
        *(
            "/open/y",
            "https://dav.test/open/a%20b/%EA%B0%80",
            "https://dav.test/privately",
            "/open/private/x",
            "/a/b..c",
        ),
        *(
            "https://dav.test:8443/x(1)/y",
            "/open/a;b",
            "/open/a%3Bb",
            "/private.txt.old",
            "/open/.hidden",
            "/open/a%2Db%2etxt",
            "/o%70en/x",
            "/voil%C3%A0/%E2%80%9Cx%E2%80%9D/a%C2%A0b",
            "/private%EC%82%A0/x",
            "/private:x",
            "",
        ),
    )
    with clients.client(closed.clients) as client:
        for place in refused:
            answer = client.request(method, "https://dav.test/open/x", headers={"Destination": place})
            assert answer.status_code == 400, place
        for place in passed:
            answer = client.request(method, "https://dav.test/open/x", headers={"Destination": place})
            assert answer.status_code == 200, place
        assert client.get("https://dav.test/open/x").status_code == 200
        for pair in (("/open/y", "/private/x"), ("/private/x", "/open/y")):
            several = [("Destination", place) for place in pair]
            assert client.request(method, "https://dav.test/open/x", headers=several).status_code == 400, pair


def test_from_an_open_path_of_a_closed_site_webdav_writes_there_alone(closed: rendered.Running) -> None:
    with clients.client(closed.clients) as client:

        def copy(place: str) -> int:
            return client.request("COPY", "https://within.test/share/x", headers={"Destination": place}).status_code

        assert [copy(place) for place in ("/share/y", "https://within.test/share/a/b", "/share")] == [200, 200, 400]
        assert [copy(place) for place in ("/", "/x", "https://within.test/share/../x", "/Share/x")] == [400] * 4
