"""L8: each recipe of docs/recipes.md, as it stands there, does what it says. Hosts and ports are the test's."""

import collections.abc
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import typing
import urllib.parse

import dns.message
import dns.query
import pytest

from daemun.sources import yaml_file
from tests.support import (
    address_databases,
    backend,
    binaries,
    client_authority,
    clients,
    crowdsec,
    identity_providers,
    judges,
    knot,
    login_browser,
    mosquitto,
    passwords,
    php_fpm,
    ports,
)
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ALICE = "Basic YWxpY2U6c2VjcmV0"
"""alice:secret"""


@pytest.fixture
def server() -> collections.abc.Iterator[backend.Backend]:
    with backend.running() as running:
        yield running


def serve(daemon: Daemon, title: str, server: backend.Backend, **replaced: str) -> None:
    """Serve the recipe of this title in front of a server."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", RECIPES[title], re.MULTILINE | re.DOTALL)
    text = text.replace("app.example.com", "app.test").replace("127.0.0.1:3000", f"127.0.0.1:{server.port}")
    text = text.replace("api.example.com", "app.test").replace("admin.example.com", "app.test")
    text = text.replace("/etc/daemun", str(daemon.root))
    for old, new in replaced.items():
        text = text.replace(old, new)
    daemon.write(text)
    daemon.cli_good("check")
    daemon.up("https://app.test/")


def status_of(daemon: Daemon, path: str = "/", *, sign_in: str = "") -> int:
    headers = {"Authorization": sign_in} if sign_in else {}
    return clients.get(daemon.gate, f"https://app.test{path}", **headers).status_code  # type: ignore[arg-type]


def test_every_recipe_has_a_test() -> None:
    tested = pathlib.Path(__file__).read_text()
    for title in RECIPES:
        assert f'"{title}"' in tested or f"'{title}'" in tested, title


def test_undo_a_change() -> None:
    """tests/e2e/test_history.py runs the commands."""
    commands = re.findall(r"^    daemun (\w+)", RECIPES["Undo a change"], re.MULTILINE)
    assert commands == ["history", "diff", "rollback", "apply", "apply"]


def test_containers_of_another_machine(daemon: Daemon) -> None:
    """tests/e2e/test_several_engines_served.py serves them."""
    text, _ = re.findall(r"^```yaml\n(.*?)^```", RECIPES["Containers of another machine"], re.MULTILINE | re.DOTALL)
    daemon.write(text)
    assert daemon.cli_good("check").endswith(": good\n")


def test_a_password(daemon: Daemon, server: backend.Backend) -> None:
    (daemon.root / "htpasswd").write_text("alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    serve(daemon, "A password", server)
    assert status_of(daemon) == 401
    assert status_of(daemon, sign_in=ALICE) == 200


def test_the_line_that_makes_a_password(daemon: Daemon, server: backend.Backend) -> None:
    (command,) = re.findall(r"`daemun (.*?) >> htpasswd`", RECIPES["A password"])
    made = subprocess.run([*daemon.program, *command.split()], input=b"secret\n", capture_output=True, check=True)
    (daemon.root / "htpasswd").write_bytes(made.stdout)
    serve(daemon, "A password", server)
    assert status_of(daemon, sign_in=ALICE) == 200
    assert status_of(daemon, sign_in="Basic YWxpY2U6d3Jvbmc=") == 401


def test_sign_in_on_a_page_of_daemuns_own(daemon: Daemon, server: backend.Backend) -> None:
    added = passwords.run_with(daemon, "secret", "users", "add", "alice")
    assert added.returncode == 0, added
    serve(daemon, "Sign-in on a page of daemun's own", server, **{"auth.example.com": "auth.test"})
    visitor = login_browser.Browser(daemon.gate)
    assert visitor.send("https://app.test/kept").status_code == 302
    assert visitor.sign_in("https://app.test/kept", "alice", "secret").status_code == 200
    assert server.seen["GET /kept"] == 1
    assert status_of(daemon, "/hooks/x") == 200


def test_sign_in_with_accounts_elsewhere(daemon: Daemon, server: backend.Backend) -> None:
    with identity_providers.pretender() as keycloak:
        key = re.sub("[^a-z0-9.]+", "-", keycloak.issuer.removeprefix("http://"))
        replaced = {"https://id.example.com/realms/home": keycloak.issuer, "env:KEYCLOAK_SECRET": "secret"}
        replaced |= {"id.example.com-realms-home": key}
        serve(
            daemon,
            "Sign-in with accounts elsewhere",
            server,
            **{"auth.example.com": "auth.test", "127.0.0.1:3000": f"127.0.0.1:{server.port}", **replaced},
        )
        visitor = login_browser.Browser(daemon.gate)
        page = visitor.open("https://app.test/kept")
        assert [name for name in ("Google", "GitHub", "Keycloak") if f"Sign in with {name}" in page.text] == [
            "Google",
            "GitHub",
            "Keycloak",
        ]
        form = {**login_browser.find_hidden(page), "provider": key}
        led = login_browser.find_refresh(visitor.send("https://auth.test/begin", "POST", data=form)) or ""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(led).query))
        keycloak.nonce = query["nonce"]
        back = urllib.parse.urlencode({"code": "c", "state": query["state"]})
        assert visitor.open(f"https://auth.test/callback/{key}?{back}").status_code == 200
        assert server.seen["GET /kept"] == 1


def test_sign_in_by_another_program(daemon: Daemon, server: backend.Backend) -> None:
    with judges.running(judges.authelia) as judge:
        places = {"cloud.example.com": "app.test", "nextcloud:80": f"127.0.0.1:{server.port}"}
        asked = {"forward_auth: authelia": f"forward_auth: {{kind: authelia, url: {judge.url}}}"}
        portal = {"http://authelia:9091": judge.url}
        serve(daemon, "Sign-in by another program", server, **places, **asked, **portal)
        answer = clients.get(daemon.gate, "https://app.test/kept?a=1", Accept="text/html")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "https://auth.test/?rd=https://app.test/kept?a=1&rm=GET"
        assert server.seen["GET /kept?a=1"] == 0
        assert status_of(daemon, "/status.php") == 200
        assert clients.get(daemon.gate, "https://app.test/kept", Cookie=judges.SESSION).status_code == 200
        assert server.seen["GET /kept"] == 1


def test_who_may_come_in(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "Who may come in", server)
    assert status_of(daemon) == 200
    daemon.write(daemon.config.read_text().split("\n", 1)[1].replace("private, ", ""))
    daemon.wait_answer("https://app.test/", lambda answer: answer.status_code == 403)


@pytest.mark.parametrize(("allow", "status"), [("KR, DE, private", 200), ("KR, DE", 403)])
def test_countries(daemon: Daemon, server: backend.Backend, allow: str, status: int) -> None:
    database = address_databases.write(daemon.root / "country.mmdb", address_databases.COUNTRIES)
    replaced = {"/var/lib/GeoIP/GeoLite2-Country.mmdb": str(database), "KR, DE, private": allow}
    serve(daemon, "Countries", server, **replaced)
    assert status_of(daemon) == status
    assert status_of(daemon, "/webhook/") == 200


def test_crowdsec(daemon: Daemon, server: backend.Backend, tmp_path: pathlib.Path) -> None:
    """Nobody who visits here is of an address that can be banned, so what is looked at is that its decisions arrive."""
    with crowdsec.running(tmp_path) as api:
        api.cscli("decisions", "add", "--ip", "203.0.113.7", "--duration", "1h")
        (daemon.root / "crowdsec.key").write_text(api.key)
        serve(daemon, "CrowdSec", server, **{"http://127.0.0.1:8080": api.url})
        assert status_of(daemon) == 200
        daemon.wait(lambda: daemon.look()["bans"] == 1, "its decision")


def test_only_devices_with_a_certificate(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "Only devices with a certificate", server)
    assert (status_of(daemon), status_of(daemon, "/webhook/")) == (403, 200)
    made = json.loads(daemon.cli_good("clients", "add", "phone", "--json"))
    assert (made["file"], made["name"]) == (str(daemon.root / "phone.p12"), "phone")
    own = client_authority.unpack(daemon.root / "phone.p12", made["password"])
    gate = dataclasses.replace(daemon.gate, own=own)
    daemon.wait(lambda: clients.get(gate, "https://app.test/").status_code == 200, "the phone")
    daemon.cli_good("clients", "revoke", "phone")
    assert clients.get(gate, "https://app.test/").status_code == 403


def test_limit_requests(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "Limit requests", server, **{"burst: 20": "burst: 2"})

    def ask_at_once() -> set[int]:
        """One after another they may be slower than the limit."""
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            return set(pool.map(lambda _: status_of(daemon), range(30)))

    daemon.wait(lambda: ask_at_once() == {200, 429}, "some to be refused")


def test_a_maintenance_page(daemon: Daemon, server: backend.Backend) -> None:
    (daemon.root / "soon.html").write_text("back soon")
    serve(daemon, "A maintenance page", server, **{"[private]": "[192.0.2.1]"})
    assert status_of(daemon) == 200
    daemon.cli_good("maintenance", "app.test", "on")
    answer = daemon.get("https://app.test/x")
    assert (answer.status_code, answer.text) == (503, "back soon")
    daemon.cli_good("maintenance", "app.test", "off")
    assert status_of(daemon) == 200


def test_a_cache(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "A cache", server)
    daemon.wait_answer("https://app.test/page", lambda answer: answer.headers.get("X-Cache") == "HIT")
    before = server.seen["GET /page"]
    assert daemon.get("https://app.test/page").headers["X-Cache"] == "HIT"
    assert server.seen["GET /page"] == before


def test_compression(daemon: Daemon, server: backend.Backend) -> None:
    (daemon.root / "files").mkdir()
    (daemon.root / "files" / "index.html").write_text("long " * 1000)
    on = "  on.test:\n    /: {files: files}\n"
    serve(
        daemon,
        "Compression",
        server,
        **{"routes:\n      /: http://": "routes:\n      /files/: {files: files}\n      /: http://"},
    )
    daemon.write(daemon.config.read_text().split("\n", 1)[1] + on)
    daemon.wait_answers("https://on.test/")
    assert daemon.get("https://on.test/").headers.get("Content-Encoding") == "gzip"
    assert "Content-Encoding" not in daemon.get("https://app.test/files/index.html").headers


def test_another_sites_scripts(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "Another site's scripts (CORS)", server)
    answer = clients.get(daemon.gate, "https://app.test/", Origin="https://app.test")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert "Access-Control-Allow-Origin" not in daemon.get("https://app.test/").headers


def test_certificates_of_visitors(daemon: Daemon, server: backend.Backend) -> None:
    daemon.write("sites: {}\n")
    daemon.start()
    daemon.wait((daemon.state / "ca.pem").exists, "the local CA")
    daemon.terminate()
    shutil.copy(daemon.state / "ca.pem", daemon.root / "clients.pem")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", RECIPES["Certificates of visitors"], re.MULTILINE | re.DOTALL)
    daemon.write(text.replace("api.example.com", "app.test").replace(":3000", f":{server.port}"))
    daemon.start()
    daemon.wait_answer("https://app.test/", lambda answer: answer.status_code == 403)
    assert not server.seen


def test_several_machines(daemon: Daemon, server: backend.Backend) -> None:
    with backend.running("two") as second, backend.running("three") as third:
        ports = {"127.0.0.1:3001": f"127.0.0.1:{second.port}", "127.0.0.1:3002": f"127.0.0.1:{third.port}"}
        serve(daemon, "Several machines", server, **ports)
        for _ in range(20):
            assert status_of(daemon) == 200
        assert second.seen["GET /"]
        second.is_unwell = True
        daemon.wait(lambda: "not well" in _servers(daemon), "the server to be out")

        def is_left_alone() -> bool:
            before = second.seen["GET /"]
            return all(status_of(daemon) == 200 for _ in range(20)) and second.seen["GET /"] == before

        daemon.wait(is_left_alone, "all requests to go to the other server")
        assert third.seen["GET /"] == 0, "a backup, while another server is well"


def _servers(daemon: Daemon) -> list[str]:
    """What each server of the site is."""
    return [server["state"] for route in daemon.site("app.test")["routes"] for server in route.get("servers", [])]


def test_what_visitors_got(daemon: Daemon, server: backend.Backend) -> None:
    serve(daemon, "What visitors got", server)
    clients.get(daemon.gate, "https://app.test/api/4711")

    def find(*words: str) -> list[typing.Any]:
        found: list[typing.Any] = json.loads(daemon.cli_good("logs", *words, "--json"))["lines"]
        return found

    daemon.wait(lambda: find("app.test/api/", "--since", "1h", "--status", "2xx"), "the line in the access log")
    (line,) = find("app.test/api/")
    assert (line["uri"], line["status"], line["upstream"]) == ("/api/4711", 200, f"127.0.0.1:{server.port}")
    for command in re.findall(r"^daemun (logs .*?)(?:  .*)?$", RECIPES["What visitors got"], re.MULTILINE):
        words = command.replace("app.example.com", "app.test").replace(" -f", "").split()
        daemon.cli_good(*words)


def test_who_uses_my_bandwidth(daemon: Daemon, server: backend.Backend) -> None:
    first = _run_on_the_log(daemon, "Who uses my bandwidth", server).splitlines()[0]
    assert re.match(r"[0-9]+ 127\.0\.0\.1 app\.test$", first), first


def test_why_do_i_see_502(daemon: Daemon) -> None:
    dead = ports.free_port()
    daemon.write(f"sites: {{app.test: 'http://127.0.0.1:{dead}'}}\n")
    daemon.start()
    daemon.wait_sites("app.test")
    shown = RECIPES["Why do I see 502"].splitlines()
    begin = next(line.strip() for line in shown if line.strip().startswith("cause: "))
    done = daemon.cli("why", f"https://app.test:{daemon.https}/")
    assert begin.replace("127.0.0.1:3000", f"127.0.0.1:{dead}") in done.stdout.splitlines()
    assert done.returncode == 1


def test_php(daemon: Daemon, server: backend.Backend) -> None:
    folders = {"/var/www/wordpress": "blog", "/srv/nextcloud": "cloud", "/srv/shop/public": "shop/public"}
    scripts = ("blog/index.php", "blog/xmlrpc.php", "cloud/remote.php", "shop/public/storage/x.php", "shop/.env.php")
    for script in ("blog/wp-content/uploads/x.php", "cloud/index.php", "shop/public/index.php", *scripts):
        file = daemon.root / script
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("<?php echo basename(__FILE__), ' ', $_SERVER['REQUEST_URI'];")
    (daemon.root / "cloud" / "config").mkdir()
    (daemon.root / "cloud" / "config" / "x.txt").write_text("secret")
    with php_fpm.running() as socket:
        fpm = {"unix:/run/php/php-fpm.sock": f"unix:{socket}", '"127.0.0.1:9000"': f"unix:{socket}"}
        replaced = {one: f"{daemon.root}/{folder}" for one, folder in folders.items()} | fpm
        replaced |= {"server_root: /var/www/html": f"server_root: {daemon.root}/cloud"}
        hosts = {"blog.example.com": "app.test", "cloud.example.com": "cloud.test", "shop.example.com": "shop.test"}
        serve(daemon, "PHP: WordPress, Nextcloud, Laravel", server, **hosts, **replaced)

        def get(url: str) -> tuple[int, str]:
            answer = clients.get(daemon.gate, f"https://{url}")
            return answer.status_code, answer.text

        assert get("app.test/2026/11/a-post/") == (200, "index.php /2026/11/a-post/")
        assert get("app.test/wp-content/uploads/x.php")[1].startswith("index.php")
        assert [get(f"app.test/xmlrpc.php{end}")[1].startswith("xmlrpc") for end in ("", "/")] == [False, False]
        assert get("cloud.test/remote.php/dav/x") == (200, "remote.php /remote.php/dav/x")
        assert get("cloud.test/config/x.txt")[0] == 404
        carddav = clients.get(daemon.gate, "https://cloud.test/.well-known/carddav")
        assert (carddav.status_code, carddav.headers["Location"]) == (301, "/remote.php/dav/")
        assert get("shop.test/storage/x.php") == (200, "index.php /storage/x.php")
        assert get("shop.test/.env.php")[1].startswith("index.php")


def test_mqtt_dns_and_other_servers(daemon: Daemon, tmp_path: pathlib.Path) -> None:
    """Mosquitto and Knot; a client of MQTT stays connected through a reload."""
    broker, clear, secure, names = (ports.free_port() for _ in range(4))
    (text,) = re.findall(r"^```yaml\n(.*?)^```", RECIPES["MQTT, DNS and other servers"], re.MULTILINE | re.DOTALL)
    listening = {"listen: 1883": clear, "listen: 8883": secure, "listen: 53": names}
    for old, port in listening.items():
        text = text.replace(old, f"listen: '127.0.0.1:{port}'")
    text = text.replace("127.0.0.1:11883", f"127.0.0.1:{broker}").replace("mqtt.example.com", "localhost")
    with knot.running_dns("example.test") as dns_servers, mosquitto.running(broker, tmp_path):
        daemon.write(text.replace("10.0.0.2", dns_servers.primary))
        daemon.start()
        daemon.wait(lambda: daemon.cli("status").returncode == 0, "the streams")
        question = dns.message.make_query("example.test", "SOA")
        for ask in (dns.query.udp, dns.query.tcp):
            assert ask(question, "127.0.0.1", port=names, timeout=30).answer[0].name.to_text() == "example.test."
        over_tls = ("-h", "localhost", "--cafile", str(daemon.gate.ca), "-p", str(secure))
        mosquitto.publish("one", "-r", *over_tls)
        with mosquitto.subscribed("-h", "127.0.0.1", "-p", str(clear)) as read:
            assert read() == "one"
            more = f"  more: {{listen: '127.0.0.1:{ports.free_port()}', to: tcp://127.0.0.1:9}}\n"
            daemon.write(daemon.config.read_text().split("\n", 1)[1] + more)
            daemon.wait(lambda: len(daemon.status()["streams"]) == 5, "a change")
            daemon.wait(lambda: daemon.cli("status").returncode == 0, "the same to be live")
            mosquitto.publish("two", *over_tls)
            assert read() == "two"


def test_numbers(daemon: Daemon, server: backend.Backend) -> None:
    first = _run_on_the_log(daemon, "Numbers", server).splitlines()[0]
    assert re.match(r" *[0-9]+ app\.test\s200$", first), first


def test_metrics_in_grafana(tmp_path: pathlib.Path) -> None:
    """What is read: tests/e2e/test_metrics_daemon.py."""
    recipe = RECIPES["Metrics in Grafana"]
    (text,) = re.findall(r"^```yaml\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    assert yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun").problems == ()
    (config,) = re.findall(r"^```yml\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    (queries,) = re.findall(r"^```promql\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    rules = [{"record": f"x:{number}", "expr": query} for number, query in enumerate(queries.splitlines())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    (tmp_path / "prometheus.yml").write_text(f"rule_files: [rules.json]\n{config}")
    promtool = binaries.program("promtool", "prometheus")
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "6 rules found" in done.stdout) == (0, True), done.stdout + done.stderr
    names = set(re.findall(r"daemun_\w+", queries))
    documented = (pathlib.Path(__file__).parents[2] / "docs" / "CONFIGURATION.md").read_text()
    assert all(f"`{name.removesuffix('_bucket')}`" in documented for name in names)


def test_traces_in_jaeger_or_tempo() -> None:
    """What is sent: tests/integration/test_traces.py."""
    recipe = RECIPES["Traces in Jaeger or Tempo"]
    (text,) = re.findall(r"^```yaml\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    (line,) = re.findall(r"^`(tracing: .*?)`", recipe, re.MULTILINE)
    for one in (text, f"{line}\nsites: {{}}\n"):
        found = yaml_file.parse(one, file_name="daemun.yaml", base_dir="/etc/daemun")
        assert found.problems == ()
    compose = (pathlib.Path(__file__).parents[2] / "examples" / "tracing" / "compose.yaml").read_text()
    assert re.findall(r'"(127\.0\.0\.1:[0-9]+):[0-9]+"', compose) == ["127.0.0.1:4318", "127.0.0.1:16686"]
    assert "http://127.0.0.1:4318" in text
    assert "http://127.0.0.1:16686" in recipe


def _run_on_the_log(daemon: Daemon, title: str, server: backend.Backend) -> str:
    """What the recipe's script prints after some requests."""
    binaries.program("jq", "jq")
    serve(daemon, title, server)
    (script,) = re.findall(r"^```sh\n(.*?)^```", RECIPES[title], re.MULTILINE | re.DOTALL)
    log = daemon.state / "logs" / "access.log"
    daemon.wait(lambda: log.exists() and log.read_text(), "a line of the access log")
    assert json.loads(log.read_text().splitlines()[0])["host"] == "app.test"
    script = script.replace("/var/lib/daemun/logs/access.log", str(log))
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=os.environ).stdout


def test_headers_that_protect_browsers(daemon: Daemon, server: backend.Backend) -> None:
    serve(
        daemon, "Headers that protect browsers", server, **{"test.example.com": "few.test", ":3001": f":{server.port}"}
    )
    answer = clients.get(daemon.gate, "https://app.test/")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Robots-Tag" not in answer.headers
    assert "none" in clients.get(daemon.gate, "https://few.test/").headers["X-Robots-Tag"]
