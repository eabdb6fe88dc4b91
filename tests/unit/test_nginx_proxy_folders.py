"""What is found in the folders that people mount into nginx-proxy, and which file is for what."""

import pathlib

import pytest

from daemun.core import directive, model, serialise
from daemun.sources.docker import containers, nginx_proxy, nginx_proxy_gate, nginx_proxy_reader, recent_claims
from daemun.sources.docker import nginx_proxy_folders as folders
from daemun.sources.docker import nginx_proxy_sites as sites
from tests.support import docker_values as values
from tests.support import rendered

SHA1_OF_APP1 = "8610f6c344b4096614eab6e09d58885349f42faf"
"""Of "/app1/", as nginx-proxy's documentation shows it."""


class Mounted:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.reader = nginx_proxy_reader.NginxProxyReader(str(root), machine=str(root))

    def write(self, path: str, content: str | bytes = "") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def certify(self, name: str, *hosts: str) -> None:
        certificate, key = rendered.self_signed(*hosts)
        self.write(f"certs/{name}.crt", certificate)
        self.write(f"certs/{name}.key", key)

    def read(self) -> folders.Folders:
        return self.reader.read()


@pytest.fixture
def mounted(tmp_path: pathlib.Path) -> Mounted:
    return Mounted(tmp_path)


def said(snippet: model.Snippet) -> list[str]:
    return [node.name for node in snippet if isinstance(node, directive.Directive)]


def test_nothing_is_mounted(mounted: Mounted) -> None:
    found = mounted.read()

    assert found == folders.Folders(root=str(mounted.root), web_root=f"{mounted.root}/usr/share/nginx/html")


def test_files_are_called_by_host_and_by_the_digest_of_the_path() -> None:
    assert folders.sha1("/app1/") == SHA1_OF_APP1
    assert folders.file_name("a.test") == "a.test"
    assert folders.file_name("*.a.test") == "*.a.test"
    assert folders.file_name("~^a") == folders.sha1("~^a")


def test_the_nearest_file_for_a_location_is_taken(mounted: Mounted) -> None:
    mounted.write("vhost.d/default_location", "add_header A 1;")
    mounted.write("vhost.d/a.test_location", "gzip off;")
    mounted.write(f"vhost.d/a.test_{SHA1_OF_APP1}_location", "etag off;")
    found = mounted.read()

    assert said(folders.find_location(found, "b.test", "/")[2]) == ["add_header"]
    assert said(folders.find_location(found, "a.test", "/")[2]) == ["gzip"]
    assert said(folders.find_location(found, "a.test", "/app1/")[2]) == ["etag"]


def test_a_location_that_is_replaced(mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test_location_override", "location / { return 200; }")
    mounted.write(f"vhost.d/b.test_{SHA1_OF_APP1}_location_override", "location /app1/ { return 200; }")
    found = mounted.read()

    assert folders.find_location(found, "a.test", "/")[:2] == (True, True)
    assert folders.find_location(found, "a.test", "/app1/")[:2] == (True, False)
    assert folders.find_location(found, "b.test", "/app1/")[:2] == (True, True)


def test_a_file_that_breaks_keeps_what_it_said(mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test", "gzip off;")
    mounted.read()
    mounted.write("vhost.d/a.test", "gzip off")
    found = mounted.read()

    assert said(found.vhost("a.test")[1]) == ["gzip"]
    assert "what it said before is still used" in found.problems[0].message
    assert found.problems[0].origin.place.endswith("vhost.d/a.test")


def test_a_file_that_never_was_good_is_not_nothing(mounted: Mounted) -> None:
    mounted.write("vhost.d/a.test", b"\xff\xfe")

    assert mounted.read().vhost("a.test") == (False, ())


def test_conf_d_without_what_nginx_proxy_made(mounted: Mounted) -> None:
    mounted.write("conf.d/default.conf", "server { listen 80; }")
    mounted.write("conf.d/b.conf", "gzip on;")
    mounted.write("conf.d/a.conf", "etag off;")
    mounted.write("conf.d/notes.txt", "}")
    mounted.write("proxy.conf", "proxy_buffering off;")

    assert [said(part.snippet) for part in mounted.read().http] == [["etag"], ["gzip"], ["proxy_buffering"]]


def test_which_networks_are_internal(mounted: Mounted) -> None:
    """M2: as it is written, and nobody where it cannot be used, whatever it said before."""

    def internal() -> list[str]:
        written = serialise.serialise(mounted.read().internal or ())
        lines = written.decode().splitlines()
        return [line.partition("  # ")[0] for line in lines if line and not line.startswith("#")]

    mounted.write("network_internal.conf", "allow 10.1.0.0/16; deny 192.0.2.1; allow unix:; # us\ndeny all;")
    assert internal() == ["allow 10.1.0.0/16;", "deny 192.0.2.1;", "allow unix:;", "deny all;"]
    mounted.write("network_internal.conf", "satisfy any; auth_basic x; deny all;")
    assert internal() == ["satisfy any;", "auth_basic x;", "deny all;"]

    mounted.write("network_internal.conf", "allow 10.1.0.0/16;")
    assert internal() == ["allow 10.1.0.0/16;", "deny all;"]
    assert mounted.read().problems == ()

    for broken, cause in (
        ("allow 10.0.0.0/8; }", 'line 1: unexpected "}"'),
        ("allow all;\ndeny all", 'line 2: expected ";"'),
        (b"\xff\xfe", "decode"),
        ("# allow 10.0.0.0/8;", "it says nothing"),
        ("", "it says nothing"),
    ):
        mounted.write("network_internal.conf", broken)
        assert internal() == ["deny all;"]
        (problem,) = mounted.read().problems
        assert cause in problem.message
        assert "no visitor is let in where NETWORK_ACCESS is internal" in problem.message
        assert "before" not in problem.message


@pytest.mark.parametrize(
    ("written", "included", "lines"),
    [
        ("include own/inner.conf;", "allow 10.1.0.0/16; deny all;", ["allow 10.1.0.0/16;", "deny all;"]),
        ("include own/inner.conf;", "allow 10.1.0.0/16;", ["allow 10.1.0.0/16;", "deny all;"]),
        ("include own/inner.conf; deny all;", "allow 10.1.0.0/16;", ["allow 10.1.0.0/16;", "deny all;"]),
        ("include own/*.conf;", "allow 10.1.0.0/16;", ["allow 10.1.0.0/16;", "deny all;"]),
        ("include own/inner.conf;", "include own/more;", ["allow 192.0.2.1;", "deny all;"]),
        ("include own/none*.conf;", "", ["deny all;"]),
        ("include own/inner.conf;", "# allow all;", ["deny all;"]),
    ],
)
def test_internal_networks_may_stand_in_files_that_are_included(
    mounted: Mounted, written: str, included: str, lines: list[str]
) -> None:
    mounted.write("own/inner.conf", included)
    mounted.write("own/more", "allow 192.0.2.1;")
    mounted.write("network_internal.conf", written)
    found = mounted.read()
    text = serialise.serialise(found.internal or ()).decode().splitlines()
    assert [line.partition("  # ")[0] for line in text if line and not line.startswith("#")] == lines
    assert [problem.message for problem in found.problems if "it says nothing" not in problem.message] == []


@pytest.mark.parametrize(
    ("included", "cause"),
    [
        (None, "own/inner.conf: no such file or directory"),
        ("allow all", 'own/inner.conf:1: expected ";" after "allow"'),
        ("include own/inner.conf;", "own/inner.conf includes itself"),
    ],
)
def test_internal_networks_in_a_file_that_cannot_be_read_let_nobody_in(
    mounted: Mounted, included: str | None, cause: str
) -> None:
    if included is not None:
        mounted.write("own/inner.conf", included)
    mounted.write("network_internal.conf", "allow 10.0.0.0/8; include own/inner.conf;")
    found = mounted.read()
    assert found.internal == model.NOBODY
    (problem,) = found.problems
    assert cause in problem.message
    assert "no visitor is let in where NETWORK_ACCESS is internal" in problem.message


def test_a_folder_in_the_place_of_the_internal_networks_lets_nobody_in(mounted: Mounted) -> None:
    """M2: Docker makes one of a file that is missing on the host."""
    mounted.write("network_internal.conf/x")
    found = mounted.read()

    assert found.internal == model.NOBODY
    assert "is a directory" in found.problems[0].message


def test_what_is_not_used_is_told(mounted: Mounted) -> None:
    mounted.write("toplevel.conf.d/mqtt.conf", "stream {}")
    mounted.write("certs/a.test.dhparam.pem", "x")
    mounted.write("certs/a.test.chain.pem", "x")
    told = [str(problem) for problem in mounted.read().problems]

    assert len(told) == 3
    assert any("streams are not supported" in text for text in told)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("certs/b.test.crt", 'its key "b.test.key" is not there'),
        ("certs/dhparam.pem", "DHE parameters"),
        ("dhparam/dhparam.pem", "DHE parameters"),
        ("conf.d/standalone-cert-mail.test.conf", "acme-companion made it"),
        ("app/letsencrypt_user_data", "a site of daemun.yaml"),
        ("letsencrypt_user_data", "a site of daemun.yaml"),
        ("app/nginx.tmpl", "daemun has no template"),
        ("etc/acme.sh/me@example.com/ca.conf", "daemun has an account of its own"),
    ],
)
def test_what_people_mount_and_daemun_does_not_use_is_told(mounted: Mounted, path: str, why: str) -> None:
    mounted.write(path, "x")
    (problem,) = mounted.read().problems

    assert problem.severity is model.Severity.WARNING
    assert why in problem.message
    assert problem.origin.place.startswith(str(mounted.root))


def test_what_acme_companion_made_of_standalone_certificates_is_not_taken(mounted: Mounted) -> None:
    mounted.write("conf.d/standalone-cert-mail.test.conf", "server { access_log /var/log/nginx/access.log vhost; }")

    assert mounted.read().http == ()


def test_the_challenge_is_left_out_where_daemun_answers_it(mounted: Mounted) -> None:
    mounted.write("vhost.d/default", "location ^~ /.well-known/acme-challenge/ { root /x; } gzip off;")
    found = mounted.read()

    assert said(folders.find_server(found, "a.test", answers_challenge=True)[1]) == ["gzip"]
    assert said(folders.find_server(found, "a.test", answers_challenge=False)[1]) == ["location", "gzip"]
    assert "its location for the ACME challenge is not used" in found.problems[0].message


def test_every_file_is_watched(mounted: Mounted) -> None:
    before = mounted.reader.sign()
    for path in ("certs/a.crt", "vhost.d/a", "proxy.conf", "usr/share/nginx/html/errors/50x.html"):
        mounted.write(path, "x")
        after = mounted.reader.sign()
        assert after != before, path
        before = after


@pytest.mark.parametrize("name", ["vhost.d/a.test", "conf.d/own.conf", "network_internal.conf", "proxy.conf"])
@pytest.mark.parametrize("include", ["include ROOT/snippets/more/*.conf;", "include snippets/more/*.conf;"])
def test_what_hand_written_nginx_includes_counts(mounted: Mounted, name: str, include: str) -> None:
    """Relative paths start at /etc/nginx, as there; nginx loads the files once."""
    mounted.write("snippets/x.conf", f"# a comment\n{include.replace('ROOT', str(mounted.root))}\n")
    mounted.write("snippets/more/1.conf", "deny 10.0.0.1;\n")
    mounted.write(name, "include snippets/x.conf; deny all;")
    found = mounted.read()
    assert found.problems == ()
    assert mounted.read() == found
    for path in ("snippets/x.conf", "snippets/more/1.conf", "snippets/more/2.conf"):
        before, signed = mounted.read(), mounted.reader.sign()
        old = (mounted.root / path).read_text() if (mounted.root / path).exists() else ""
        mounted.write(path, f"{old}deny ::1;\n")
        assert mounted.reader.sign() != signed, path
        assert mounted.read() != before, path


def test_another_ca_for_clients_is_another_configuration(mounted: Mounted) -> None:
    """nginx loads it once: one that was thrown out would stay let in."""
    seen = []
    for _ in range(2):
        mounted.write("certs/a.test.ca.crt", rendered.self_signed("ca.test")[0])
        mounted.write("certs/ca.crt", rendered.self_signed("ca.test")[0])
        seen += [folders.choose_clients(mounted.read(), host, "on") for host in ("a.test", "b.test")]

    assert len(set(seen)) == len(seen)
    assert {one[0] for one in seen} == {True}


def test_the_page_of_errors(mounted: Mounted) -> None:
    mounted.write("usr/share/nginx/html/errors/50x.html", "later")

    assert mounted.read().page == str(mounted.root / "usr/share/nginx/html/errors/50x.html")


# --- files that fit nothing ------------------------------------------------------------------------------------


def told_of(
    mounted: Mounted, *found: containers.EngineContainer, known: recent_claims.Memory | None = None
) -> dict[str, str]:
    """What is told of files while these containers are there: below the folders -> the message."""
    compat = sites.Compat(is_on=True, gate=nginx_proxy_gate.read_gate({}), folders=mounted.read())
    snapshot = values.run(*found, dialect=nginx_proxy.make_dialect(compat), known=known).snapshot
    return {
        problem.origin.place.removeprefix(f"{mounted.root}/"): problem.message
        for problem in snapshot.problems
        if problem.origin.place.startswith(str(mounted.root))
    }


def asking(name: str = "web", /, **environment: str) -> containers.EngineContainer:
    return values.container(name, environment={"VIRTUAL_HOST": "a.test", **environment})


@pytest.mark.parametrize(
    "file",
    [
        "htpasswd/b.test",
        "htpasswd/default",
        "htpasswd/a.test_location",
        "htpasswd/a.test.htpasswd",
        "htpasswd/a.test_" + folders.sha1("/"),
        "htpasswd/a.test_" + folders.sha1("/admin"),
        "htpasswd/a.test_" + folders.sha1("/admin/\n"),
        "htpasswd/" + folders.sha1("a.test"),
        "vhost.d/b.test",
        "vhost.d/a.test.conf",
        "vhost.d/default_location_override",
        "vhost.d/a.test_" + folders.sha1("/admin/"),
        "vhost.d/a.test_" + folders.sha1("/admin") + "_location",
        "vhost.d/a.test_location_override",
        "certs/b.test.ca.crt",
        "certs/a.test_location.ca.crt",
    ],
)
def test_a_file_that_fits_no_host_or_path_is_told_by_name(mounted: Mounted, file: str) -> None:
    """M1."""
    certificate, _ = rendered.self_signed("a.test")
    mounted.write(file, certificate if file.startswith("certs/") else "gzip off;")
    told = told_of(mounted, asking(VIRTUAL_PATH="/admin/"))

    assert list(told) == [file]
    assert "the file is not used, so it guards nothing" in told[file]


def test_the_cure_for_a_digest_names_the_paths_that_there_are(mounted: Mounted) -> None:
    """M1."""
    mounted.write(f"htpasswd/a.test_{folders.sha1('/nowhere/')}")
    (message,) = told_of(mounted, asking(VIRTUAL_PATH="/admin/")).values()

    assert '"a.test" has no path that it fits: its paths are "/admin/"' in message
    assert 'echo -n "$VIRTUAL_PATH" | sha1sum' in message


@pytest.mark.parametrize(
    "file",
    [
        "htpasswd/a.test",
        "htpasswd/A.TEST",
        "htpasswd/a.test_" + folders.sha1("~ ^/admin/"),
        "htpasswd/a.test_" + folders.sha1("~^/admin/"),
        "vhost.d/a.test_location",
        "vhost.d/default",
        "vhost.d/default_location",
        "vhost.d/a.test_" + folders.sha1("~ ^/admin/") + "_location_override",
        "vhost.d/.gitkeep",
        "certs/a.test.ca.crt",
        "certs/ca.crt",
    ],
)
def test_a_file_that_fits_is_not_told(mounted: Mounted, file: str) -> None:
    """M1."""
    certificate, _ = rendered.self_signed("a.test")
    mounted.write(file, certificate if file.startswith("certs/") else "")

    assert told_of(mounted, asking(VIRTUAL_PATH="~ ^/admin/")) == {}
    assert told_of(mounted, asking("stopped", VIRTUAL_PATH="~ ^/admin/"), values.container("other")) == {}


def test_a_file_of_a_container_that_is_being_replaced_is_not_told(mounted: Mounted) -> None:
    """M1: a site is remembered for a while, but not how its paths were spelled."""
    mounted.write(f"htpasswd/a.test_{folders.sha1('~ ^/admin/')}")
    dialect = nginx_proxy.make_dialect(sites.Compat(is_on=True, gate=nginx_proxy_gate.read_gate({})))
    before = values.run(asking(VIRTUAL_PATH="~ ^/admin/"), dialect=dialect)

    assert told_of(mounted, known=before.memory) == {}


def test_of_two_files_for_one_host_the_other_is_told(mounted: Mounted) -> None:
    """M1."""
    mounted.write("vhost.d/A.test", "gzip on;")
    mounted.write("vhost.d/a.test", "etag off;")
    found = mounted.read()

    assert said(found.vhost("a.test")[1]) == ["etag"]
    (problem,) = found.problems
    assert problem.origin.place.endswith("vhost.d/A.test")


@pytest.mark.parametrize("folder", ["htpasswd", "vhost.d"])
def test_a_folder_that_cannot_be_looked_into_closes_what_it_may_guard(mounted: Mounted, folder: str) -> None:
    """M1."""
    mounted.write(folder, "")  # a file
    mounted.write("vhost.d/a.test_location" if folder == "htpasswd" else "htpasswd/a.test", "")
    found = mounted.read()

    assert folders.find_location(found, "a.test", "/")[0] is False
    assert folders.find_location(found, "b.test", "/")[0] is False
    assert "every host answers 503" in found.problems[0].message


# --- certificates ----------------------------------------------------------------------------------------------


def choose(mounted: Mounted, host: str, named: str | None = None, *, trusts_default: bool = True) -> str | None:
    chosen = folders.choose_certificate(mounted.read(), host, named=named, trusts_default=trusts_default)
    return None if chosen.certificate is None else pathlib.Path(chosen.certificate.path).name


def test_which_certificate_is_used(mounted: Mounted) -> None:
    mounted.certify("a.example.com", "a.example.com")
    mounted.certify("example.com", "example.com", "*.example.com")
    mounted.certify("plain.org", "plain.org")
    mounted.certify("own", "anything.test")
    mounted.write("certs/keyless.test.crt", "x")

    assert choose(mounted, "a.example.com") == "a.example.com.crt"
    assert choose(mounted, "b.example.com") == "example.com.crt"
    assert choose(mounted, "x.b.example.com") is None
    assert choose(mounted, "www.plain.org") is None
    assert choose(mounted, "a.example.com", "own") == "own.crt"
    assert choose(mounted, "a.example.com", "missing") is None
    assert choose(mounted, "keyless.test") is None


def test_a_parents_certificate_that_is_not_for_the_host_is_told(mounted: Mounted) -> None:
    mounted.certify("plain.org", "plain.org")
    chosen = folders.choose_certificate(mounted.read(), "www.plain.org", named=None, trusts_default=True)

    assert "is not for" in (chosen.note or "")


def test_the_default_certificate(mounted: Mounted) -> None:
    mounted.certify("default", "gate.test")

    assert choose(mounted, "a.test") == "default.crt"
    assert choose(mounted, "a.test", trusts_default=False) is None


def test_certificates_of_clients(mounted: Mounted) -> None:
    certificate, _ = rendered.self_signed("clients.test")
    mounted.write("certs/ca.crt", certificate)
    mounted.write("certs/a.test.ca.crt", certificate)
    mounted.write("certs/c.test.ca.crt", certificate)
    mounted.write("certs/c.test.crl.pem", "no list")
    found = mounted.read()
    root = f"{mounted.root}/certs"
    digest = {name: text or "" for name, text in found.trusted}

    own = model.ClientVerification(ca_file=f"{root}/a.test.ca.crt", digest=digest["a.test.ca.crt"], is_optional=True)
    assert folders.choose_clients(found, "a.test", "optional") == (True, own)
    of_all = model.ClientVerification(ca_file=f"{root}/ca.crt", digest=digest["ca.crt"])
    assert folders.choose_clients(found, "b.test", "on") == (True, of_all)
    assert folders.choose_clients(found, "b.test", "off") == (True, None)
    assert folders.choose_clients(found, "c.test", "on") == (False, None)
    assert "cannot use the file" in found.problems[0].message
    assert found.certificates == ()


def test_what_acme_companion_left(mounted: Mounted) -> None:
    certificate, key = rendered.self_signed("a.test")
    mounted.write("certs/a.test/fullchain.pem", certificate)
    mounted.write("certs/a.test/key.pem", key)
    mounted.write("certs/a.test/.companion")
    mounted.certify("b.test", "b.test")
    for end, file in ((".crt", "fullchain.pem"), (".key", "key.pem")):
        (mounted.root / "certs" / f"a.test{end}").symlink_to(f"./a.test/{file}")
    compat = sites.Compat(is_on=True, gate=nginx_proxy_gate.read_gate({}), folders=mounted.read())

    def mode(host: str, **said: object) -> model.TlsMode:
        return sites.merge_host(host, said, compat).options.tls.mode

    assert mode("a.test") is mode("b.test") is model.TlsMode.FILES
    assert "nobody renews" in sites.merge_host("a.test", {}, compat).notes[0]
    assert sites.merge_host("b.test", {}, compat).notes == ()
    assert mode("a.test", ACME_HOST=("a.test",)) is model.TlsMode.AUTO
    assert mode("b.test", ACME_HOST=("b.test",)) is model.TlsMode.FILES
