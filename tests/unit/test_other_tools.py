"""K2: what people write in other tools leads to the right key, or to "on by itself", and no near key misleads."""

import pathlib
import re

import pytest

from daemun.core.options import catalogue, forms
from daemun.core.texts import other_tools, words
from daemun.sources import (
    yaml_entry,
    yaml_file,
    yaml_route,
    yaml_site,
    yaml_top,
)
from tests.unit.test_yaml_documented import every_map

ENTRIES: tuple[type[yaml_entry.YamlEntry], ...] = (
    yaml_top.FILE,
    yaml_site.SITE,
    yaml_route.ROUTE,
    yaml_route.TargetEntry,
)
ROOT = pathlib.Path(__file__).parents[2]
MAPS = [found for one in catalogue.EVERY for found in every_map(one.form)]
KNOWN = {key for entry in ENTRIES for key in entry.model_fields} | {key for kind in MAPS for key in forms.keys(kind)}


def said_of(key: str, where: str) -> str:
    content = {
        "top": f"{key}: x\nsites: {{}}\n",
        "site": f"sites: {{a.test: {{{key}: x, routes: {{/: http://web}}}}}}\n",
        "route": f"sites: {{a.test: {{/: {{to: http://web, {key}: x}}}}}}\n",
    }[where]
    (problem, *_) = yaml_file.parse(content, file_name="f", base_dir="/").problems
    return problem.message


@pytest.mark.parametrize("where", ["site", "route"])
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("reverse_proxy", "`to:`"),
        ("proxy_pass", "`to:`"),
        ("forwardAuth", "`access: {forward_auth:"),
        ("auth", "`access: {forward_auth:"),
        ("basicauth", "`access: {basic_auth:"),
        ("basic-auth", "`access: {basic_auth:"),
        ("handle", "paths are keys"),
        ("rule", "`sites:`"),
        ("entrypoints", "`listen:"),
        ("entryPoints", "`listen:"),
        ("websocket", "by themselves"),
        ("websockets", "by themselves"),
        ("client_max_body_size", "`max_body:"),
        ("location", "paths are keys"),
        ("rewrites", "a target with a path replaces the prefix"),
        ("method", "`when: {method: [GET, POST]}`"),
        ("h3", "write `http3: true` at the top"),
        ("ports", "`listen:"),
        ("middlewares", "stand in the site or the route"),
        ("stripPrefix", "a target with a path replaces the prefix"),
        ("proxy_set_header", "sent by themselves"),
        ("add_header", "`response_headers:"),
        ("headers", "`response_headers:"),
        ("ssl_certificate", "certificate: fullchain.pem"),
        ("certResolver", "come by themselves"),
        ("healthcheck", "`health:"),
        ("lb_policy", "`balance:"),
        ("rate_limit", "`access: {rate_limit:"),
        ("allow", "`access: {allow:"),
        ("access_control_allow_origin", "`cors: {origins"),
        ("proxy_cache", "`cache:"),
        ("proxy_cache_path", "max_size"),
        ("proxy_read_timeout", "`timeout:"),
        ("VIRTUAL_HOST", "`sites:`"),
        ("try_files", "`files:"),
        ("file_server", "`files:"),
        ("redir", "`redirect:"),
        ("geoip", "Countries"),
        ("tlsPassthrough", "tls: passthrough"),
        ("header_regexp", "`when: {header:"),
        ("query_regexp", "`when: {query:"),
        ("ClientIP", "`when: {address:"),
        ("split_clients", "`when: {probability:"),
        ("path_regexp", "`~ ^/user/"),
        ("php_fpm", "write `php:"),
        ("fastcgi_param", "write `php:"),
        ("cache_assets", "`cache: true`"),
        ("max-age", "`cache_control:"),
        ("client_certificates", "`access: {client_certificates: local}`"),
        ("mtls", "`access: {client_certificates: local}`"),
        ("oidc", "`login: {host:"),
        ("satisfy", "`any: true`"),
        ("proxy_request_buffering", "`buffering: false`"),
        ("proxy_intercept_errors", "servers: true"),
        ("proxy_redirect", "`translate: false`"),
        ("proxy_cookie_flags", "proxy_cookie_flags ~ secure"),
        ("gzip_static", "precompressed: true"),
        ("block_exploits", "`when: {header:"),
        ("access_list_id", "`access: {allow:"),
        ("ssl_forced", "by itself"),
        ("hsts_subdomains", "include_subdomains: true"),
        ("response_timeout", "`timeout:"),
        ("forward_headers", "`trusted_proxies:"),
        ("replacePathRegex", "`rewrite: {match:"),
        ("sub_filter", "hand-written `nginx:`"),
        ("modsecurity", "`bans`"),
        ("ssl_dhparam", "leave it out"),
    ],
)
def test_words_of_other_tools(where: str, key: str, told: str) -> None:
    message = said_of(key, where)
    assert f'unknown key "{key}": ' in message
    assert told in message
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("services", "`sites:"),
        ("domains", "`sites:`"),
        ("hosts", "`sites:`"),
        ("routers", "`sites:`"),
        ("email", "`acme: {email"),
        ("letsencrypt", "`acme: {email"),
        ("entrypoints", "`listen:"),
        ("ports", "`listen:"),
        ("gzip", "compressed by themselves"),
        ("version", "leave it out"),
        ("providers", "docs/docker.md"),
        ("tcp", "`streams: {NAME:"),
        ("layer4", "`streams: {NAME:"),
        ("incoming_port", "`streams: {NAME:"),
        ("udpRouters", "`streams: {NAME:"),
        ("ssl_preread", "tls: passthrough"),
        ("HostSNI", "tls: passthrough"),
        ("dns", "`acme: {dns"),
    ],
)
def test_words_of_other_tools_at_the_top(key: str, told: str) -> None:
    message = said_of(key, "top")
    assert told in message
    assert "did you mean" not in message


@pytest.mark.parametrize("key", ["auth", "rewrite", "method", "http3", "services", "cors", "quic", "zone", "thing"])
def test_no_key_is_guessed_that_only_looks_alike(key: str) -> None:
    for where in ("top", "site", "route"):
        assert "did you mean" not in said_of(key, where), where


@pytest.mark.parametrize(
    ("key", "meant", "where"),
    [
        ("rouets", "routes", "site"),
        ("maxBody", "max_body", "route"),
        ("max-body", "max_body", "route"),
        ("redirectAliases", "redirect_aliases", "site"),
        ("aliasses", "aliases", "site"),
        ("listn", "listen", "top"),
        ("trusted_proxy", "trusted_proxies", "top"),
        ("reqest_headers", "request_headers", "route"),
        ("time_out", "timeout", "route"),
    ],
)
def test_slips_still_lead_to_their_key(key: str, meant: str, where: str) -> None:
    assert f'did you mean "{meant}"?' in said_of(key, where)


@pytest.mark.parametrize("key", ["auth", "static", "prometheus", "h3", "gzip", "caching", "http2", "websocket"])
def test_a_word_of_another_tool_that_leads_to_a_server_may_be_a_path(key: str) -> None:
    """K2: in no other tool does the word lead to a server; here, a path does."""
    content = f"sites: {{a.test: {{{key}: http://127.0.0.1:3000}}}}\n"
    (problem,) = yaml_file.parse(content, file_name="f", base_dir="/").problems
    assert f'unknown key "{key}": ' in problem.message
    assert f'if it is a path, write "/{key}"' in problem.message
    cured = content.replace(f"{{{key}:", f"{{/{key}:")
    assert yaml_file.parse(cured, file_name="f", base_dir="/").problems == ()


@pytest.mark.parametrize(
    "key", ["proxy_pass", "reverse_proxy", "upstream", "forward_auth", "redir", "url", "php_fastcgi"]
)
def test_a_word_whose_value_is_a_server_elsewhere_is_no_path(key: str) -> None:
    (problem, *_) = yaml_file.parse(
        f"sites: {{a.test: {{{key}: http://127.0.0.1:3000}}}}\n", file_name="f", base_dir="/"
    ).problems
    assert "if it is a path" not in problem.message


def test_every_word_of_servers_is_one_of_another_tool() -> None:
    for word in other_tools.read_table("servers"):
        assert other_tools.find_key(word) is not None, word


@pytest.mark.parametrize(
    ("key", "told"),
    [("h3", "write `http3: true`"), ("accept_proxy_protocol", "write `listen: {proxy_protocol"), ("ipv6", "by itself")],
)
def test_words_of_other_tools_in_listen(key: str, told: str) -> None:
    (problem,) = yaml_file.parse(f"listen: {{{key}: true}}\nsites: {{}}\n", file_name="f", base_dir="/").problems
    assert told in problem.message


def test_every_key_that_the_table_names_is_one() -> None:
    for text in set(other_tools.read_table("keys").values()):
        for code in re.findall(r"`([^`]*)`", text):
            for key in re.findall(r"(?:^|[{,] ?)([a-z_]+):(?!/)", code):
                assert key in KNOWN, (key, text)


def test_no_word_stands_in_the_table_twice() -> None:
    spelled = [words.letters(key) for key in other_tools.read_table("keys")]
    assert sorted({one for one in spelled if spelled.count(one) > 1}) == []


def test_every_page_that_the_table_names_is_there() -> None:
    for text in set(other_tools.read_table("keys").values()):
        for page in re.findall(r"docs/[a-z-]+\.md", text):
            assert (ROOT / page).exists(), page
        for title in re.findall(r'docs/recipes\.md, "([^"]+)"', text):
            assert f"## {title}\n" in (ROOT / "docs/recipes.md").read_text(), title
