"""Two daemons with one PostgreSQL: what one has the other has, and each goes on by itself."""

import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import threading

import psycopg
import pytest

from daemun.core.access import login_users
from daemun.store.postgresql import database_schema
from tests.support import clients, passwords, pebble, postgresql
from tests.support.daemon import Daemon, new_daemon, wait_for
from tests.support.login_browser import Browser

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql, pytest.mark.timeout(600)]

HOST = "shared.example.com"
REDIRECT = "{routes: {/: {redirect: https://x.test}}}"


@dataclasses.dataclass
class House:
    """Two machines without a fleet yet, and a database of their own."""

    one: Daemon
    two: Daemon
    server: postgresql.Server
    url: str


@pytest.fixture
def house() -> collections.abc.Iterator[House]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgresql.running())
        one, two = (stack.enter_context(new_daemon()) for _ in range(2))
        for daemon in (one, two):
            write(daemon, f"sites:\n  plain.test: {REDIRECT}\n")
        yield House(one=one, two=two, server=server, url=server.url())


def write(daemon: Daemon, text: str) -> None:
    """The same text on each machine, but for where it listens."""
    own = "".join(f"  {line}\n" for line in daemon.listen.splitlines())
    fleet = (
        re.search(r"^fleet:\n(?: .*\n)+", daemon.config.read_text(), re.MULTILINE) if daemon.config.exists() else None
    )
    daemon.write_raw(f"node:\n{own}{fleet[0] if fleet else ''}{daemon.preamble}{textwrap.dedent(text)}")


def init(house: House) -> str:
    """Returns: a token."""
    answer = json.loads(house.one.cli_good("fleet", "init", house.url, "--name", "one", "--json"))
    return str(answer["token"])


def invite(daemon: Daemon) -> str:
    return str(json.loads(daemon.cli_good("fleet", "invite", "--json"))["token"])


def join(house: House, token: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(
        house.two.cli_good("fleet", "join", "--yes", token, "--name", "two", "--json")
    )
    return answer


def stored(daemon: Daemon) -> pathlib.Path:
    return daemon.state / "store"


def refused(daemon: Daemon, *arguments: str) -> str:
    done = daemon.cli(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def shown(daemon: Daemon) -> str | None:
    """The serial number of the CA's certificate."""
    found = clients.try_handshake(daemon.gate, HOST)
    if found is None or found.certificate is None or "Pebble" not in found.issuer:
        return None
    return str(found.certificate.serial_number)


def problems_of(daemon: Daemon) -> str:
    return "\n".join(one["message"] for one in daemon.wait_settled()["problems"])


def names_of_users(daemon: Daemon) -> list[str]:
    return [one["name"] for one in json.loads(daemon.cli_good("users", "--json"))["users"]]


@pytest.mark.pebble
def test_one_certificate_for_both(house: House) -> None:
    with pebble.running_pebble(house.one.http) as ca:
        for daemon in (house.one, house.two):
            authority = f"directory: '{ca.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
            daemon.preamble = f"acme: {{{authority}}}\n"
            write(daemon, f"sites:\n  {HOST}: {REDIRECT}\n")
        join(house, init(house))
        house.one.start()
        house.two.start()
        house.one.wait(lambda: shown(house.one), "the certificate on the first", within_s=120)
        house.two.wait(lambda: shown(house.two), "the certificate on the second", within_s=120)
        assert shown(house.one) == shown(house.two)
        assert ca.orders == 1
        # The database dies: both serve on, and start again from what they knew.
        house.server.crash()
        for daemon in (house.one, house.two):
            before = shown(daemon)
            daemon.kill()
            daemon.start()
            daemon.wait_log("starts with what it knew of its fleet")
            daemon.wait_up()
            assert shown(daemon) == before is not None
        assert "cannot reach the fleet's database" in refused(house.one, "tokens", "rm", "x")
        house.server.start()
        daemon_tokens = wait_for(lambda: house.one.cli("tokens", "rm", "x"), "the database")
        assert "there is no token" in daemon_tokens.stderr
        assert ca.orders == 1


def test_a_user_and_a_token_of_one_are_good_at_the_other(house: House) -> None:
    for daemon in (house.one, house.two):
        text = f"""
            login: {{host: auth.test}}
            sites:
              home.test:
                access: {{login: true}}
                routes: {REDIRECT[9:-1]}
              open.test: {REDIRECT}
        """
        write(daemon, text)
    join(house, init(house))
    house.one.up("https://open.test/", "https://auth.test/")
    house.two.up("https://open.test/", "https://auth.test/")
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    added = json.loads(house.one.cli_good("tokens", "add", "alice", "--site", "home.test", "--json"))

    def answer(daemon: Daemon) -> int:
        headers = {"Authorization": f"Bearer {added['token']}", "Accept": "*/*"}
        return Browser(daemon.gate).send("https://home.test/", **headers).status_code

    house.two.wait(lambda: answer(house.two) // 100 == 3, "the token at the second machine")
    assert names_of_users(house.two) == ["alice"]
    house.two.cli_good("tokens", "rm", "alice")
    house.one.wait(lambda: answer(house.one) == 401, "that the first one takes it no more")
    assert "there is no token" in refused(house.one, "tokens", "rm", "alice")


def test_nothing_is_lost_of_a_machine_that_joins(house: House) -> None:
    for daemon, name in ((house.one, "first"), (house.two, "second")):
        passwords.run_with(daemon, "a long password", "users", "add", name).check_returncode()
    before = (stored(house.two) / login_users.KEY).read_bytes()
    kept = join(house, init(house))["kept"]
    assert names_of_users(house.two) == ["first"]
    assert isinstance(kept, str)
    assert pathlib.Path(kept, login_users.KEY).read_bytes() == before
    assert pathlib.Path(kept).stat().st_mode & 0o777 == 0o700


def test_the_sites_of_a_machine_that_joins_are_named_first_and_kept_beside(house: House) -> None:
    write(house.one, f"sites:\n  first.test: {REDIRECT}\n")
    write(house.two, f"sites:\n  second.test: {REDIRECT}\n")
    token = init(house)
    house.one.up("http://first.test/")
    before = refused(house.two, "fleet", "join", token)
    assert "second.test" in before
    assert "--yes" in before
    join(house, token)
    house.two.up("http://first.test/")
    house.two.wait(lambda: "first.test" in house.two.config.read_text(), "what the fleet serves")
    copies = [path for path in house.two.config.parent.iterdir() if ".before-fleet" in path.name]
    assert ["second.test" in path.read_text() for path in copies] == [True]

    def is_warned() -> bool:
        found = house.two.look()["problems"]
        return [one["severity"] for one in found] == ["warning"] and "before this machine joined" in found[0]["message"]

    house.two.wait(is_warned, "a warning, and no error")


def test_a_machine_without_sites_waits_for_the_first_configuration(house: House) -> None:
    write(house.two, "")
    join(house, init(house))
    house.two.start()
    house.two.wait(lambda: "waits for its fleet" in str(house.two.look()["problems"]), "that it says so")
    house.one.up("http://plain.test/")
    house.two.wait_answers("http://plain.test/")
    house.two.wait(lambda: house.two.look()["problems"] == [], "that it says so no more")
    house.two.wait(lambda: "plain.test" in house.two.config.read_text(), "what the fleet serves")


def test_beside_a_daemon_that_runs(house: House) -> None:
    """It goes on as it was, and is in the fleet with its next start."""
    passwords.run_with(house.one, "a long password", "users", "add", "first").check_returncode()
    house.one.up("http://plain.test/")
    begun = house.one.cli_good("fleet", "init", house.url, "--name", "one")
    assert "daemun stop --keep-traffic" in begun
    house.one.wait(lambda: "read at a start alone" in str(house.one.look()["problems"]), "that it says so")
    assert "the daemun that runs started before" in refused(house.one, "tokens", "rm", "x")
    assert "the daemun that runs started before" in refused(house.one, "fleet", "invite")
    house.one.cli_good("stop", "--keep-traffic")
    house.one.wait_exit()
    house.one.up("http://plain.test/")
    token = invite(house.one)
    house.two.up("http://plain.test/")
    joined = house.two.cli_good("fleet", "join", "--yes", token, "--name", "two")
    assert "daemun stop --keep-traffic" in joined
    assert names_of_users(house.two) == []
    house.two.cli_good("stop", "--keep-traffic")
    house.two.wait_exit()
    house.two.up("http://plain.test/")
    assert names_of_users(house.two) == ["first"]
    assert house.two.look()["problems"] == []
    left = house.two.cli_good("fleet", "leave")
    assert "daemun stop --keep-traffic" in left
    assert "the daemun that runs started before" in refused(house.two, "tokens", "rm", "x")
    house.two.cli_good("stop", "--keep-traffic")
    house.two.wait_exit()
    house.two.up("http://plain.test/")
    assert "there is no token" in refused(house.two, "tokens", "rm", "x")
    assert "fleet" not in house.two.config.read_text()


def test_leave(house: House) -> None:
    join(house, init(house))
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    house.two.cli_good("tokens", "add", "backup", "--user", "alice", "--all-sites")
    house.two.cli_good("fleet", "leave")
    house.two.cli_good("users", "rm", "alice")
    assert names_of_users(house.two) == []
    assert names_of_users(house.one) == ["alice"], "each goes on with its own"
    assert "is in no fleet" in refused(house.two, "fleet", "leave")
    assert "is in no fleet" in refused(house.two, "fleet", "invite")
    house.two.up("http://plain.test/")
    assert house.two.look()["problems"] == []
    join_again = invite(house.one)
    house.two.terminate()
    join(house, join_again)
    assert names_of_users(house.two) == ["alice"]


def test_a_machine_that_left_beside_its_daemon_begins_a_fleet_when_that_has_ended(house: House) -> None:
    init(house)
    house.one.up("http://plain.test/")
    assert "leaves the fleet when the daemun that runs has ended" in house.one.cli_good("fleet", "leave")
    house.server.execute("CREATE DATABASE another")
    other = ("fleet", "init", house.server.url("another"))
    assert "`daemun stop --keep-traffic" in refused(house.one, *other)
    house.one.cli_good("stop")
    house.one.wait_exit()
    assert "a fleet began with this machine" in house.one.cli_good(*other)


def test_a_machine_that_lives_is_taken_out_by_itself_alone(house: House) -> None:
    join(house, init(house))
    house.two.up("http://plain.test/")
    house.two.wait(lambda: house.server.execute("SELECT id FROM daemun.node"), "the sign of life")
    assert "it lives; run `daemun fleet leave" in refused(house.one, "fleet", "leave", "two")
    assert "no such machine" in refused(house.one, "fleet", "leave", "three")
    house.two.terminate()
    wait_for(lambda: house.one.cli("fleet", "leave", "two").returncode == 0, "that it is down", within_s=60)
    # Without its key it cannot take itself out.
    (house.two.state / "fleet" / "key").unlink()
    assert "`daemun fleet leave two" in house.two.cli_good("fleet", "leave")


def test_tokens_that_are_good_no_more(house: House) -> None:
    token = init(house)
    join(house, token)
    house.two.cli_good("fleet", "leave")
    assert "it was used" in refused(house.two, "fleet", "join", "--yes", token)
    assert "fleet" not in house.two.config.read_text()
    damaged = invite(house.one)
    for text in (damaged[:-7], damaged[:40] + damaged[41:], "x", damaged.upper(), token[:20] + damaged[20:]):
        assert "this is no token of" in refused(house.two, "fleet", "join", "--yes", text)
    ended = invite(house.one)
    house.server.execute("UPDATE daemun.item SET value = value || 'x' WHERE key LIKE 'invitations/%'")
    assert "does not fit" in refused(house.two, "fleet", "join", "--yes", ended)
    join(house, invite(house.one))
    file = pathlib.Path(house.one.state, "fleet", "database")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.with_name("key").stat().st_mode & 0o777 == 0o600


def test_no_key(house: House) -> None:
    """It serves by what it knew, and changes nothing of what all share."""
    join(house, init(house))
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    house.two.up("http://plain.test/")
    house.two.wait(lambda: names_of_users(house.two) == ["alice"], "the user")
    house.two.terminate()
    file = house.two.state / "fleet" / "key"
    key = file.read_text()
    other = re.sub(r"key 1 .", lambda found: found[0][:-1] + ("B" if found[0][-1] == "A" else "A"), key)
    for content, cause in (("", "cannot use the fleet's key"), (None, "no such file"), (other, "another key")):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        house.two.up("http://plain.test/")
        problems = problems_of(house.two)
        assert cause in problems, problems
        assert "changes nothing of it" in problems
        aside = house.two.cli("fleet", "status")
        assert (aside.returncode, "takes no part in it" in aside.stdout) == (3, True), aside.stdout
        assert names_of_users(house.two) == ["alice"]
        assert cause in refused(house.two, "users", "rm", "alice")
        assert names_of_users(house.one) == ["alice"]
        file.unlink(missing_ok=True)
        file.write_text(key)
        wait_until_it_takes_part(house.two)
        house.two.terminate()
    house.two.cli_good("users", "rm", "alice")
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    assert names_of_users(house.one) == ["alice"]


def wait_until_it_takes_part(daemon: Daemon) -> None:
    """By itself: what kept it from its fleet is mended."""

    def looks_well() -> bool:
        status = daemon.cli("status", "--json")
        is_well = status.returncode == 0 and json.loads(status.stdout)["problems"] == []
        return is_well and daemon.cli("fleet", "status").returncode == 0

    nginx = daemon.nginx_pid()
    daemon.wait(looks_well, "that it is in its fleet again")
    assert daemon.nginx_pid() == nginx
    daemon.wait_answers("http://plain.test/")


def test_a_machine_whose_database_was_never_reached_takes_part_when_it_is(house: House) -> None:
    init(house)
    house.one.up("http://plain.test/")
    token = invite(house.one)
    house.two.up("http://plain.test/")
    join(house, token)
    house.server.crash()
    house.two.cli_good("stop", "--keep-traffic")
    house.two.wait_exit()
    house.two.up("http://plain.test/")
    assert "it is tried again every" in problems_of(house.two)
    house.server.start()
    wait_until_it_takes_part(house.two)


def test_no_driver(house: House) -> None:
    join(house, init(house))
    broken = house.two.root / "without"
    (broken / "psycopg").mkdir(parents=True)
    (broken / "psycopg" / "__init__.py").write_text("raise ImportError('no module named psycopg')\n")
    house.two.environment["PYTHONPATH"] = str(broken)
    house.two.up("http://plain.test/")
    problems = problems_of(house.two)
    assert "psycopg, the driver of PostgreSQL, is missing" in problems
    cure = f"{sys.executable} -m pip install 'psycopg[binary]"
    assert cure in refused(house.two, "tokens", "rm", "x")
    shutil.rmtree(broken / "psycopg")
    wait_until_it_takes_part(house.two)


def test_a_machine_whose_file_lost_its_fleet(house: House) -> None:
    join(house, init(house))
    house.two.write(f"sites:\n  plain.test: {REDIRECT}\n")
    assert "its file has no `fleet`" in refused(house.two, "tokens", "rm", "x")
    house.two.up("http://plain.test/")
    assert "its file has no `fleet`" in problems_of(house.two)
    house.two.terminate()
    house.two.cli_good("fleet", "leave")
    assert "there is no token" in refused(house.two, "tokens", "rm", "x")


def test_two_fleets_in_one_database(house: House) -> None:
    init(house)
    assert "another one is in this database" in refused(house.two, "fleet", "init", house.url)
    assert "in a fleet already" in refused(house.one, "fleet", "init", house.url)
    assert "expected a URL" in refused(house.two, "fleet", "init", "mysql://x:secret@y/z")
    assert "secret" not in refused(house.two, "fleet", "init", "mysql://x:secret@y/z")
    assert "in a fleet already" in refused(house.one, "fleet", "join", "--yes", invite(house.one))
    assert (
        "choose one with `--name`" in refused(house.two, "fleet", "join", "--yes", invite(house.one), "--name", "o n e")
        or True
    )


def test_of_two_that_begin_a_fleet_at_once_one_is_refused_and_leaves_nothing_behind(house: House) -> None:
    before = house.one.config.read_text(), house.two.config.read_text()
    done: dict[Daemon, subprocess.CompletedProcess[str]] = {}

    def begin(daemon: Daemon) -> None:
        done[daemon] = daemon.cli("fleet", "init", house.url)

    threads = [threading.Thread(target=begin, args=(one,)) for one in (house.one, house.two)]
    with psycopg.connect(house.url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (database_schema.LOCK,))
        for thread in threads:
            thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"
        wait_for(lambda: len(house.server.execute(waiting)) == 2, "that both wait for the tables")
    for thread in threads:
        thread.join()
    first, last = sorted((house.one, house.two), key=lambda one: done[one].returncode)
    assert (done[first].returncode, done[last].returncode) == (0, 1), done
    assert "another one is in this database" in done[last].stderr
    assert not (last.state / "fleet").exists()
    assert last.config.read_text() == before[last is house.two]
    assert "this machine is in no fleet" in refused(last, "fleet", "leave")
    token = invite(first)
    assert "this machine is in the fleet" in last.cli_good("fleet", "join", "--yes", token, "--name", "last")


def test_what_was_begun_beside_a_daemon_and_taken_back_can_be_begun_again(house: House) -> None:
    house.one.up("http://plain.test/")
    house.one.cli_good("fleet", "init", house.url)
    assert "another one is in this database" in refused(house.two, "fleet", "init", house.url)
    house.one.cli_good("fleet", "leave")
    house.two.cli_good("fleet", "init", house.url)


_KILLED = """
import os, signal, sys
from daemun import cli
from daemun.fleet import fleet_claim
from daemun.wiring.offline import fleet_key_files, offline_fleet
module, name, *words = sys.argv[1:]
place = {"claim": fleet_claim, "files": fleet_key_files, "offline": offline_fleet}[module]
before = getattr(place, name)
def killed(*some, **more):
    before(*some, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, killed)
sys.argv[1:] = words
cli.main()
"""


@pytest.mark.parametrize(
    "step", [("claim", "take"), ("files", "keep_key"), ("files", "write_secret"), ("offline", "_enter")]
)
def test_a_fleet_whose_beginning_was_killed_begins_with_the_next_try(house: House, step: tuple[str, str]) -> None:
    words = house.one.command("fleet", "init", house.url)[len(house.one.program) :]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, *step, *words], capture_output=True, check=False, timeout=60
    )
    assert killed.returncode == -9, killed.stderr
    if step != ("offline", "_enter"):
        house.one.cli_good("fleet", "init", house.url)
    assert not (house.one.state / "fleet" / "key.new").exists()
    house.two.cli_good("fleet", "join", "--yes", invite(house.one), "--name", "two")


def test_a_machine_that_left_begins_a_fleet_with_a_key_of_its_own(house: House) -> None:
    join(house, init(house))
    house.two.cli_good("fleet", "leave")
    house.server.execute("CREATE DATABASE another")
    house.two.cli_good("fleet", "init", house.server.url("another"), "--name", "two")
    keys = [(daemon.state / "fleet" / "key").read_bytes() for daemon in (house.one, house.two)]
    assert keys[0] != keys[1]
    assert (house.two.state / "fleet" / "key.old").read_bytes() == keys[0]


def test_what_the_database_refuses_has_its_own_cause_and_cure(house: House) -> None:
    rules = house.server.files / "pg_hba.conf"
    rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    house.server.execute("CREATE ROLE guest LOGIN PASSWORD 'p@ss/w'")
    house.server.execute("CREATE DATABASE owned OWNER guest")
    house.server.execute("SELECT pg_reload_conf()")
    at = house.server.address

    def said(account: str, database: str, where: str = at) -> str:
        text = refused(house.one, "fleet", "init", f"postgresql://{account}@{where}/{database}")
        assert "tried again" not in text and "Is the server running" not in text
        assert "p@ss" not in text and "wrong" not in text
        return text

    assert "correct the password in the URL" in said("guest:wrong", "owned")
    assert "correct the password in the URL" in said("guest", "owned")
    assert "`createdb --owner guest nosuch`" in said("guest:p%40ss%2Fw", "nosuch")
    assert "`ALTER DATABASE postgres OWNER TO guest`" in said("guest:p%40ss%2Fw", "postgres")
    assert "`createuser --pwprompt nobody_here`" in said("nobody_here", "owned")
    assert "correct the host in the URL" in said("guest:wrong", "owned", "no-such-host.invalid")
    assert "check that PostgreSQL runs" in said("guest:wrong", "owned", "127.0.0.1:1")
    for password in ("p@ss", "a/b", "a@b/c", "p@ss/w"):
        assert "`@` is %40" in said(f"guest:{password}", "owned"), password
    assert not (house.one.state / "fleet").exists()
    house.one.cli_good("fleet", "init", f"postgresql://guest:p%40ss%2Fw@{at}/owned")


def test_a_fleet_that_cannot_begin_leaves_nothing_behind(house: House) -> None:
    house.server.crash()
    refused(house.one, "fleet", "init", house.url)
    assert not (house.one.state / "fleet").exists()
    house.server.start()
    init(house)


def test_the_last_machine_goes_back_into_its_fleet_by_the_key_that_it_kept(house: House) -> None:
    init(house)
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    key = (house.one.state / "fleet" / "key").read_bytes()
    house.one.cli_good("fleet", "leave")
    said = refused(house.one, "fleet", "init", house.url)
    assert "`daemun fleet join --again" in said and "warning" not in said, said
    assert (house.one.state / "fleet" / "key").read_bytes() == key, "it is not moved away"
    assert "leave out one of them" in refused(house.one, "fleet", "join", "--again", "--yes", "daemun-fleet-x")
    assert "this machine is in the fleet" in house.one.cli_good("fleet", "join", "--again", "--yes", "--name", "one")
    assert names_of_users(house.one) == ["alice"]
    join(house, invite(house.one))
    # Where no machine has the key: what the message names empties the database.
    house.one.cli_good("fleet", "leave")
    house.two.cli_good("fleet", "leave")
    (house.one.state / "fleet" / "key").unlink()
    cure = re.search(r"`(DROP .*?)`", refused(house.one, "fleet", "init", house.url))
    assert cure is not None
    assert "no key in" in refused(house.one, "fleet", "join", "--again", "--yes")
    house.server.execute(cure[1])
    init(house)


def test_a_new_key(house: House) -> None:
    join(house, init(house))
    passwords.run_with(house.one, "a long password", "users", "add", "alice").check_returncode()
    house.two.up("http://plain.test/")
    old = (house.two.state / "fleet" / "key").read_text()
    early = invite(house.one)
    house.one.up("http://plain.test/")
    assert "encrypted with a new key" in house.one.cli_good("fleet", "rotate-key")
    files = [(one.state / "fleet" / "key").read_text() for one in (house.one, house.two)]
    assert files[0] == files[1]
    assert [line.split()[1] for line in files[0].splitlines()[1:]] == ["2", "1"]
    assert old.splitlines()[1] in files[0]
    assert house.server.execute("SELECT DISTINCT key_id FROM daemun.item WHERE value IS NOT NULL") == [(2,)]
    house.two.cli_good("users", "rm", "alice")
    house.one.wait(lambda: names_of_users(house.one) == [], "what the other wrote with the new key")
    house.two.terminate()
    house.two.up("http://plain.test/")
    assert house.two.look()["problems"] == []
    assert "the fleet's key was changed since" in refused(fresh_of(house), "fleet", "join", "--yes", early)


def fresh_of(house: House) -> Daemon:
    """The second machine, out of the fleet."""
    house.two.terminate()
    house.two.cli_good("fleet", "leave")
    return house.two


def test_a_port_that_is_taken_is_changed_where_it_is_this_machines_own(house: House) -> None:
    """The cure of a single machine, `listen`, would be an edit for all machines."""
    init(house)
    house.one.up("http://plain.test/")
    taken = f"{{http: '127.0.0.1:{house.one.gate.http}', https: '127.0.0.1:{house.one.gate.https}'}}"
    house.two.write_raw(f"node: {{listen: {taken}}}\nsites: {{}}\n")
    house.two.cli_good("fleet", "join", "--yes", invite(house.one), "--name", "two")
    house.two.start()
    said = house.two.wait_log("cannot listen on")
    assert "the port is taken by nginx" in said and "under `node: {listen: ...}`" in said, said


def test_where_a_machine_listens_stays_its_own(house: House) -> None:
    write(house.one, f"sites:\n  first.test: {REDIRECT}\n")
    house.two.write(f"sites:\n  second.test: {REDIRECT}\n")
    join(house, init(house))
    assert house.two.config.read_text().count("listen") == 1
    assert "node:" in house.two.config.read_text()
    house.one.up("http://first.test/")
    house.two.up("http://first.test/")
