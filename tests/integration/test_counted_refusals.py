"""Which rule refused a request is counted as clients met it, through a real nginx; whoever is let in counts none."""

import collections
import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import time

import httpx
import pytest

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.core.options import (
    access_option,
    basic_auth_form,
    catalogue,
    client_certificates_form,
    country_forms,
    login_rule_form,
    trusted_proxies_option,
)
from daemun.core.options.access_option import Access
from daemun.core.options.errors_option import ErrorPages
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from daemun.core.options.maintenance_option import Maintenance
from daemun.core.options.page_file import PageFile
from daemun.core.options.rate_limit_form import Rate, RateLimit
from daemun.core.options.respond_form import DENIAL
from daemun.core.plan import change_plan, variable_definitions
from daemun.core.render import render_tree, variables
from daemun.core.traffic import traffic_usage
from daemun.sources import client_authorities, country_networks, nginx_snippet
from daemun.traffic import traffic_report
from tests.support import (
    address_databases,
    client_authority,
    clients,
    counting_server,
    daemon,
    judges,
    login_house,
    rendered,
)
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

HOME, STRANGER, BANNED = "192.168.1.7", "198.51.100.7", "203.0.113.9"
SETTINGS = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))
DAY_S = 86400
Headers = collections.abc.Mapping[str, str]
NONE: Headers = {}
HTML, TEXT = {"Accept": "text/html"}, {"Accept": "text/plain"}


def guarded(**access: object) -> model.OptionValues:
    return catalogue.values(access_option.OPTION.set(Access(**access)))  # type: ignore[arg-type]


PRIVATE = guarded(allow=("private",))
SLOW = RateLimit(rate=Rate(requests=1, period_s=60), burst=2)


class Client:
    """Counts what it got, to compare that with what daemun counted."""

    def __init__(self, gate: rendered.Running) -> None:
        self._gate = gate
        self._requests = 0
        self._refused: dict[str, collections.Counter[str]] = {}

    def get(
        self,
        url: str,
        *,
        of: str = HOME,
        by: str | None = None,
        own: pathlib.Path | None = None,
        headers: Headers = NONE,
    ) -> httpx.Response:
        """of: the address of the visitor. by: the rule that refuses. own: the certificate that is shown."""
        host = url.split("/")[2]
        with clients.client(dataclasses.replace(self._gate.clients, own=own)) as client:
            answer = client.get(url, headers={"X-Forwarded-For": of, **headers})
        self._requests += 1
        if by is not None:
            self._refused.setdefault(host, collections.Counter())[by] += 1
        return answer

    def compare(self) -> None:
        """Once nginx wrote all of it."""
        daemon.wait_for(lambda: sum(one.requests for one in self._report()) >= self._requests, "all lines")
        found = self._report()
        assert sum(one.requests for one in found) == self._requests
        assert {one.site: one.refused_by_rule for one in found if one.refused_by_rule} == self._refused

    def _report(self) -> tuple[traffic_usage.Usage, ...]:
        now_s = time.time()
        return traffic_usage.by_site(traffic_report.read(self._gate.layout, now_s - DAY_S, now_s))


@contextlib.contextmanager
def running(
    *sites: model.Site, settings: model.Globals = SETTINGS, own_blocks: int = 9
) -> collections.abc.Iterator[Client]:
    with rendered.running(*sites, settings=settings, own_blocks=own_blocks) as gate:
        client = Client(gate)
        yield client
        client.compare()


@pytest.fixture
def server() -> collections.abc.Iterator[counting_server.CountingServer]:
    with counting_server.running() as found:
        yield found


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Readable for nginx's workers; a folder without a page is in it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.txt").write_text("page")
    for part in (tmp_path, *tmp_path.parents):
        if part.owner() == tmp_path.owner():
            part.chmod(part.stat().st_mode | 0o055)
    return tmp_path


def test_who_is_refused_by_address(server: counting_server.CountingServer, folder: pathlib.Path) -> None:
    written = "location /own/ { location = /own/in { return 200 in; } }"
    home = site(
        "home.test",
        route("/", server.url),
        route("/files/", model.Files(folder=str(folder))),
        route("/moved/", model.Redirect(to="https://else.test/")),
        route("/open/", server.url, options=guarded()),
        route("/but/", server.url, options=guarded(allow=("192.168.0.0/16", "0.0.0.0/0"), deny=("192.168.1.0/24",))),
        options=PRIVATE,
        snippet=nginx_snippet.parse_snippet(written),
    )
    with running(home) as client:
        for path in ("/", "/files/page.txt", "/files/empty/", "/moved/", "/own/", "/own/in", "/else"):
            assert client.get(f"https://home.test{path}", of=STRANGER, by="allow").status_code == 403
        assert client.get("https://home.test/", of="2001:db8::1", by="allow").status_code == 403
        assert client.get("https://home.test/but/", of=HOME, by="deny").status_code == 403
        assert client.get("https://home.test/but/", of="2001:db8::1", by="allow").status_code == 403
        # Let in: also where a server, or nginx for a folder without a page, answers as a refusal does.
        for path, status in (("/", 200), ("/?status=403", 403), ("/?status=429", 429), ("/files/empty/", 403)):
            assert client.get(f"https://home.test{path}").status_code == status
        assert client.get("https://home.test/", of="fd00::7").status_code == 200
        assert client.get("https://home.test/own/in").status_code == 200
        assert client.get("https://home.test/open/?status=403", of=STRANGER).status_code == 403
        assert client.get("https://home.test/but/", of="192.168.2.1").status_code == 200
        assert client.get("https://home.test/but/", of=STRANGER).status_code == 200
        assert client.get("http://home.test/").status_code == 301


def test_rules_of_the_gate_hold_for_sites_that_share_a_server(server: counting_server.CountingServer) -> None:
    options = (*SETTINGS.options, *guarded(allow=("private",), rate_limit=SLOW))
    settings = dataclasses.replace(SETTINGS, options=options)
    every = [site(f"site{number}.test", server.url) for number in range(3)]
    with running(*every, settings=settings, own_blocks=1) as client:
        for number in range(3):
            answer = client.get(f"https://site{number}.test/", of=f"198.51.100.{number}", by="allow")
            assert answer.status_code == 403
        for number in range(2):
            assert client.get(f"https://site{number}.test/").status_code == 200
        assert client.get("https://site2.test/", by="rate_limit").status_code == 429


def test_where_an_address_is_from(server: counting_server.CountingServer, tmp_path: pathlib.Path) -> None:
    path = str(address_databases.write(tmp_path / "country.mmdb", address_databases.COUNTRIES))
    database = country_forms.CountryDatabase(path=path, found=country_networks.find_networks(path, ("KR",)))
    korea = country_forms.Countries(database=database, allow=("KR",))
    page = tmp_path / "sorry.html"
    page.write_text("sorry")
    pages = ErrorPages(pages=(("403", PageFile(path=str(page))),))
    plain = site("plain.test", route("/", server.url), options=guarded(countries=(korea,)))
    paged = site("paged.test", route("/", server.url), options=guarded(countries=(korea,)), errors=pages)
    with running(plain, paged) as client:
        for host in ("plain.test", "paged.test"):
            assert client.get(f"https://{host}/", of=STRANGER, by="countries").status_code == 403
            assert client.get(f"https://{host}/", of="203.0.113.200").status_code == 200


def test_limits(server: counting_server.CountingServer) -> None:
    often = site("often.test", server.url, options=guarded(rate_limit=SLOW))
    open_ = site("open.test", route("/", server.url, options=guarded(connections=1)))
    with running(often, open_) as client:
        for _ in range(2):
            assert client.get("https://often.test/?status=429").status_code == 429
        for _ in range(3):
            assert client.get("https://often.test/", by="rate_limit").status_code == 429
        assert client.get("https://often.test/", of=STRANGER).status_code == 200
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(client.get, "https://open.test/?wait=1")
            daemon.wait_for(lambda: server.find("/?wait=1"), "a request that is open")
            for _ in range(2):
                assert client.get("https://open.test/", by="connections").status_code == 429
            assert client.get("https://open.test/", of=STRANGER).status_code == 200
            server.go_on.set()
            assert waiting.result().status_code == 200
        assert client.get("https://open.test/?status=429").status_code == 429


def test_certificates_of_visitors(server: counting_server.CountingServer, tmp_path: pathlib.Path) -> None:
    family = client_authority.ClientAuthority(tmp_path / "family")
    stranger = client_authority.ClientAuthority(tmp_path / "other").issue("mallory")
    found = client_authorities.read(str(family.file), None, None)
    ca = client_certificates_form.ClientAuthority(path=str(family.file), found=found)
    wanted = client_certificates_form.ClientCertificates(ca=ca)
    every = site("every.test", server.url, options=guarded(client_certificates=wanted))
    either = site("either.test", server.url, options=guarded(client_certificates=wanted, allow=(HOME,), any=True))
    with running(every, either) as client:
        alice = family.issue("alice")
        assert client.get("https://every.test/", by="client_certificates").status_code == 403
        assert client.get("https://every.test/", own=stranger, by="client_certificates").status_code == 403
        assert client.get("https://every.test/", own=alice).status_code == 200
        assert client.get("https://every.test/?status=403", own=alice).status_code == 403
        assert client.get("https://either.test/", of=STRANGER, by="client_certificates").status_code == 403
        assert client.get("https://either.test/", of=HOME).status_code == 200
        assert client.get("https://either.test/", of=STRANGER, own=alice).status_code == 200


def test_a_judge_of_another_maker(server: counting_server.CountingServer) -> None:
    with judges.running(judges.authelia) as judge, judges.running(judges.oauth2_proxy) as other:
        one = ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url=judge.url)
        second = ForwardAuth(kind=ForwardAuthKind.OAUTH2_PROXY, url=other.url)
        app = site(
            "app.test",
            route("/", server.url),
            route("/own/", server.url, snippet=nginx_snippet.parse_snippet("proxy_intercept_errors on;")),
            options=guarded(forward_auth=one),
        )
        pages = site("pages.test", server.url, options=guarded(forward_auth=second, allow=("private",)))
        with running(app, pages) as client:
            signed_in = {"Cookie": judges.SESSION}
            assert client.get("https://app.test/", headers=HTML, by="forward_auth").status_code == 302
            assert client.get("https://app.test/", headers=TEXT, by="forward_auth").status_code == 401
            assert client.get("https://app.test/forbidden/", by="forward_auth").status_code == 403
            assert client.get("https://app.test/a%2fb%5cx", by="forward_auth").status_code == 403
            assert client.get("https://pages.test/", headers=HTML, by="forward_auth").status_code == 302
            assert client.get("https://pages.test/", of=STRANGER, by="allow").status_code == 403
            for path, status in (("/", 200), ("/?status=401", 401), ("/?status=403", 403), ("/bypass/", 200)):
                assert client.get(f"https://app.test{path}", headers=signed_in).status_code == status
            client.get("https://app.test/own/?status=401", headers=signed_in)
            assert client.get("https://pages.test/", headers=signed_in).status_code == 200
        unreached = site("app.test", server.url, options=guarded(forward_auth=one))
    with running(unreached) as client:
        assert client.get("https://app.test/", by="forward_auth").status_code == 503


def test_passwords_and_the_sign_in_beside_each_other(server: counting_server.CountingServer) -> None:
    users = basic_auth_form.BasicAuth(users=(("alice", login_house.hashed("pw")),))
    home = site(
        "home.test",
        route("/", server.url, options=guarded(login=login_house.EVERYBODY)),
        route("/bob/", server.url, options=guarded(login=login_rule_form.LoginRule(users=("bob",)))),
        route("/by-password/", server.url, options=guarded(basic_auth=users)),
        route("/either/", server.url, options=guarded(basic_auth=users, allow=(HOME,), any=True)),
    )
    with login_house.house(home, gate=login_house.settings()) as house:
        client = Client(house.gate)
        right, wrong = httpx.BasicAuth("alice", "pw"), httpx.BasicAuth("alice", "no")
        for path in ("/", "/bob/"):
            assert client.get(f"https://home.test{path}", headers=HTML, by="login").status_code == 302
            assert client.get(f"https://home.test{path}", headers=TEXT, by="login").status_code == 401
        assert client.get("https://home.test/by-password/", by="basic_auth").status_code == 401
        assert client.get("https://home.test/by-password/", by="basic_auth", headers=_header(wrong)).status_code == 401
        assert client.get("https://home.test/by-password/", headers=_header(right)).status_code == 200
        assert client.get("https://home.test/by-password/?status=401", headers=_header(right)).status_code == 401
        assert client.get("https://home.test/either/", of=STRANGER, by="basic_auth").status_code == 401
        assert client.get("https://home.test/either/", of=HOME).status_code == 200
        for number in range(200):
            guess = _header(httpx.BasicAuth("alice", str(number)))
            answer = client.get("https://home.test/by-password/", of=BANNED, by="basic_auth", headers=guess)
            if answer.status_code == 429:  # the judge's own limit is the same rule
                break
        else:
            pytest.fail("all guesses were looked at")
        client.compare()


def _header(auth: httpx.BasicAuth) -> dict[str, str]:
    (request,) = [*auth.auth_flow(httpx.Request("GET", "https://home.test/"))]
    return {"Authorization": request.headers["authorization"]}


def test_bans_routes_that_are_denied_and_maintenance(
    server: counting_server.CountingServer, tmp_path: pathlib.Path
) -> None:
    page = tmp_path / "soon.html"
    page.write_text("soon")
    plain = site("plain.test", server.url)
    apart = site("apart.test", route("/", server.url), route("/private/", DENIAL), options=PRIVATE)
    closed = Maintenance(allow=(HOME,), page=PageFile(path=str(page)))
    shut = site("shut.test", server.url, maintenance=closed)
    with rendered.running(plain, apart, shut, settings=SETTINGS, ban_steps=1) as gate:
        client = Client(gate)
        for name in banned_networks.find_names(banned_networks.parse(BANNED)):
            pathlib.Path(gate.layout.bans, name).touch(0o640)
        for host in ("plain.test", "apart.test", "shut.test"):
            assert client.get(f"https://{host}/", of=BANNED, by="bans").status_code == 403
            assert client.get(f"https://{host}/", of=HOME).status_code == 200
        assert client.get("https://plain.test/?status=403").status_code == 403
        assert client.get("https://apart.test/private/", by="deny_route").status_code == 403
        assert client.get("https://shut.test/", of=STRANGER, by="maintenance").status_code == 503
        assert client.get("https://shut.test/?status=503", of=HOME).status_code == 503
        client.compare()


def test_a_site_that_is_kept_from_when_it_had_rules_is_served_where_no_other_has_any() -> None:
    """Its lines need what only they use: nginx refuses a tree without."""
    kept = site("kept.test", route("/", "http://127.0.0.1:1"), route("/in/", DENIAL, options=PRIVATE))
    gate = dataclasses.replace(SETTINGS, options=(*SETTINGS.options, *guarded(allow=(HOME,))))
    with rendered.prepared() as layout:
        env = rendered.environment_of(layout)
        before = render_tree.render_files(model.Desired(globals=gate, sites=(kept,)), env)
        now = model.Desired(globals=SETTINGS, sites=(site("kept.test", "http://127.0.0.1:1"),))
        files = render_tree.render_files(now, env)
        assert not any(b"daemun_guarded_traffic" in content for content in files.values())
        path = change_plan.site_file("kept.test")
        files = variable_definitions.complete({**files, path: before[path]}, variables.define(now, env))
        assert rendered.find_refusal(files, layout) is None


def test_nginx_warns_of_no_address_that_is_written_twice() -> None:
    access = guarded(
        deny=("10.0.0.1", "10.0.0.1/32", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/0"), allow=("::1", "::1/128")
    )
    for settings, options in ((SETTINGS, access), (dataclasses.replace(SETTINGS, options=access), ())):
        with rendered.prepared() as layout:
            env = rendered.environment_of(layout)
            desired = model.Desired(globals=settings, sites=(site("a.test", "http://127.0.0.1:1", options=options),))
            files = render_tree.render_files(desired, env)
            files = variable_definitions.complete(files, variables.define(desired, env))
            assert rendered.find_refusal(files, layout) is None
