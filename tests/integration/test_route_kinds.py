"""A route of any kind of path takes any action with any option, and `access` guards it."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.render import render_tree
from daemun.sources import yaml_file
from tests.support import clients, features, rendered

pytestmark = pytest.mark.nginx

PATHS = {
    "/p/": "/p/x",
    "= /e": "/e",
    "*.{a,tar.gz}": "/x.A",
    "~ ^/x/(?<n>[0-9]+)$": "/x/1",
    "~* ^/y/": "/Y/",
}
"""With a request for each."""
ACTIONS = (
    "to: http://127.0.0.1:9",
    "to: http://web:80, hold: 10s, health: /h",
    "to: https://web:443",
    "to: grpc://127.0.0.1:9",
    "to: fastcgi://127.0.0.1:9",
    "to: uwsgi://127.0.0.1:9",
    "to: memcached://127.0.0.1:9",
    "files: /srv",
    'redirect: "https://b.test$request_uri"',
    "redirect: https://b.test/, keep: query",
    "respond: {body: x}",
    "respond: {file: /etc/hostname, status: 503}",
    "respond: 204",
    "deny: true",
)
OPTIONS = (
    "access: {allow: [private]}",
    "access: {rate_limit: 10/s, connections: 5}",
    "access: {basic_auth: {users: {a: '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='}}}",
    'access: {forward_auth: {kind: oauth2-proxy, url: "http://127.0.0.1:4180"}}',
    "cors: true",
    "cache_control: 30d",
    "response_headers: {X-A: b}, security_headers: true, robots: none, compress: true, max_body: 1m",
)


def _sites(
    *, options: tuple[str, ...], of_site: str = "", actions: tuple[str, ...] = ACTIONS
) -> tuple[model.Site, ...]:
    lines = ["sites:"]
    for number, (action, further) in enumerate((action, further) for action in actions for further in options):
        lines += [f"  s{number}.test:", f"    {of_site or 'http: serve'}", "    routes:"]
        lines += [f"      '{path}': {{{action}{', ' if further else ''}{further}}}" for path in PATHS]
    return _read(lines)


def _lists(further: str = "", of_site: str = "http: serve") -> tuple[model.Site, ...]:
    """A site for each kind of path, with every action in one list: the request says which."""
    lines = ["sites:"]
    for number, path in enumerate(PATHS):
        lines += [f"  list{number}.test:", f"    {of_site}", "    routes:", f"      '{path}':"]
        for place, action in enumerate(ACTIONS):
            when = f"when: {{header: {{X-Action: a{place}}}}}"
            lines.append(f"        - {{{when}, {action}{', ' if further else ''}{further}}}")
    return _read(lines)


def _read(lines: list[str]) -> tuple[model.Site, ...]:
    snapshot = yaml_file.parse("\n".join(lines) + "\n", file_name="daemun.yaml", base_dir="/srv")
    errors = [one.message for one in snapshot.problems if one.severity is model.Severity.ERROR]
    assert not errors
    return snapshot.sites


@pytest.mark.parametrize("further", OPTIONS)
def test_nginx_takes_every_action_with_every_option_at_every_kind_of_path(further: str) -> None:
    with rendered.prepared() as layout:
        # Judges bring many variables, of which nginx warns.
        is_judged = "forward_auth" in further
        sites = _sites(options=(further,), actions=ACTIONS[::3] if is_judged else ACTIONS)
        sites = (*sites, *_lists(further)[: 1 if is_judged else 3])
        files = render_tree.render_files(
            model.Desired(globals=features.SETTINGS, sites=sites), rendered.environment_of(layout)
        )
        assert rendered.find_refusal(files, layout) is None


def test_a_guarded_site_gives_nobody_anything_at_any_kind_of_path() -> None:
    """Redirects and fixed answers among them, which nginx would give before it looks at who may come in."""
    sites = tuple(
        dataclasses.replace(site, http=model.HttpMode.SERVE)
        for site in _sites(options=("",), of_site="access: {allow: [192.0.2.1]}")
    )
    with rendered.running(*sites) as gate:
        for site in sites:
            for path in PATHS.values():
                for method in ("GET", "POST"):
                    answer = gate.ask(method, f"http://{site.host}{path}")
                    assert answer.status_code == 403, (site.host, path, method)
                    assert "Location" not in answer.headers


def test_a_guarded_list_gives_nobody_anything() -> None:
    """Each action where it stands in a list, guarded by the site and by itself."""
    guard = "access: {allow: [192.0.2.1]}"
    by_site = _lists(of_site=guard)
    by_itself = tuple(dataclasses.replace(one, host=f"own-{one.host}") for one in _lists(guard)[:2])
    sites = tuple(dataclasses.replace(site, http=model.HttpMode.SERVE) for site in (*by_site, *by_itself))
    with rendered.running(*sites) as gate, clients.client(gate.clients) as client:
        for site, path in zip(sites, (*PATHS.values(), *PATHS.values()), strict=False):
            for place in range(len(ACTIONS)):
                for method in ("GET", "POST"):
                    answer = client.request(method, f"http://{site.host}{path}", headers={"X-Action": f"a{place}"})
                    assert answer.status_code == 403, (site.host, path, method, place)
                    assert "Location" not in answer.headers
