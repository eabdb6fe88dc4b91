"""Who may use the dashboard, through the life of a daemon: from a damaged file to links, sessions and tokens."""

import json
import pathlib
import typing

import httpx
import pytest

from tests.support import clients, passwords
from tests.support import daemon as daemon_support
from tests.support.login_browser import Browser

pytestmark = pytest.mark.nginx

Run = daemon_support.Daemon


def show(daemon: Run, *words: str) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = json.loads(daemon.cli_good(*words, "--json"))
    return found


def problems(daemon: Run) -> str:
    return json.dumps(daemon.look()["problems"])


FROM_ELSEWHERE = {"name": "z", "role": "own", "networks": ["192.0.2.0/24"]}


class Api:
    def __init__(self, daemon: Run) -> None:
        self._gate = daemon.gate

    def send(
        self, method: str, path: str, body: typing.Any = None, *, credential: str = "", agent: str = "x", **headers: str
    ) -> httpx.Response:
        sent = {"User-Agent": agent, **headers}
        if credential:
            sent["Authorization"] = f"Bearer {credential}"
        with clients.client(self._gate) as client:
            return client.request(method, f"https://daemun.localhost/api/v1{path}", json=body, headers=sent)


def test_from_a_damaged_file_to_the_last_token(daemon: Run) -> None:
    folder = pathlib.Path(daemon.state, "store", "dashboard")
    folder.mkdir(parents=True, mode=0o700)
    for name in ("tokens.json", "sessions.json", "link.json"):
        (folder / name).write_text("{")
    daemon.write("sites: {a.test: {routes: {/: {redirect: https://b.test/}}}}")
    daemon.up("https://a.test/")
    daemon.wait(lambda: "tokens.json" in problems(daemon) and "sessions.json" in problems(daemon), "both are reported")
    refused = daemon.cli("dashboard", "tokens", "add", "deploy", "--role", "look")
    assert refused.returncode == 1 and "tokens.json is damaged" in refused.stderr
    (folder / "tokens.json").unlink()
    made = show(daemon, "dashboard", "tokens", "add", "deploy", "--role", "change", "--from", "192.0.2.0/24")
    first, second = show(daemon, "dashboard")["url"], show(daemon, "dashboard")["url"]
    assert first.startswith("https://daemun.localhost") and "/enter#" in first and first != second
    assert show(daemon, "dashboard", "sessions") == {"sessions": []}
    daemon.wait(lambda: "tokens.json" not in problems(daemon), "the report of the tokens is over")
    # It is kept while the daemon is away, and no secret is.
    daemon.kill()
    daemon.start()
    daemon.wait_ready()
    (listed,) = show(daemon, "dashboard", "tokens")["tokens"]
    assert (listed["name"], listed["role"], listed["networks"]) == ("deploy", "change", ["192.0.2.0/24"])
    daemon.cli_good("dashboard", "tokens", "rm", "deploy")
    noted = [(one["summary"], one["target"], one["how"]) for one in show(daemon, "audit")["entries"]]
    assert noted == [
        ("Withdraw a token of the API", "deploy", "command"),
        ("Make a link to the dashboard", "", "command"),
        ("Make a link to the dashboard", "", "command"),
        ("Make a token of the API", "deploy", "command"),
    ]
    # By the API as programs and browsers reach it: the link outlived the daemon that made it.
    api = Api(daemon)
    secret = second.partition("#")[2]
    assert api.send("GET", f"/sign-in?link={secret}").status_code == 200, "a look uses nothing up"
    assert api.send("POST", "/sign-in", {"link": first}).status_code == 401
    begun = api.send("POST", "/sign-in", {"link": second}, agent="Firefox")
    session = begun.json()["session"]
    assert begun.status_code == 200 and api.send("POST", "/sign-in", {"link": secret}).status_code == 401
    me = api.send("GET", "/me", credential=session).json()
    assert (me["role"], me["how"]) == ("own", "link")
    (row,) = show(daemon, "dashboard", "sessions")["sessions"]
    assert (row["agent"], row["address"]) == ("Firefox", "127.0.0.1")
    token = api.send("POST", "/operators/tokens", {"name": "x", "role": "look"}, credential=session).json()["token"]
    assert api.send("GET", "/audit", credential=token).json()["total"] >= 6
    assert api.send("POST", "/operators/tokens", {"name": "y", "role": "look"}, credential=token).status_code == 403
    assert api.send("GET", "/people", credential=session).json()["rows"] == []
    assert api.send("GET", "/audit").status_code == 401
    # Nobody names an address, or a session of the sign-in, in a header of the own.
    elsewhere = api.send("POST", "/operators/tokens", FROM_ELSEWHERE, credential=session).json()["token"]
    spoofed = {"X-Real-IP": "192.0.2.7", "X-Forwarded-For": "192.0.2.7", "X-Daemun-Login": "x" * 43}
    assert api.send("GET", "/audit", credential=elsewhere, **spoofed).status_code == 401
    assert api.send("POST", "/sign-out", credential=session).json()["ended"] == 1
    assert api.send("GET", "/me", credential=session).status_code == 401
    kept = [path for path in pathlib.Path(daemon.state).rglob("*") if path.is_file()]
    everything = daemon.log_text() + "".join(path.read_text(errors="replace") for path in kept)
    secrets = [made["token"], first.partition("#")[2], session, token, elsewhere]
    assert not any(one in everything for one in secrets)
    written = (folder / "tokens.json", folder / "sessions.json", pathlib.Path(daemon.state, "logs/audit.log"))
    assert {path.stat().st_mode & 0o77 for path in written} == {0}


def test_a_user_of_the_sign_in_has_a_role_until_the_owner_ends_it(daemon: Run) -> None:
    daemon.write("""
        login: {host: auth.test}
        dashboard: {host: gate.test, look: ["@family"], own: [ann]}
        sites: {a.test: {access: {login: true}, routes: {/: {redirect: https://b.test/}}}}
    """)
    for name, *more in (("ann",), ("bob", "--group", "family"), ("eve",)):
        passwords.run_with(daemon, "pw", "users", "add", name, *more).check_returncode()
    daemon.up("https://auth.test/")
    assert show(daemon, "dashboard")["url"].startswith("https://gate.test")
    browsers = {name: Browser(daemon.gate) for name in ("ann", "bob", "eve")}
    for name, browser in browsers.items():
        found = browser.sign_in("https://gate.test/sign-in/account", name, "pw")
        assert found.status_code == (403 if name == "eve" else 200), (name, browser.seen)
        assert 'action="/sign-out"' in found.text, "who has no role leaves, too"
    people = {name: browser.send("https://gate.test/settings/people") for name, browser in browsers.items()}
    assert [one.status_code for one in people.values()] == [200, 403, 303]
    assert "bob" in people["ann"].text
    assert browsers["bob"].send("https://gate.test/settings/audit").status_code == 200
    # Who leaves the dashboard leaves the sign-in on every site, at once.
    taken = Browser(daemon.gate)
    taken.jar["gate.test"], taken.jar["auth.test"] = dict(browsers["eve"].jar["gate.test"]), {}
    left = taken.send("https://gate.test/sign-out", "POST", data={})
    assert (left.status_code, left.headers["location"].partition("?")[0]) == (303, "/enter")
    assert [one["user"] for one in show(daemon, "sessions")["sessions"] if one["user"] == "eve"] == []
    assert show(daemon, "audit")["entries"][0]["who"] != "eve", "what no operator does is not noted"
    # The cookie of a site is none of the dashboard's, nor the dashboard's one of a site.
    stolen = Browser(daemon.gate)
    stolen.jar["a.test"] = stolen.jar["gate.test"] = browsers["eve"].jar["auth.test"]
    assert stolen.send("https://gate.test/settings/audit").status_code == 303
    stolen.jar["gate.test"] = {}
    stolen.jar["a.test"] = browsers["ann"].jar["gate.test"]
    assert stolen.send("https://a.test/").headers["location"].startswith("/.daemun/login/start")
    # A form of another page changes nothing, whoever is signed in.
    form = {"name": "bob"}
    foreign = browsers["ann"].send(
        "https://gate.test/settings/people/remove", "POST", data=form, Origin="https://evil.test"
    )
    assert foreign.status_code == 403
    switched = browsers["ann"].send(
        "https://gate.test/settings/people/edit/switch", "POST", data={"name": "bob", "what": "disable"}
    )
    assert switched.status_code == 303
    daemon.wait(
        lambda: browsers["bob"].send("https://gate.test/settings/audit").status_code == 303, "the user is kept out"
    )
    (noted,) = [one for one in show(daemon, "audit")["entries"] if one["target"] == "bob"]
    assert (noted["who"], noted["how"], noted["role"]) == ("ann", "login", "own")
    assert (noted["before"], noted["after"]) == ("state: active", "state: disabled")
    ended = show(daemon, "sessions", "end", "--user", "ann")["ended"]
    daemon.wait(lambda: browsers["ann"].send("https://gate.test/settings/people").status_code == 303, "it is over")
    assert ended == 1
