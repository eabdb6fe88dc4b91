"""K1, K2, L9 and G1 as others would write them: words, signs and forms of Caddy, Traefik, nginx, Apache, HAProxy and
Nginx Proxy Manager are refused with what to write, and what is printed is itself accepted."""

import re

import pytest

from daemun.sources import yaml_file

HEAD = "sites:\n  a.test:\n    routes:\n"


def problems_of(content: str) -> list[str]:
    return [problem.message for problem in yaml_file.parse(content, file_name="f", base_dir="/").problems]


def in_route(option: str, path: str = "/") -> str:
    return f"{HEAD}      {path}: {{to: http://web, {option}}}\n"


def in_site(option: str) -> str:
    return f"sites: {{a.test: {{{option}, routes: {{/: http://web}}}}}}\n"


def at_path(path: str) -> str:
    return f"{HEAD}      {path}: http://web\n"


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("{remote_host}", "$remote_addr"),
        ("{host}", "$host"),
        ("https://{host}{uri}", "https://$host$request_uri"),
        ("%[src]", "$remote_addr"),
        ("{env.TOKEN}", None),
        ("{$TOKEN}", None),
        ("{http.request.uuid}", None),
        ("%[req.hdr(x-id)]", None),
    ],
)
@pytest.mark.parametrize("option", ["request_headers", "response_headers"])
def test_a_placeholder_is_no_header_value(option: str, value: str, cure: str | None) -> None:
    """K2: it would be sent to the server as it is written."""
    (message,) = problems_of(in_route(f'{option}: {{X-A: "{value}"}}'))
    assert "another tool's word" in message
    assert (f'write "{cure}"' in message) is (cure is not None)
    if cure is not None:
        assert problems_of(in_route(f'{option}: {{X-A: "{cure}"}}')) == []


@pytest.mark.parametrize("value", ['{"a": {"b": 1}}', "100% {sure}", "report-uri /csp; {x}", "W/{1}"])
def test_braces_of_other_kinds_are_sent_as_they_are(value: str) -> None:
    assert problems_of(in_route(f"response_headers: {{X-A: '{value}'}}")) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("-Server", "`Server:` with nothing as its value removes it"),
        ("-X-Powered-By", "`X-Powered-By:` with nothing as its value removes it"),
        ("+X-A", 'write "X-A"'),
        ("'?X-A'", 'write "X-A"'),
        ("X-Foo-*", "write each header"),
    ],
)
def test_signs_of_caddy_are_no_part_of_a_header(name: str, told: str) -> None:
    """K2: `-Server` removed nothing, and was good."""
    (message,) = problems_of(in_route(f"response_headers: {{{name}: }}"))
    assert told in message


@pytest.mark.parametrize(
    "value",
    ["$CF_API_TOKEN", "'{env.CF_API_TOKEN}'", "'{$CF_API_TOKEN}'", "'%CF_API_TOKEN%'", "'{{ env \"CF_API_TOKEN\" }}'"],
)
def test_a_variable_of_another_tool_is_no_secret(value: str) -> None:
    """L9: it was taken for the secret itself, and told by the provider's refusal alone."""
    content = "acme: {{dns: {{provider: cloudflare, auth_token: {}}}}}\nsites: {{}}\n"
    (message,) = problems_of(content.format(value))
    assert "write env:CF_API_TOKEN" in message
    assert problems_of(content.format("env:CF_API_TOKEN")) == []


@pytest.mark.parametrize("value", ["$2y$05$abc", "a$CF_API_TOKEN", "{}", "$x", "%41", "$ECRET"])
def test_a_secret_may_have_signs(value: str) -> None:
    assert problems_of(f"acme: {{dns: {{provider: cloudflare, auth_token: '{value}'}}}}\nsites: {{}}\n") == []


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ('"handle /api/*"', "/api/"),
        ('"location /api"', "/api"),
        ('"location /api {"', "/api"),
        ('"location ~ \\\\.php$"', "~ \\.php$"),
        (".php", "*.php"),
        ('"\\\\.php$"', "~ \\.php$"),
        ('"^/api/(v1|v2)$"', "~ ^/api/(?:v1|v2)$"),
        ('"/*/admin"', "~ ^/[^/]+/admin$"),
        ('"/:id"', "~ ^/[^/]+$"),
        ('"/<int:id>"', "~ ^/[^/]+$"),
        ('"/{id:[0-9]+}/x"', "~ ^/(?:[0-9]+)/x$"),
        ('"/{path:.*}"', "/"),
        ('"/{path...}"', "/"),
        ('"~ ^/(?i)api"', "~* ^/api"),
    ],
)
def test_a_path_in_other_words(path: str, cure: str) -> None:
    """G1, K1."""
    (message,) = problems_of(at_path(path))
    written = cure.replace("\\", "\\\\")
    assert message.endswith(f'; write "{written}"'), message
    assert problems_of(at_path(f"'{cure}'")) == []


@pytest.mark.parametrize(
    ("path", "folder", "cure"),
    [
        ("/api/*.json", "/api/", "~ ^/api/[^/]+\\.json$"),
        ("/users/:id/edit", "/users/", "~ ^/users/[^/]+/edit$"),
        ("/a+b/{id}/c.d", "/a+b/", "~ ^/a\\+b/[^/]+/c\\.d$"),
    ],
)
def test_a_pattern_within_a_folder(path: str, folder: str, cure: str) -> None:
    """G1: what guards such paths would guard all of the folder, or let the others through."""
    (message,) = problems_of(at_path(f'"{path}"'))
    written = cure.replace("\\", "\\\\")
    assert message.endswith(f'; write "{folder}" for all below it, or "{written}"'), message
    assert problems_of(at_path(f"'{cure}'")) == []
    assert problems_of(at_path(folder)) == []


@pytest.mark.parametrize("path", ['"!/admin"', '"@name"'])
def test_no_path_is_made_of_what_is_none(path: str) -> None:
    """K1: "/!/admin" would match nothing that was meant."""
    (message,) = problems_of(at_path(path))
    assert "write" not in message


@pytest.mark.parametrize(
    ("written", "status", "cure"),
    [
        ("301 https://b.test", "301", "https://b.test"),
        ("https://b.test permanent", "301", "https://b.test"),
        ("https://b.test 308", "308", "https://b.test"),
        ("return 302 https://b.test;", "302", "https://b.test"),
        ("https://b.test{uri} permanent", "301", "https://b.test$request_uri"),
        ("/new redirect", "302", "/new"),
    ],
)
def test_a_status_stands_beside_the_redirect(written: str, status: str, cure: str) -> None:
    """K1: "https://b.com%20permanent" was what to write."""
    content = f"{HEAD}      = /x: {{{{redirect: '{{}}'}}}}\n"
    (message,) = problems_of(content.format(written))
    assert f"`status: {status}`" in message
    assert message.endswith(f'; write "{cure}"')
    assert problems_of(content.format(cure)) == []


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("404 not found", '{respond: {status: 404, body: "not found"}}'),
        ("hello", "{respond: {body: hello}}"),
    ],
)
def test_an_answer_in_other_words(value: str, cure: str) -> None:
    """K1: "404 not found" became an answer of 200."""
    (message,) = problems_of(f"{HEAD}      /: {{respond: {value}}}\n")
    assert cure.removeprefix("{respond: ").removesuffix("}") in message
    assert problems_of(f"{HEAD}      /: {cure}\n") == []


@pytest.mark.parametrize(("value", "told"), [("404", "`respond: 404`"), ("all", "write true"), ("[1.2.3.4]", "leave")])
def test_what_denies_in_other_words(value: str, told: str) -> None:
    (message,) = problems_of(f"{HEAD}      /: {{deny: {value}}}\n")
    assert told in message


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("www.a.test, b.test", "[www.a.test, b.test]"),
        ("b.test c.test", "[b.test, c.test]"),
        ("https://b.test c.test", "[b.test, c.test]"),
    ],
)
def test_several_aliases_in_one_text(value: str, cure: str) -> None:
    """K1: "each further one goes into `aliases`" was said of `aliases`."""
    (message, *_) = [one for one in problems_of(in_site(f"aliases: {json_text(value)}")) if ", aliases:" in one]
    assert f"write {cure}" in message
    assert problems_of(in_site(f"aliases: {cure}")) == []


def json_text(text: str) -> str:
    return f'"{text}"'


@pytest.mark.parametrize(
    ("option", "cure"),
    [
        ("timeout: 30sec", "timeout: 30s"),
        ("timeout: 5 minutes", "timeout: 5m"),
        ("timeout: 1 hour", "timeout: 1h"),
        ("hold: 20 mins", "hold: 20m"),
        ("max_body: 1.5g", "max_body: 1536m"),
        ("max_body: 100MiB", "max_body: 100m"),
        ("access: {rate_limit: 10r/s}", "access: {rate_limit: 10/s}"),
        ("access: {rate_limit: 100 per minute}", "access: {rate_limit: 100/m}"),
        ("access: {rate_limit: 10 req/min}", "access: {rate_limit: 10/m}"),
        ('access: {allow: "192.168.1.*"}', 'access: {allow: "192.168.1.0/24"}'),
        ("access: {allow: 10.*.*.*}", 'access: {allow: "10.0.0.0/8"}'),
    ],
)
def test_a_value_in_other_words(option: str, cure: str) -> None:
    """K1."""
    (message,) = problems_of(in_route(option))
    assert f"write {re.split(r': (?!.*: )', cure)[-1].rstrip('}')}" in message
    assert problems_of(in_route(cure)) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("default: 404", "write refuse"),
        ("default: close", "write refuse"),
        ("default: a.test", "write {site: a.test}"),
        ("default: https://b.test", 'write {redirect: "https://b.test"}'),
        ("docker: true", "write auto"),
        ("docker: /var/run/docker.sock", "write unix:///var/run/docker.sock"),
        ("docker: unix:/var/run/docker.sock", "write unix:///var/run/docker.sock"),
        ("x_usual: {}", "write `x-usual`"),
        ("_usual: {}", "write `x-usual`"),
        (".usual: {}", "write `x-usual`"),
        ("trusted_proxies: private_ranges", "172.16.0.0/12"),
        ("trusted_proxies: 0.0.0.0/0", "is everybody"),
        ("trusted_proxies: ['::/0']", "is everybody"),
        ("acme: {key_type: ec256}", 'write "ecdsa-p256"'),
        ("acme: {key_type: p384}", '"ecdsa-p384"?'),
        ("acme: {challenge: dns}", 'write "dns-01"'),
        ("log_level: debug", "--verbose"),
        ("anchors: {}", "begin with `x-`"),
    ],
)
def test_the_top_in_other_words(line: str, told: str) -> None:
    """K1, K2, L9."""
    (message,) = problems_of(f"{line}\nsites: {{a.test: http://web}}\n")
    assert told in message


@pytest.mark.parametrize(
    "content",
    [
        "streams: {ssh: '127.0.0.1:22'}\nsites: {}\n",
        "sites: {a.test: {listen: '8080:80', routes: {/: http://web}}}\n",
        "listen: 'localhost:80'\nsites: {}\n",
    ],
)
def test_no_space_is_missing_in_an_address(content: str) -> None:
    """K1: a colon in front of a port is none that a space could follow."""
    (message, *_) = problems_of(content)
    assert "a space is missing" not in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("add_before_body", "`add_before_body ...;` below `nginx: |` in a site or a route"),
        ("override_charset", "below `nginx: |`"),
        ("limit_rate_x", "expected one of"),
        ("worker_connections", "expected one of"),
        ("ProxyPassReverse", "translated by themselves"),
        ("ProxyPreserveHost", "passed on by itself"),
        ("SSLEngine", "come by themselves"),
        ("RewriteRule", "`rewrite:"),
        ("ssl_forced", "by itself"),
        ("hsts_enabled", "`hsts: true`"),
        ("http2_support", "by itself"),
        ("caching_enabled", "`cache: true`"),
        ("trust_forwarded_proto", "`trusted_proxies:"),
        ("mtls", "`access: {client_certificates:"),
        ("proxy_redirect", "translated by themselves"),
        ("satisfy", "`any: true`"),
        ("use_backend", "`when:"),
    ],
)
def test_a_key_of_another_tool(key: str, told: str) -> None:
    """K2."""
    (message, *_) = problems_of(in_site(f"{key}: x"))
    assert told in message
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("3000", "write `http://127.0.0.1:3000`"),
        ("tcp://127.0.0.1:22", "`streams:"),
        ("https+insecure://127.0.0.1:8443", "verify: false"),
    ],
)
def test_a_target_in_other_words(target: str, told: str) -> None:
    """K1."""
    (message,) = problems_of(f"sites: {{a.test: {target}}}\n")
    assert told in message


@pytest.mark.parametrize(
    "content",
    ["sites: {a.test: ['http://a:1', 'https://b:2']}\n", "sites: {a.test: 'http://a:1, https://b:2'}\n"],
)
def test_servers_that_cannot_stand_together_are_no_cure(content: str) -> None:
    """K1: a list of http and https servers is refused at the next try."""
    (message,) = problems_of(content)
    assert "`{/: {to:" not in message
