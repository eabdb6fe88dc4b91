"""What Debian's newest nginx can and the bundled one cannot is used, as clients see it; and one can go back."""

import gzip
import pathlib
import re
import subprocess
import textwrap

import pytest

from daemun import errors
from daemun.nginx import find_nginx
from tests.support import clients, debian_program, http3
from tests.support.daemon import Daemon, signpost
from tests.support.debian_mirror import packages  # noqa: F401 fixture

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]  # a busy machine takes minutes to read lists of packages

Packages = tuple[pathlib.Path, ...]


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Of the newest, for the system's knows no X25519MLKEM768 yet."""
    try:
        return debian_program.unpack("openssl", "usr/bin/openssl", tmp_path_factory.mktemp("openssl") / "unpacked")
    except errors.EnvironmentProblemError as error:
        pytest.skip(f"Debian's openssl cannot be had: {error}")


@pytest.fixture
def installed(daemon: Daemon, packages: Packages) -> Daemon:  # noqa: F811
    """A daemun whose next nginx is Debian's."""
    if find_nginx.find_bundled() is None:
        pytest.skip("the extra daemun[nginx] is not installed")
    del daemon.environment["DAEMUN_NGINX"]
    done = daemon.cli("nginx", "install", "--from", *map(str, packages), within_s=280)
    assert done.returncode == 0, done.stderr
    return daemon


def exchange(openssl: pathlib.Path, port: int, *options: str) -> str:
    """The group of a handshake's key exchange, as OpenSSL names it."""
    command = [str(openssl), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "a.test", *options]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    found = re.search(r"Negotiated TLS1\.3 group: (\S+)|Peer Temp Key: (?:ECDH, )?(\S+?),", done.stdout.decode())
    assert found is not None, done.stdout + done.stderr
    return found[1] or found[2]


def test_handshakes_are_safe_from_quantum_computers_where_both_sides_can(
    installed: Daemon, openssl: pathlib.Path
) -> None:
    installed.write("sites:\n" + signpost("a.test", "one"))
    installed.start()
    installed.wait_sign("a.test", "one")
    port = installed.https
    assert exchange(openssl, port, "-groups", "X25519MLKEM768") == "X25519MLKEM768"
    # Also where the client takes others: OpenSSL's own choice, and what browsers offer.
    assert exchange(openssl, port) == "X25519MLKEM768"
    assert exchange(openssl, port, "-groups", "*X25519MLKEM768:*X25519:P-256") == "X25519MLKEM768"
    # Who does not know it is served as before.
    assert exchange(openssl, port, "-groups", "X25519") == "X25519"
    assert exchange(openssl, port, "-groups", "P-256") == "prime256v1"
    assert exchange(openssl, port, "-tls1_2") == "X25519"


def test_the_files_of_the_newer_openssl_are_taken_by_the_older_one(installed: Daemon, openssl: pathlib.Path) -> None:
    """With daemun down, whatever starts nginx on what ran last."""
    installed.write("sites:\n" + signpost("a.test", "one"))
    installed.start()
    installed.wait_sign("a.test", "one")
    current = installed.state / "nginx" / "current" / "nginx.conf"
    assert "?X25519MLKEM768:" in current.read_text()
    bundled = find_nginx.find_bundled()
    assert bundled is not None
    text = re.sub(r"(?m)^ *load_module .*$", "", current.read_text())
    (current.parent / "without-modules.conf").write_text(text)
    command = [bundled, "-t", "-c", str(current.parent / "without-modules.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr

    installed.cli_good("stop")
    assert installed.wait_exit() == 0
    installed.environment["DAEMUN_NGINX"] = bundled
    installed.start()
    installed.wait_sign("a.test", "one")
    assert exchange(openssl, installed.https) == "X25519"


def test_brotli_and_files_that_are_compressed_already(installed: Daemon) -> None:
    folder = installed.root / "pub"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "page.css").write_text("plain " * 1000)
    (folder / "ready.css").write_text("plain")
    (folder / "ready.css.gz").write_bytes(gzip.compress(b"ready by gzip"))
    (folder / "ready.css.br").write_bytes(b"ready by br")
    (folder / "long.css").write_text("plain " * 1000)
    (folder / "long.css.br").write_bytes(b"not looked at")
    installed.write(
        f"""\
        compress: {{brotli: true, precompressed: true}}
        sites:
          a.test:
            /: {{redirect: 'https://sign.test/one', status: 302}}
            /files/: {{files: {folder}}}
            /plain/: {{files: {folder}, compress: false}}
            /gzip/: {{files: {folder}, compress: true}}
        """
    )
    assert installed.cli_good("check").count("\n") == 1
    installed.start()
    installed.wait_sign("a.test", "one")

    def encoding(path: str, accepted: str) -> str | None:
        answer = clients.get(installed.gate, f"https://a.test{path}", Accept_Encoding=accepted)
        assert answer.status_code == 200
        assert "Accept-Encoding" in answer.headers.get("Vary", "Accept-Encoding")
        return str(answer.headers["Content-Encoding"]) if "Content-Encoding" in answer.headers else None

    for path, accepted, expected in (
        ("/files/page.css", "gzip, br", "br"),
        ("/files/page.css", "gzip", "gzip"),
        ("/files/page.css", "identity", None),
        ("/files/ready.css", "br", None),
        ("/files/long.css", "br", "br"),
        ("/files/ready.css", "gzip", "gzip"),
        ("/files/ready.css", "identity", None),
        ("/plain/page.css", "gzip, br", None),
        ("/plain/ready.css", "gzip, br", None),
        ("/gzip/page.css", "gzip, br", "gzip"),
        ("/gzip/ready.css", "br", None),
    ):
        assert encoding(path, accepted) == expected, (path, accepted)


def test_http_3_by_nginx_of_the_owner(installed: Daemon) -> None:
    installed.write(
        f"""\
        sites:
          a.test:
            routes:
              /: {{redirect: 'https://sign.test/one', status: 302}}
              /files/: {{files: {installed.root / "pub"}}}
            nginx: |
              listen 127.0.0.1:{installed.https} quic reuseport;
              add_header Alt-Svc 'h3=":{installed.https}"; ma=86400' always;
        """
    )
    folder = installed.root / "pub"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "page.txt").write_text("over QUIC")
    installed.start()
    installed.wait_sign("a.test", "one")
    assert f'h3=":{installed.https}"' in installed.get("https://a.test/files/page.txt").headers["Alt-Svc"]
    headers, body = http3.get(installed.https, "a.test", "/files/page.txt", installed.gate.ca)
    assert (headers[":status"], body) == ("200", b"over QUIC")
    headers, _ = http3.get(installed.https, "a.test", "/", installed.gate.ca)
    assert (headers[":status"], headers["location"]) == ("302", "https://sign.test/one")


def test_http_3(installed: Daemon) -> None:
    folder = installed.root / "pub"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "page.txt").write_text("over QUIC")
    sites = f"""\
        sites:
          a.test:
            routes:
              /: {{redirect: 'https://sign.test/one', status: 302}}
              /files/: {{files: {folder}}}
              /guarded/: {{files: {folder}, access: {{allow: [203.0.113.7]}}}}
          b.test: {{/: {{redirect: 'https://sign.test/two', status: 302}}}}
        """
    installed.write(f"{textwrap.dedent('        http3: true')}\n{textwrap.dedent(sites)}")
    checked = installed.cli("check")
    assert (checked.returncode, "http3: makes each change that reloads nginx end" in checked.stdout) == (0, True)
    installed.start()
    installed.wait_sign("a.test", "one")
    for path in ("/", "/files/page.txt", "/guarded/page.txt", "/none"):
        answer = installed.get(f"https://a.test{path}")
        assert answer.headers["Alt-Svc"] == f'h3=":{installed.https}"; ma=86400', path
    assert "Alt-Svc" not in installed.get("http://a.test/").headers

    def over_quic(host: str, path: str) -> tuple[str, bytes]:
        headers, body = http3.get(installed.https, host, path, installed.gate.ca)
        return headers[":status"], body

    assert over_quic("a.test", "/files/page.txt") == ("200", b"over QUIC")
    assert over_quic("a.test", "/guarded/page.txt")[0] == "403"
    assert over_quic("b.test", "/")[0] == "302"
    with pytest.raises(ConnectionError):
        http3.get(installed.https, "unknown.test", "/", installed.gate.ca)

    # Off again, without a restart.
    installed.write(textwrap.dedent(sites))
    installed.cli_good("apply")
    assert "Alt-Svc" not in installed.get("https://a.test/").headers


def _signposts(gate: str, chosen: dict[str, str]) -> str:
    """gate: lines of the whole file. chosen: host -> further lines of the site."""
    hosts = ""
    for number, (host, more) in enumerate(chosen.items()):
        routes = f"    routes: {{/: {{redirect: 'https://sign.test/{number}', status: 302}}}}\n"
        hosts += f"  '{host}':\n{textwrap.indent(more, '    ')}{routes}"
    return f"{gate}sites:\n{hosts}"


def _found_over_quic(daemon: Daemon, host: str) -> str | None:
    """Where the site leads; None: the handshake is refused."""
    try:
        headers, _ = http3.get(daemon.https, host, "/", daemon.gate.ca)
    except ConnectionError:
        return None
    return headers["location"].rpartition("/")[2]


@pytest.mark.parametrize("gate", ["http3: true\n", ""], ids=["without one site", "for one site"])
def test_http_3_by_site(installed: Daemon, gate: str) -> None:
    """The listeners are the same for all sites, and each name is there or not."""
    on, off = ("", "http3: false\n") if gate else ("http3: true\n", "")
    chosen = {"*.apps.test": on, "quick.test": on, "slow.test": off, "slow.apps.test": off}
    installed.write(_signposts(gate, chosen))
    installed.start()
    installed.wait_sign("slow.test", "2")
    for host, has_it in (
        ("quick.test", True),
        ("any.apps.test", True),
        ("slow.test", False),
        ("slow.apps.test", False),
    ):
        answer = installed.get(f"https://{host}/")
        assert ("Alt-Svc" in answer.headers) == has_it, host
    assert installed.get("https://slow.apps.test/").headers["Location"] == "https://sign.test/3"
    assert _found_over_quic(installed, "quick.test") == "1"
    assert _found_over_quic(installed, "any.apps.test") == "0"
    assert _found_over_quic(installed, "slow.test") is None
    assert _found_over_quic(installed, "slow.apps.test") is None, "nor by the site of the wildcard"

    # A connection for another name leads there neither.
    headers, _ = http3.get(installed.https, "quick.test", "/", installed.gate.ca, authority="slow.test")
    assert headers[":status"] == "421"

    # The other way round, without a restart.
    installed.write(_signposts(gate, chosen | {"quick.test": off or "http3: false\n", "slow.test": "http3: true\n"}))
    installed.cli_good("apply")
    assert (_found_over_quic(installed, "quick.test"), _found_over_quic(installed, "slow.test")) == (None, "2")
    assert "Alt-Svc" not in installed.get("https://quick.test/").headers
