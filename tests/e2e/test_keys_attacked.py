"""N2: links that root itself made in a published folder, as they come with what is unpacked or cloned there, lead to no
private key and to nothing else of the state directory that is secret."""

import collections.abc
import contextlib
import os
import pathlib
import shutil

import psutil
import pytest

from tests.support import binaries, clients, pebble
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = pytest.mark.nginx

ROUTES = ("/", "/app/", "/part/", "/hand/", "/rooted/", "/tried/", "/off/")
"""Of each form in which files are served. The last one follows all links."""
FILE = """\
sites:
  files.test:
    nginx: |
      location /hand/ { alias %(public)s/; autoindex on; }
      location /rooted/ { root %(root)s; }
      location /tried/ { alias %(public)s/; try_files $uri /tried/$arg_none/none =404; }
      location /off/ { alias %(public)s/; disable_symlinks off; autoindex on; }
    routes:
      /: {files: %(public)s, listing: true}
      /app/: {files: %(public)s, spa: true}
      /part/: {files: %(public)s, listing: true}
"""
ANY = """\
  any.example.com:
    on_demand: {}
    routes: {/: {redirect: "https://sign.test/any", status: 302}}
"""


@pytest.fixture
def published(daemon: Daemon) -> Daemon:
    binaries.needs_root("workers of another account")
    public = daemon.root / "public"
    public.mkdir()
    public.chmod(0o755)
    (public / "index.html").write_text("index")
    (public / "own.txt").write_text("own")
    (daemon.root / "rooted").symlink_to(public)
    daemon.write(_file(daemon))
    return daemon


def _file(daemon: Daemon, more: str = "") -> str:
    return FILE % {"public": daemon.root / "public", "root": daemon.root} + signpost("a.test", "one") + more


def _secrets(daemon: Daemon) -> collections.abc.Iterator[str]:
    """Whatever an author can guess the path of. All of the store, which has names that are its own."""
    for name in sorted(path.name for path in (daemon.state / "live").iterdir()):
        yield from (f"live/{name}/{file}" for file in ("privkey.pem", "fullchain.pem", "privkey-2.pem", ""))
        yield from (f"live/.generations/{name}/{number}/privkey.pem" for number in (1, 2, 3))
        yield f"nginx/live/{name}/privkey.pem"
    yield from ("live", "live/.generations", "nginx/live", "pairs", "nginx", "nginx/gen", "nginx/current", "store")
    current = daemon.state / "nginx/current"
    yield from (f"nginx/current/{path.relative_to(current)}" for path in current.rglob("*") if path.is_file())
    yield from (str(path.relative_to(daemon.state)) for path in (daemon.state / "store").rglob("*"))


def _targets(daemon: Daemon) -> dict[str, str]:
    """Name of a link -> where it leads."""
    found = {f"state-{number}": f"{daemon.state}/{path}" for number, path in enumerate(_secrets(daemon))}
    master, key = daemon.nginx_pid(), "live/a.test/privkey.pem"
    proc = [f"/proc/self/root{daemon.state}/{key}", f"/proc/{master}/root{daemon.state}/{key}", f"/proc/self/cwd/{key}"]
    proc += ["/proc/self/environ", f"/proc/{master}/environ", f"/proc/{master}/fd", f"/proc/{daemon.pid}/environ"]
    found |= {f"proc-{number}": path for number, path in enumerate(proc)}
    return found | {"log": f"{daemon.state}/logs/error.log", "relative": f"../{daemon.state.name}/{key}"}


def _attack(daemon: Daemon) -> None:
    public = daemon.root / "public"
    targets = _targets(daemon)
    assert sum(path.endswith("privkey.pem") for path in targets.values()) > 10
    for name, target in targets.items():
        (public / name).unlink(missing_ok=True)
        (public / name).symlink_to(target)
        folder = public / "in" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").unlink(missing_ok=True)
        (folder / "index.html").symlink_to(public / target)
    keys = {path.read_bytes() for path in daemon.state.rglob("privkey*.pem")}
    assert keys
    with clients.client(daemon.gate) as client:
        for start in ROUTES:
            assert client.get(f"https://files.test{start}own.txt").text == "own"
            for name, target in targets.items():
                if start == "/off/" and name == "log":
                    continue  # the owner's word
                for path in (name, f"{name}/", f"in/{name}/", f"{name}/privkey.pem", f"{name}/a.test/privkey.pem"):
                    answer = client.get(f"https://files.test{start}{path}")
                    what = f"{start}{path} -> {target}: {answer.status_code} {answer.content[:100]!r}"
                    assert not any(key in answer.content for key in keys), what
                    # An application's page stands in for what is not there, and a listing for a page that is not there;
                    # files of /proc have no length.
                    is_nothing = answer.text == ("index" if start == "/app/" else "")
                    is_nothing = is_nothing or (path == f"in/{name}/" and f"in/{name}/</title>" in answer.text)
                    assert answer.status_code in {403, 404} or is_nothing, what


def _worker_accounts(daemon: Daemon) -> set[int]:
    return {psutil.Process(pid).uids().effective for pid in daemon.worker_pids()}


def test_n2_links_of_root_lead_to_no_secret(published: Daemon) -> None:
    daemon = published
    daemon.write(_file(daemon, ANY))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert 0 not in _worker_accounts(daemon)
    daemon.cli_good("domains", "add", "added.example.com")
    daemon.wait_sign("added.example.com", "any")
    _attack(daemon)
    # A certificate that is made anew.
    before = (daemon.state / "live/a.test/privkey.pem").read_bytes()
    shutil.rmtree((daemon.state / "live/a.test").resolve())

    def is_anew() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return (daemon.state / "live/a.test/privkey.pem").read_bytes() != before
        return False

    daemon.wait(is_anew, "another certificate")
    daemon.wait_sign("a.test", "one")
    _attack(daemon)
    daemon.write(_file(daemon, ANY + signpost("b.test", "two")))
    daemon.wait_sign("b.test", "two")
    _attack(daemon)


@pytest.mark.pebble
def test_n2_nor_to_keys_of_renewed_certificates(published: Daemon) -> None:
    daemon = published
    with pebble.running_pebble(daemon.http) as ca:
        authority = f"directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
        daemon.preamble = f"acme: {{{authority}}}\n"
        daemon.write(_file(daemon, signpost("issued.example.com", "issued")))
        daemon.start()

        def serial() -> str | None:
            found = clients.try_handshake(daemon.gate, "issued.example.com")
            is_issued = found is not None and found.certificate is not None and "Pebble" in found.issuer
            return str(found.certificate.serial_number) if is_issued else None  # type: ignore[union-attr]

        first = daemon.wait(serial, "the CA's certificate")
        _attack(daemon)
        daemon.cli_good("certs", "renew", "issued.example.com")
        daemon.wait(lambda: serial() not in {None, first}, "the renewed certificate")
        _attack(daemon)


def test_n2_what_people_and_programs_read_is_where_it_was(published: Daemon) -> None:
    daemon = published
    daemon.start()
    daemon.wait_sign("a.test", "one")
    for name in ("fullchain.pem", "privkey.pem", "cert.pem"):
        assert (daemon.state / "live/a.test" / name).read_text().startswith("-----BEGIN")
    (key,) = {path.resolve() for path in daemon.state.glob("live/a.test/privkey.pem")}
    folder = key.relative_to(daemon.state.resolve()).parts[:2]
    assert folder[0] == "pairs"
    assert len(folder[1]) == 32
    assert folder[1] not in daemon.log_text()
    assert folder[1] not in daemon.cli("status", "--json").stdout
    daemon.cli_good("stop")
    daemon.wait_exit()
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert (daemon.state / "live/a.test/privkey.pem").resolve() == key, "the path stays while the state directory does"


def _leave_as_earlier(daemon: Daemon) -> None:
    """Make the state directory what a daemun wrote that had the files in live/ itself."""
    pairs = (daemon.state / "live").resolve()
    (daemon.state / "live").unlink()
    pairs.rename(daemon.state / "live")
    shutil.rmtree(daemon.state / "pairs")
    (daemon.state / "nginx/live").unlink()
    (daemon.state / "nginx").chmod(0o750)
    os.chown(daemon.state / "nginx", -1, (daemon.state / "live").stat().st_gid)
    configuration = daemon.state / "nginx/current/variables.conf"
    text = configuration.read_text()
    assert str(pairs) in text
    configuration.write_text(text.replace(str(pairs), str(daemon.state / "live")))


@pytest.mark.parametrize("keeps_traffic", [False, True])
def test_n2_after_an_upgrade_from_a_daemun_that_had_them_in_live(published: Daemon, keeps_traffic: bool) -> None:
    daemon = published
    daemon.start()
    daemon.wait_sign("a.test", "one")
    before = (daemon.state / "live/a.test/privkey.pem").read_bytes()
    if keeps_traffic:
        daemon.cli_good("stop", "--keep-traffic")
        daemon.wait_exit()
        _leave_as_earlier(daemon)
        master = daemon.nginx_pid()
        assert master is not None
        os.kill(master, 1)  # SIGHUP: it runs the configuration of the earlier one
        wait_for(lambda: daemon.sign("a.test") == "one", "nginx with certificates of live/")
    else:
        daemon.cli_good("stop")
        daemon.wait_exit()
        _leave_as_earlier(daemon)
    daemon.start()
    daemon.wait_ready()
    daemon.wait_sign("a.test", "one")
    assert (daemon.state / "live/a.test/privkey.pem").read_bytes() == before
    # Workers of the earlier configuration may still read in live/ until a handshake that has begun has ended.
    daemon.wait(
        lambda: str((daemon.state / "live").readlink()) == "nginx/live", "live/ to be root's alone", within_s=120
    )
    daemon.wait_sign("a.test", "one")
    _attack(daemon)


def test_n2_a_live_folder_that_cannot_be_moved_is_served_and_told(published: Daemon) -> None:
    daemon = published
    elsewhere = daemon.root / "elsewhere"
    elsewhere.mkdir()
    daemon.state.mkdir()
    daemon.state.chmod(0o755)
    (daemon.state / "live").symlink_to(elsewhere)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert (elsewhere / "a.test/privkey.pem").exists()
    daemon.wait(lambda: f"read private keys in {daemon.state}/live" in daemon.cli("status").stdout, "it to be told")
    daemon.cli_good("stop")
    daemon.wait_exit()
    # As it says.
    (daemon.state / "live").unlink()
    elsewhere.rename(daemon.state / "live")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert "read private keys in" not in daemon.cli("status").stdout


def test_n2_a_copy_of_the_state_directory_with_folders_in_the_place_of_links(published: Daemon) -> None:
    """The folder that somebody put back wins, and what it replaces goes."""
    daemon = published
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.cli_good("stop")
    daemon.wait_exit()
    live = daemon.state / "live"
    before = (live / "a.test/privkey.pem").read_bytes()
    shutil.copytree(live, daemon.root / "copy")
    live.unlink()
    (daemon.root / "copy").rename(live)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert (live / "a.test/privkey.pem").read_bytes() == before
    daemon.wait(lambda: len(list((daemon.state / "pairs").iterdir())) == 1, "what is not used to go", within_s=120)
    daemon.wait_sign("a.test", "one")
    _attack(daemon)


def test_n2_as_an_ordinary_user_all_is_one_account_s(daemon: Daemon) -> None:
    """Nothing can keep it from itself; nobody else gets there."""
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    if os.geteuid() != 0:
        assert (daemon.state / "pairs").stat().st_mode & 0o077 == 0
    key = pathlib.Path(daemon.state / "live/a.test/privkey.pem")
    assert key.read_text().startswith("-----BEGIN")
    assert key.stat().st_mode & 0o007 == 0
