"""What clients of a gate in nginx-proxy's place see of the folders that its owner mounts."""

import json
import ssl

import pytest

from daemun.sources.docker import nginx_proxy_folders
from tests.support import echo, ports, rendered
from tests.support.compat_gate import WEBSOCKET, Mounted, aged, container, gate

pytestmark = pytest.mark.nginx

EXPRESSION = r"~^reg\d\.test$"


def sha1(text: str) -> str:
    return nginx_proxy_folders.sha1(text)


# --- nginx written by hand --------------------------------------------------------------------------------------


@pytest.mark.shows(file="vhost.d/HOST vhost.d/default")
def test_nginx_for_a_host(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/default", "add_header X-Vhost default;")
    mounted.write("vhost.d/b.test", "add_header X-Vhost b; location /static { return 200 here; }")
    mounted.write(f"vhost.d/{sha1(EXPRESSION)}", "add_header X-Vhost expression;")
    with gate(container(one, VIRTUAL_HOST=f"a.test,b.test,{EXPRESSION}"), folders=mounted.read()) as found:
        sent = {host: found.ask(f"http://{host}.test/").headers["X-Vhost"] for host in ("a", "b", "reg1")}
        assert found.ask("http://b.test/static").text == "here"

    assert sent == {"a": "default", "b": "b", "reg1": "expression"}


@pytest.mark.parametrize("name", ["vhost.d/a.test", "vhost.d/a.test_location", "conf.d/own.conf"])
def test_relative_paths_start_at_etc_nginx_in_included_files_too(
    one: echo.EchoServer, mounted: Mounted, name: str
) -> None:
    mounted.write("own/outer.conf", "include own/inner/*.conf;")
    mounted.write("own/inner/1.conf", "add_header X-Inner 1; include own/plain;")
    mounted.write("own/plain", "add_header X-Plain 2;")
    mounted.write(name, "include own/outer.conf;")
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=mounted.read()) as found:
        answer = found.ask("http://a.test/")
        assert (answer.headers["X-Inner"], answer.headers["X-Plain"]) == ("1", "2")
        assert not found.refusals()


@pytest.mark.shows(file="vhost.d/HOST_SHA1_location vhost.d/HOST_location vhost.d/default_location")
def test_nginx_for_a_location(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/default_location", "add_header X-Location default;")
    mounted.write("vhost.d/b.test_location", "add_header X-Location host;")
    mounted.write(f"vhost.d/b.test_{sha1('/app/')}_location", "add_header X-Location path;")
    with gate(
        container(one, "root", VIRTUAL_HOST="a.test,b.test"),
        container(one, "app", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/app/"),
        folders=mounted.read(),
    ) as found:
        urls = ("a.test/", "b.test/", "b.test/app/")
        sent = [found.ask(f"http://{url}").headers["X-Location"] for url in urls]

    assert sent == ["default", "host", "path"]


@pytest.mark.shows(file="vhost.d/HOST_SHA1_location_override vhost.d/HOST_location_override")
def test_nginx_instead_of_a_location(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test_location_override", "location / { proxy_pass http://a.test/inner/; }")
    mounted.write(f"vhost.d/b.test_{sha1('/app/')}_location_override", "location /app/ { return 200 replaced; }")
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/app/"),
        container(one, "c", VIRTUAL_HOST="b.test"),
        folders=mounted.read(),
    ) as found:
        assert found.said("http://a.test/x").path == "/inner/x"
        assert found.ask("http://b.test/app/x").text == "replaced"
        assert found.said("http://b.test/x").path == "/x"


@pytest.mark.shows(file="conf.d/*.conf")
def test_nginx_for_the_whole_gate(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("conf.d/mine.conf", 'map $host $greeting { default "hello $host"; }\nclient_max_body_size 10k;')
    mounted.write("conf.d/default.conf", "server { listen 80; } # nginx-proxy's own")
    mounted.write("conf.d/standalone-cert-mail.test.conf", "server { listen 80; } # acme-companion's")
    mounted.write("vhost.d/a.test", "location /static { return 200 $greeting; access_log /dev/null vhost; }")
    folders = mounted.read()
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=folders) as found:
        assert found.ask("http://a.test/static").text == "hello a.test"
        assert found.ask("http://a.test/", method="POST", content=b"x" * 20_000).status_code == 413
    (problem,) = folders.problems
    assert problem.origin.place.endswith("standalone-cert-mail.test.conf")


@pytest.mark.parametrize(
    "listen",
    [
        "listen {http} default_server;",
        "listen *:{http} default_server;",
        "listen 0.0.0.0:{http} default_server backlog=64;",
        "listen 127.0.0.1:{http} default_server;",
        "listen {https} ssl default_server;",
        "listen 127.0.0.1:{http} default_server; listen 127.0.0.1:{https} ssl default_server;",
    ],
)
def test_a_default_server_of_the_owner_wins(one: echo.EchoServer, mounted: Mounted, listen: str) -> None:
    """M4: for the addresses that it names."""
    certificate, key = rendered.self_signed("unknown.test")
    mounted.write("certs/own.crt", certificate)
    mounted.write("certs/own.key", key)
    mounted.certify("secure.test", "secure.test")
    tls = f"ssl_certificate {mounted.root}/certs/own.crt; ssl_certificate_key {mounted.root}/certs/own.key;"
    http, https = ports.free_port(), ports.free_port()
    server = f"server {{ {listen.format(http=http, https=https)} server_name _; {tls} return 200 mine; }}"
    mounted.write("conf.d/zz.conf", server)
    hosts = [container(one, name, VIRTUAL_HOST=f"{name}.test") for name in ("clear", "secure")]
    at = rendered.At(http=http, https=https, host="127.0.0.1" if "127" in listen else "0.0.0.0")
    with gate(*hosts, folders=mounted.read(), at=at) as found:
        assert found.said("http://clear.test/").server == "one"
        assert found.said("https://secure.test/").server == "one"
        unknown = found.ask("http://unknown.test/")
        assert (unknown.text == "mine") is ("{http}" in listen)
        if "{http}" not in listen:
            assert unknown.status_code == 503
        if "{https}" in listen:
            trusting = ssl.create_default_context(cafile=f"{mounted.root}/certs/own.crt")
            assert found.ask_over("unknown.test", trusting).text == "mine"
        else:
            assert found.handshake("unknown.test").alert == "TLSV1_UNRECOGNIZED_NAME"


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("gzip off;\n\nno_such_directive on;", 3),
        ("proxy_set_header X-Real-IP hidden; # mine\nclient_max_body_size lots;", 2),
        ("server {\n  listen 80 default_server;\n  root x y;\n}", 3),
        ("server { listen 127.0.0.1:{http} default_server;\nlocation / {\nno_such_directive on; } }", 3),
        ("map $host $one { default 1; }\nmap $host {", 2),
        ('log_format mine "$no_such_variable";', None),
    ],
)
@pytest.mark.parametrize("was_good", [False, True])
def test_a_bad_file_of_conf_d_is_set_aside_alone(
    one: echo.EchoServer, mounted: Mounted, broken: str, line: int | None, *, was_good: bool
) -> None:
    """M4: with its own line; what of ours gave way to it is there again."""
    mounted.write("conf.d/aa.conf", 'add_header X-First yes always; map $host $first { default "first"; }')
    mounted.write("conf.d/mm.conf", "add_header X-Bad no always;")
    mounted.write("conf.d/zz.conf", "client_max_body_size 10k;")
    hosts = (container(one, VIRTUAL_HOST="a.test"),)
    with gate(*hosts, folders=mounted.read()) as before:
        pass
    mounted.write("conf.d/mm.conf", broken.replace("{http}", str(http := ports.free_port())))
    mounted.write("vhost.d/a.test", "location = /first { return 200 $first; }")
    folders = mounted.read()
    at = rendered.At(http=http)
    with gate(*hosts, folders=folders, last_good=before.nginx.files if was_good else {}, at=at) as found:
        answer = found.ask("http://a.test/first")
        assert (answer.text, answer.headers.get("X-First")) == ("first", "yes")
        assert found.ask("http://a.test/", method="POST", content=b"x" * 20_000).status_code == 413
        headers = found.said("http://a.test/", headers={"X-Real-IP": "9.9.9.9"}).headers
        assert headers["x-real-ip"] == "127.0.0.1"
        assert found.ask("http://unknown.test/").status_code == 503
        told = "\n".join((*(str(problem) for problem in folders.problems), found.refusals()))
    assert "conf.d/mm.conf" in told
    assert "aa.conf" not in told
    assert "zz.conf" not in told
    if line is not None:
        assert f"mm.conf:{line}" in told or f"line {line}:" in told


@pytest.mark.shows(file="proxy.conf")
def test_headers_for_servers(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write(
        "proxy.conf", 'proxy_set_header X-Real-IP "hidden";\nproxy_set_header X-Mine $proxy_x_forwarded_proto;'
    )
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=mounted.read()) as found:
        headers = found.said("http://a.test/").headers

    assert (headers["x-real-ip"], headers["x-mine"]) == ("hidden", "http")
    assert headers["x-forwarded-for"] == "127.0.0.1"


def test_nginx_that_cannot_be_parsed_opens_nothing(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test", "allow 10.0.0.0/8; deny all; }")
    folders = mounted.read()
    with gate(
        container(one, VIRTUAL_HOST="a.test"), container(one, "b", VIRTUAL_HOST="b.test"), folders=folders
    ) as found:
        assert found.ask("http://a.test/").status_code == 503
        assert found.ask("http://b.test/").status_code == 200
    assert 'unexpected "}"' in folders.problems[0].message


COMPANIONS = """\
## Start of configuration add by letsencrypt container
location ^~ /.well-known/acme-challenge/ {
    auth_basic off;
    auth_request off;
    allow all;
    root /usr/share/nginx/html;
    try_files $uri =404;
    break;
}
## End of configuration add by letsencrypt container
add_header X-Mine yes;
"""


def test_what_acme_companion_left_in_vhost_d_does_no_harm(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("vhost.d/default", COMPANIONS)
    token = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
    hosts = (
        container(one, "clear", VIRTUAL_HOST="clear.test"),
        container(one, "secure", VIRTUAL_HOST="secure.test", LETSENCRYPT_HOST="secure.test"),
    )
    with gate(*hosts, folders=mounted.read()) as found:
        for url in ("http://clear.test", "https://secure.test"):
            assert found.ask(f"{url}/").headers["X-Mine"] == "yes"
        for host in ("clear", "secure"):
            assert found.ask(f"http://{host}.test{token}").text.endswith(f".{rendered.THUMBPRINT}")
    with gate(*hosts[:1], folders=mounted.read(), environ={"ACME_HTTP_CHALLENGE_LOCATION": "false"}) as found:
        assert found.ask(f"http://clear.test{token}").status_code == 404


# --- passwords and pages ----------------------------------------------------------------------------------------


@pytest.mark.shows(file="htpasswd/HOST htpasswd/HOST_SHA1")
def test_passwords(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("htpasswd/a.test", "me:{PLAIN}secret\n")
    mounted.write(f"htpasswd/{sha1(EXPRESSION)}", "me:{PLAIN}secret\n")
    mounted.write(f"htpasswd/b.test_{sha1('/shut/')}", "me:{PLAIN}secret\n")
    with gate(
        container(one, "a", VIRTUAL_HOST="a.test", LETSENCRYPT_HOST="a.test"),
        container(one, "b", VIRTUAL_HOST=f"b.test,{EXPRESSION}"),
        container(one, "c", VIRTUAL_HOST="b.test", VIRTUAL_PATH="/shut/"),
        folders=mounted.read(),
    ) as found:
        refused = found.ask("https://a.test/")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="Restricted a.test"')
        assert found.ask("https://a.test/", headers=WEBSOCKET).status_code == 401
        assert found.ask("https://a.test/", headers=ALLOWED).status_code == 200
        assert found.ask("http://b.test/").status_code == 200
        assert found.ask("http://b.test/shut/").status_code == 401
        assert found.ask("http://b.test/shut/", headers=ALLOWED).status_code == 200
        assert found.ask("http://reg1.test/").status_code == 401


ALLOWED = {"Authorization": "Basic bWU6c2VjcmV0"}  # me:secret


@pytest.mark.parametrize(
    ("value", "called_after", "path"),
    [
        ("~ ^/admin/", "~ ^/admin/", "/admin/x"),
        ("~ ^/admin/", "~^/admin/", "/admin/x"),
        ("~  ^/admin/", "~  ^/admin/", "/admin/x"),
        ("~*  ^/admin/", "~*  ^/admin/", "/ADMIN/x"),
        ("~\t^/admin/", "~\t^/admin/", "/admin/x"),
        ("~^/admin/ ", "~^/admin/ ", "/admin/x"),
        ("/admin/ ", "/admin/ ", "/admin/x"),
        (" /admin/", "/admin/", "/admin/x"),
        ("/", "/", "/admin/x"),
        ("/ü/", "/ü/", "/%C3%BC/x"),
    ],
)
def test_files_called_after_the_raw_path_guard_it(
    one: echo.EchoServer, mounted: Mounted, value: str, called_after: str, path: str
) -> None:
    """M1: the digest is that of `echo -n "$VIRTUAL_PATH" | sha1sum`."""
    mounted.write(f"htpasswd/a.test_{sha1(called_after)}", "me:{PLAIN}secret\n")
    mounted.write(f"vhost.d/a.test_{sha1(called_after)}_location", "add_header X-Location path;")
    with gate(container(one, VIRTUAL_HOST="a.test", VIRTUAL_PATH=value), folders=mounted.read()) as found:
        assert found.ask(f"http://a.test{path}").status_code == 401
        assert found.ask(f"http://a.test{path}", headers=WEBSOCKET).status_code == 401
        answer = found.ask(f"http://a.test{path}", headers=ALLOWED)
        assert (answer.status_code, answer.headers["X-Location"]) == (200, "path")
        assert found.warnings() == ""


@pytest.mark.parametrize(
    ("key", "called_after", "path"),
    [
        ("~ ^/admin/", "~ ^/admin/", "/admin/x"),
        ("~ ^/admin/", "~^/admin/", "/admin/x"),
        ("~*^/Admin/", "~*^/Admin/", "/ADMIN/x"),
        ("~^/(admin|intern)/", "~^/(admin|intern)/", "/intern/x"),
        (" /admin/", " /admin/", "/admin/x"),
        ("/admin/ ", "/admin/", "/admin/x"),
        (" ~ ^/admin/", " ~ ^/admin/", "/admin/x"),
    ],
)
def test_files_called_after_a_path_of_several_ports_guard_it(
    one: echo.EchoServer, mounted: Mounted, key: str, called_after: str, path: str
) -> None:
    """M1: an expression among the paths of VIRTUAL_HOST_MULTIPORTS is a location with its password, as there."""
    mounted.write(f"htpasswd/a.test_{sha1(called_after)}", "me:{PLAIN}secret\n")
    several = json.dumps({"a.test": {"/": {"port": one.port}, key: {"port": one.port}}})
    with gate(container(one, VIRTUAL_HOST_MULTIPORTS=several), folders=mounted.read()) as found:
        assert found.ask("http://a.test/").status_code == 200
        assert found.ask(f"http://a.test{path}").status_code == 401
        assert found.ask(f"http://a.test{path}", headers=WEBSOCKET).status_code == 401
        assert found.ask(f"http://a.test{path}", headers=ALLOWED).status_code == 200
        assert found.warnings() == ""


def test_the_raw_path_of_any_container_of_a_route_counts(one: echo.EchoServer, mounted: Mounted) -> None:
    """M1: two containers spell one path differently, and the file is called after the younger one's spelling."""
    mounted.write(f"htpasswd/a.test_{sha1('~ ^/admin/')}", "me:{PLAIN}secret\n")
    with gate(
        aged(container(one, "old", VIRTUAL_HOST="a.test", VIRTUAL_PATH="~^/admin/"), 60),
        container(one, "new", VIRTUAL_HOST="a.test", VIRTUAL_PATH="~ ^/admin/"),
        folders=mounted.read(),
    ) as found:
        assert found.ask("http://a.test/admin/").status_code == 401
        assert found.ask("http://a.test/admin/", headers=ALLOWED).status_code == 200


@pytest.mark.parametrize(
    ("host", "file", "url"),
    [
        ("A.Test", "A.Test", "a.test"),
        ("A.Test", "a.test", "a.test"),
        ("a.test", "A.TEST", "a.test"),
        ("bücher.test", "bücher.test", "xn--bcher-kva.test"),
        ("*.A.test", "*.A.test", "x.a.test"),
        ("WWW.a.*", "WWW.a.*", "www.a.test"),
        ("~^R\\d\\.test$", sha1("~^R\\d\\.test$"), "r1.test"),
    ],
)
def test_files_called_after_a_host_guard_it_however_it_is_spelled(
    one: echo.EchoServer, mounted: Mounted, host: str, file: str, url: str
) -> None:
    """M1."""
    mounted.write(f"htpasswd/{file}", "me:{PLAIN}secret\n")
    mounted.write(f"vhost.d/{file}", "add_header X-Vhost host;")
    with gate(container(one, VIRTUAL_HOST=host), folders=mounted.read()) as found:
        assert found.ask(f"http://{url}/").status_code == 401
        answer = found.ask(f"http://{url}/", headers=ALLOWED)
        assert (answer.status_code, answer.headers["X-Vhost"]) == (200, "host")
        assert found.warnings() == ""


def test_a_folder_where_passwords_were_to_be_mounted_lets_nobody_in(one: echo.EchoServer, mounted: Mounted) -> None:
    """M1: Docker makes a folder of a file that is missing on the host."""
    mounted.write("htpasswd/a.test/x", "")
    mounted.write("vhost.d/b.test/x", "")
    mounted.write("htpasswd/x", "")
    (mounted.root / "htpasswd/c.test").symlink_to("gone")
    folders = mounted.read()
    hosts = [container(one, name, VIRTUAL_HOST=f"{name}.test") for name in "abc"]
    with gate(*hosts, folders=folders) as found:
        for headers, statuses in (({}, [401, 503, 401]), (ALLOWED, [500, 503, 403])):
            assert [found.ask(f"http://{name}.test/", headers=headers).status_code for name in "abc"] == statuses
    told = [problem.origin.place for problem in folders.problems]
    assert [place.removeprefix(f"{mounted.root}/") for place in told if place] == [
        "vhost.d/b.test",
        "htpasswd/a.test",
        "htpasswd/c.test",
    ]


@pytest.mark.shows(file="/usr/share/nginx/html/errors/50x.html")
def test_the_page_of_the_fallback(one: echo.EchoServer, mounted: Mounted) -> None:
    mounted.write("usr/share/nginx/html/errors/50x.html", "<h1>come back later</h1>")
    with gate(container(one, VIRTUAL_HOST="a.test"), folders=mounted.read()) as found:
        answer = found.ask("http://unknown.test/")

    assert (answer.status_code, answer.text) == (503, "<h1>come back later</h1>")
