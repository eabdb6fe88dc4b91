"""K1: every cure that a message prints is itself accepted, where the refused text stood. K11 is one of them."""

import json
import pathlib
import re

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import yaml_edit, yaml_file

PLACES = {
    "target": "sites: {{a.test: {{routes: {{/: {{to: {text}}}}}}}}}",
    "short target": "sites: {{a.test: {text}}}",
    "host": "sites: {{{text}: http://web}}",
    "alias": "sites: {{a.test: {{aliases: [{text}], routes: {{/: http://web}}}}}}",
    "path": "sites: {{a.test: {{routes: {{{text}: http://web}}}}}}",
    "redirect": "sites: {{a.test: {{routes: {{/: {{redirect: {text}}}}}}}}}",
    "header": "sites: {{a.test: {{/: {{to: http://web, response_headers: {{X-A: {text}}}}}}}}}",
    "network": "trusted_proxies: [{text}]\nsites: {{}}",
    "balance": "sites: {{a.test: {{/: {{to: http://web, balance: {text}}}}}}}",
    "tls": "sites: {{a.com: {{tls: {text}, routes: {{/: http://web}}}}}}",
    "http": "sites: {{a.test: {{http: {text}, routes: {{/: http://web}}}}}}",
    "tls: off beside http": "sites: {{a.test: {{tls: off, http: {text}, routes: {{/: http://web}}}}}}",
    "health of gRPC": "sites: {{a.test: {{/: {{to: grpc://web, health: {text}}}}}}}",
}
CURED = re.compile(r'write ("(?:[^"\\]|\\.)*")|did you mean ("(?:[^"\\]|\\.)*")\?')
OPTION = re.compile(r"write `(to|files|deny|http|health|tls): (.*?)`")
VALUE = re.compile(r"write `(\{.*\})`")
"""YAML that stands in the place of the refused text."""


def errors_in(place: str, text: str) -> list[str]:
    """What is wrong with a file that has the text in that place."""
    return errors_of(PLACES[place].format(text=json.dumps(text, ensure_ascii=False)))


def errors_of(content: str) -> list[str]:
    found = yaml_file.parse(content, file_name="daemun.yaml", base_dir="/etc/daemun").problems
    return [problem.message for problem in found if problem.severity is model.Severity.ERROR]


def cures_in(message: str) -> list[str]:
    return [json.loads(one or other) for one, other in CURED.findall(message)]


def assert_cured(place: str, text: str) -> list[str]:
    """Feed each cure back. Returns: the cures."""
    found = []
    for message in errors_in(place, text):
        for cure in cures_in(message):
            assert not errors_in(place, cure), (text, cure)
            found.append(cure)
        for value in VALUE.findall(message):
            assert not errors_of(PLACES[place].format(text=value)), (text, value)
            found.append(value)
        for key, value in OPTION.findall(message):
            route = f"{{{key}: {value}}}" if key in {"to", "files", "deny"} else f"{{to: grpc://web, {key}: {value}}}"
            content = f"sites: {{a.test: {{routes: {{/: {route}}}}}}}"
            if key in {"http", "tls"}:
                content = f"sites: {{a.test: {{{'tls: off, ' if key == 'http' else ''}{key}: {value}, routes: {{/: h2c://x}}}}}}"
            problems = yaml_file.parse(content, file_name="f", base_dir="/").problems
            assert not [str(one) for one in problems if one.severity is model.Severity.ERROR], content
            found.append(f"{key}: {value}")
    return found


@pytest.mark.parametrize("place", ["target", "short target"])
@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("3000", "http://127.0.0.1:3000"),
        ("3000/api", "http://127.0.0.1:3000/api"),
        (":8000", "http://127.0.0.1:8000"),
        ("http://:8000", "http://127.0.0.1:8000"),
        ("*:8000", "http://127.0.0.1:8000"),
        ("8080:80", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080:80/tcp", "http://127.0.0.1:8080"),
        ("localhost:3000", "http://localhost:3000"),
        ("web", "http://web"),
        ("192.168.1.5", "http://192.168.1.5"),
        ("/srv/www", "files: /srv/www"),
        ("./public", "files: ./public"),
        ("file:///srv/www", "files: /srv/www"),
        ("deny", "deny: true"),
        ("unix//run/a.sock", "http://unix:/run/a.sock"),
        ("unix:/run/a.sock", "http://unix:/run/a.sock"),
        ("unix:///run/a.sock", "http://unix:/run/a.sock"),
        ("/run/a.sock", "http://unix:/run/a.sock"),
        ("http:///run/a.sock", "http://unix:/run/a.sock"),
        ("fastcgi://unix//run/php.sock", "fastcgi://unix:/run/php.sock"),
        ("http+unix:///run/a.sock", "http://unix:/run/a.sock"),
        ("http://2001:db8::1:8000", "http://[2001:db8::1]:8000"),
        ("2001:db8::1", "http://[2001:db8::1]"),
        ("http://::1", "http://[::1]"),
        ("::1:8000", "http://[::1]:8000"),
        ("http://fe80::1:2:3:4/x", "http://[fe80::1:2:3:4]/x"),
        ("ws://chat:7777", "http://chat:7777"),
        ("wss://chat/ws?x=1", "https://chat/ws"),
        ("http:/web", "http://web"),
        ("http//web:80", "http://web:80"),
        ("https:\\\\web", "https://web"),
        ("http://http://web", "http://web"),
        ("http://user:secret@web/", "http://web/"),
        ("http://web/a?b=c", "http://web/a"),
        ("http://web/$1", "http://web/"),
        ("http://web$request_uri", "http://web"),
        ("http://web/{uri}", "http://web/"),
        ("http://web/a b", "http://web/a%20b"),
        ("proxy_pass http://web:3000;", "http://web:3000"),
        ("htp://web:3000", "http://web:3000"),
        ("//http://web", "http://web"),
        ("htps://web/x", "https://web/x"),
        ("fast-cgi://php:9000", "fastcgi://php:9000"),
        ("http://a, http://b", "to: [http://a, http://b]"),
        ("a:80 b:80", "to: [http://a:80, http://b:80]"),
    ],
)
def test_targets(place: str, text: str, cure: str) -> None:
    """K1, K11."""
    is_entry = cure.startswith(("files:", "to:", "deny:"))
    assert assert_cured(place, text) == [f"{{/: {{{cure}}}}}" if is_entry and place == "short target" else cure]


@pytest.mark.parametrize(
    ("place", "text", "cure"),
    [
        ("host", "https://App.example.com/x", "app.example.com"),
        ("host", "app.example.com:8443", "app.example.com"),
        ("host", "a.com, www.a.com", "a.com"),
        ("host", "a.com www.a.com", "a.com"),
        ("host", "Host(`a.com`) && PathPrefix(`/x`)", "a.com"),
        ("host", "*a.com", "*.a.com"),
        ("host", "[::1]:443", "[::1]"),
        ("host", "a.com/x", "a.com"),
        ("alias", "http://www.a.com", "www.a.com"),
        ("path", "~ ^/api(.)", "~ ^/api(?:.)"),
        ("path", "^~ /api", "/api"),
        ("path", "= exact", "/exact"),
        ("path", "^~ /images/", "/images/"),
        ("path", "PathPrefix(`/api`)", "/api"),
        ("path", "api", "/api"),
        ("path", "/a//b", "/a/b"),
        ("path", "/%EA%B0%80", "/가"),
        ("path", "/x?y=1", "/x"),
        ("redirect", "https://{host}{uri}", "https://$host$request_uri"),
        ("redirect", "{uri}", "$request_uri"),
        ("redirect", "https://new.example.com/$1", "https://new.example.com$request_uri"),
        ("redirect", "https://%{HTTP_HOST}%{REQUEST_URI}", "https://$host$request_uri"),
        ("redirect", "https://$server_name$request_uri", "https://$host$request_uri"),
        ("redirect", "new.example.com/x", "https://new.example.com/x"),
        ("redirect", "https://a.com/a b", "https://a.com/a%20b"),
        ("redirect", "https://a.com/<x>", "https://a.com/%3Cx%3E"),
        ("header", "$proxy_add_x_forwarded_for", "$remote_addr"),
        ("network", "10.1.2.3/8", "10.0.0.0/8"),
        ("balance", "leastconn", "least_conn"),
        ("balance", "round-robin", "round_robin"),
        ("balance", "source", "ip_hash"),
        ("balance", "cookie", "sticky"),
        ("tls", "letsencrypt", "acme"),
        ("tls", "internal", "local"),
        ("tls", "on", "auto"),
        ("http", "both", "serve"),
        ("tls: off beside http", "redirect", "http: serve"),
        ("health of gRPC", "/healthz", "health: tcp"),
    ],
)
def test_other_places(place: str, text: str, cure: str) -> None:
    assert assert_cured(place, text) == [cure]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("target", "${BACKEND}"),
        ("target", "http://${BACKEND}"),
        ("target", "{$BACKEND}:80"),
        ("target", "http://a:b"),
        ("target", "http://a:99999"),
        ("target", "//http://"),
        ("target", "//["),
        ("short target", "/srv/a,b"),
        ("short target", "//http://"),
        ("short target", "@http://"),
        ("target", "htp://"),
        ("target", "http://"),
        ("target", ""),
        ("target", "tcp://db:5432"),
        ("host", ":443"),
        ("host", "_"),
        ("host", "*"),
        ("host", "{host}"),
        ("host", "~^a$"),
        ("path", "~* (a+)+$"),
        ("path", "*.php$"),
        ("path", "/a/../b"),
        ("redirect", "https://a/{labels.1}"),
        ("redirect", "ftp://x"),
    ],
)
def test_where_nothing_good_can_be_written_no_cure_is_made_up(place: str, text: str) -> None:
    """K1: `write ""` is none."""
    assert errors_in(place, text)
    assert assert_cured(place, text) == []


PIECES = (
    "http:// https: // : / $1 ${A} {uri} * ^ ::1 [ ] .sock unix @ web a.com 80 , ? # %2F %41 (.*) Host(` `) "
    "$host A _ \\ .. 가"
)
TEXTS = strategies.lists(strategies.sampled_from([*PIECES.split(" "), " ", "~ "]), max_size=7).map("".join)


@hypothesis.given(place=strategies.sampled_from(sorted(PLACES)), text=TEXTS | strategies.text(max_size=30))
def test_any_cure_is_accepted(place: str, text: str) -> None:
    assert_cured(place, text)


@pytest.mark.parametrize(
    "target", ["3000", ":8000", "unix//run/a.sock", "http://2001:db8::1:8000", "ws://chat", "a:80"]
)
def test_what_daemun_add_refuses(tmp_path: pathlib.Path, target: str) -> None:
    """K1: a cure of the command line is accepted by the command line."""
    file = tmp_path / "daemun.yaml"
    with pytest.raises(ConfigError, match="cannot add") as caught:
        yaml_edit.add_route(file, "a.test", target)
    (cure,) = cures_in(str(caught.value))
    yaml_edit.add_route(file, "a.test", cure)
    assert cure in file.read_text()


@pytest.mark.parametrize(
    ("host", "path"), [("https://a.test", "/"), ("A.test:80", "/"), ("a.test", "api"), ("a.test", "= x")]
)
def test_hosts_and_paths_that_daemun_add_refuses(tmp_path: pathlib.Path, host: str, path: str) -> None:
    file = tmp_path / "daemun.yaml"
    with pytest.raises(ConfigError, match="cannot add") as caught:
        yaml_edit.add_route(file, host, "http://web", route_path=path)
    (cure,) = cures_in(str(caught.value))
    yaml_edit.add_route(file, cure if path == "/" else host, "http://web", route_path="/" if path == "/" else cure)


def test_a_folder_is_a_target_of_daemun_add(tmp_path: pathlib.Path) -> None:
    """K1: `daemun add x /srv/www` means files."""
    file = tmp_path / "daemun.yaml"
    (tmp_path / "www").mkdir()
    yaml_edit.add_route(file, "a.test", str(tmp_path / "www"))
    (site,) = yaml_file.read_snapshot(file).sites
    assert site.routes[0].action == model.Files(folder=str(tmp_path / "www"))


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("[http://a, http://b]", "{/: {to: [http://a, http://b]}}"),
        ('["http://[::1]:1", http://b]', "{/: {to: ['http://[::1]:1', http://b]}}"),
        ("[{/: http://a}, {/api/: {to: http://b, hold: 5s}}]", "{/: http://a, /api/: {to: http://b, hold: 5s}}"),
        ("[{hsts: true}, {routes: {/: http://a}}]", "{hsts: true, routes: {/: http://a}}"),
        ("{to: http://a}", "{routes: {/: {to: http://a}}}"),
        ("{files: /srv/www}", "{routes: {/: {files: /srv/www}}}"),
        ("{redirect: https://b.test$request_uri}", "{routes: {/: {redirect: https://b.test$request_uri}}}"),
        ("{/: ./public}", "{files: ./public}"),
        ("{/: [http://a, http://b]}", "{to: [http://a, http://b]}"),
        ("{/: [http://a]}", None),
        ("{routes: [{/: http://a}, {/b: http://b}]}", "{/: http://a, /b: http://b}"),
        ("{routes: [{/: http://a}, {path: /b}]}", None),
        ("[]", None),
        ("[{/: 5}]", None),
        ("[{/: http://a}, {/: http://b}]", None),
        ("[http://a, 5]", None),
    ],
)
def test_a_value_of_the_wrong_form_below_a_host(written: str, cure: str | None) -> None:
    """A list below a host, a folder, what only a route can lead to: what is printed can stand in its place."""
    (message,) = errors_of(f"sites: {{a.test: {written}}}")
    assert VALUE.findall(message) == ([] if cure is None else [cure]), message
    if cure is not None:
        for place in (f"{{a.test: {cure}}}", f"{{a.test: {{/: {cure}}}}}", f"{{a.test: {{routes: {cure}}}}}"):
            if not errors_of(f"sites: {place}"):
                return
        raise AssertionError(cure)


@pytest.mark.parametrize("to", ["./www", "[./www]", "[http://a, /srv/www]", "[{url: ./www}]"])
def test_a_folder_behind_to_stands_behind_files(to: str) -> None:
    """The printed entry is of the route, not of its `to:`."""
    (message,) = errors_of(f"sites: {{a.test: {{/: {{to: {to}}}}}}}")
    (entry,) = re.findall(r"write `(files: [^`]*)` in place of `to:`", message)
    assert not errors_of(f"sites: {{a.test: {{/: {{{entry}}}}}}}")


def test_several_servers_at_once_are_written_by_hand(tmp_path: pathlib.Path) -> None:
    """`daemun add` takes one; what it prints can stand in the file."""
    with pytest.raises(ConfigError, match="cannot add") as caught:
        yaml_edit.add_route(tmp_path / "daemun.yaml", "*.a.lan", "http://a, http://b", route_path="/x")
    (entry,) = re.findall(r"write `([^`]*)` below `sites:` by hand", str(caught.value))
    assert not errors_of(f"sites: {{{entry}}}")


def test_a_name_that_is_no_folder_yet_is_told_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='or make the folder "dist/web" for files'):
        yaml_edit.add_route(tmp_path / "daemun.yaml", "a.test", "dist/web")


@pytest.mark.parametrize("text", ["http://web/$id", "http://web/{id}", "http://web/$1", "http://web/${ID}"])
@pytest.mark.parametrize("action", ["to", "redirect"])
def test_a_group_of_the_path_in_the_words_of_another_tool(action: str, text: str) -> None:
    content = 'sites: {{a.test: {{"~ ^/u/(?<id>.*)$": {{{action}: "{text}"}}}}}}'
    (message,) = errors_of(content.format(action=action, text=text))
    assert cures_in(message) == ["http://web/${id}"]
    assert not errors_of(content.format(action=action, text="http://web/${id}"))


@pytest.mark.parametrize(
    "route",
    [
        '"~ ^/u/(.*)$": {to: "http://web/$1"}',
        '"~ ^/u/(.*)$": {redirect: "https://web/$1"}',
        '/: {to: http://web, rewrite: {match: "^/u/(.*)$", to: "/$1"}}',
    ],
)
def test_groups_without_a_name_are_named_where_they_stand_and_where_they_are_used(route: str) -> None:
    """`(?:...)` alone would leave "$1", which would reach the server as it is."""
    (message,) = errors_of(f"sites: {{a.test: {{{route}}}}}")
    better, use = re.findall(r'(?:write|and) "([^"]*)"', message)
    assert "(?<part1>.*)" in better
    assert use.endswith("/${part1}")
    cured = route.replace(better.replace("(?<part1>", "("), better).replace(use.replace("${part1}", "$1"), use)
    assert cured.count("part1") == 2
    assert not errors_of(f"sites: {{a.test: {{{cured}}}}}")


@pytest.mark.parametrize("place", ["short target", "path of a route"])
@pytest.mark.parametrize("status", [403, 404, 204, 503])
def test_a_status_in_place_of_a_server(place: str, status: int) -> None:
    site = "sites: {{a.test: {}}}" if place == "short target" else "sites: {{a.test: {{/p/: {}}}}}"
    (message,) = errors_of(site.format(status))
    (cure,) = VALUE.findall(message)
    assert f"respond: {status}" in cure
    assert not errors_of(site.format(cure))


@pytest.mark.parametrize("number", [80, 301, 999, 70000])
def test_a_number_that_is_no_status_of_an_answer(number: int) -> None:
    (message,) = errors_of(f"sites: {{a.test: {{/p/: {number}}}}}")
    assert "write `" not in message


@pytest.mark.parametrize(
    ("key", "written", "cure"),
    [
        ("access", "login", "{login: true}"),
        ("access", "Public", "public"),
        ("access", "private", "{allow: private}"),
        ("access", "10.0.0.0/8", "{allow: [10.0.0.0/8]}"),
        ("access", "[private, 1.2.3.0/24]", "{allow: [private, 1.2.3.0/24]}"),
        ("access", '["::1"]', '{allow: ["::1"]}'),
        ("access", "[private, login]", "{allow: private, login: true}"),
        ("cors", '"*"', "true"),
        ("cors", "https://a.test", '{origins: ["https://a.test"]}'),
        ("cors", "[https://a.test, https://*.b.test]", '{origins: ["https://a.test", "https://*.b.test"]}'),
        ("cors", "off", "false"),
        ("hsts", "365d", "{max_age: 365d}"),
        ("hsts", "1.5h", "{max_age: 1.5h}"),
        ("hsts", "on", "true"),
        ("robots", "noindex", "none"),
        ("robots", '"noindex, nofollow"', "none"),
        ("robots", "off", "none"),
        ("robots", "true", "all"),
        ("compress", "off", "false"),
        ("compress", "gzip", "true"),
        ("cache_control", "max-age=3600 immutable", '"max-age=3600, immutable"'),
        ("cache_control", "public; max-age=60", '"public, max-age=60"'),
    ],
)
def test_values_of_options_without_what_belongs_around_them(key: str, written: str, cure: str) -> None:
    def content(value: str) -> str:
        top = "login: {host: auth.test}\n" if key == "access" else ""
        return f"{top}sites: {{a.test: {{{key}: {value}, routes: {{/: http://web}}}}}}"

    (message,) = errors_of(content(written))
    (found,) = re.findall(r"; write `?([^`;]*?)`?(?:,? (?:where|which) .*)?\Z", message)
    assert found == cure, message
    assert not errors_of(content(cure))


@pytest.mark.parametrize("written", ["none", "off", "false", "[]", "[a, b]", "[5]", "nonsense"])
def test_where_both_could_be_meant_no_access_is_chosen(written: str) -> None:
    messages = errors_of(f"sites: {{a.test: {{access: {written}, routes: {{/: http://web}}}}}}")
    assert messages
    assert not VALUE.findall(messages[0])


@pytest.mark.parametrize(
    ("origin", "cause"), [("https://*", "is every site, which is `*` alone"), ("https://a_.b..c", "its host")]
)
def test_an_origin_is_refused_as_one(origin: str, cause: str) -> None:
    (message,) = errors_of(f'sites: {{a.test: {{cors: {{origins: ["{origin}"]}}, routes: {{/: http://web}}}}}}')
    assert cause in message
    assert "default:" not in message


@pytest.mark.parametrize(
    ("route", "cure"),
    [
        ("{respond: 200, body: hi}", "respond: {status: 200, body: hi}"),
        ("{respond: 404, body: <p>, type: text/html}", "respond: {status: 404, body: <p>, type: text/html}"),
        ("{body: hi}", "respond: {body: hi}"),
        ("{status: 503, body: hi, robots: none}", "respond: {status: 503, body: hi}"),
    ],
)
def test_the_parts_of_an_answer_beside_it(route: str, cure: str) -> None:
    messages = errors_of(f"sites: {{a.test: {{/h: {route}}}}}")
    found = {one for message in messages for one in re.findall(r"write `(.*)`", message)}
    assert found == {cure}, messages
    assert not errors_of(f"sites: {{a.test: {{/h: {{{cure}}}}}}}")


@pytest.mark.parametrize(
    ("text", "cure"), [("hello", "{body: hello}"), ("a: b, {c}", '{body: "a: b, {c}"}'), ("404", "404")]
)
def test_a_text_that_is_to_be_the_answer(text: str, cure: str) -> None:
    (message,) = errors_of(f"sites: {{a.test: {{/h: {{respond: {json.dumps(text)}}}}}}}")
    assert re.findall(r"write `?(.*?)`?\Z", message) == [cure]
    assert not errors_of(f"sites: {{a.test: {{/h: {{respond: {cure}}}}}}}")


@pytest.mark.parametrize(
    ("written", "says", "cured"),
    [
        (
            "sites: {a.test: {max_bdoy: 9m, routes: {/: http://web}}}",
            'did you mean "max_body"? It is an option of a route; write it in the map of a path under `routes:`',
            "sites: {a.test: {routes: {/: {to: http://web, max_body: 9m}}}}",
        ),
        (
            "sites: {a.test: {routes: {/: {to: http://web, alaises: [b.test]}}}}",
            'did you mean "aliases"? It is an option of a site; write it below the host that it is for',
            "sites: {a.test: {aliases: [b.test], routes: {/: http://web}}}",
        ),
        (
            "sites: {a.test: {/: http://web, two: http://b}}",
            'path "two" must start with "/"; write "/two"',
            "sites: {a.test: {/: http://web, /two: http://b}}",
        ),
        (
            "sites: {a.test: {two: http://b}}",
            'path "two" must start with "/"; write "/two"',
            "sites: {a.test: {/two: http://b}}",
        ),
    ],
)
def test_a_slip_is_known_where_the_right_key_belongs_elsewhere(written: str, says: str, cured: str) -> None:
    (message,) = errors_of(written)
    assert says in message
    assert errors_of(cured) == []
