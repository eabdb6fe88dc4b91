"""Certificates without a CA: what is served at once, the owner's files, and what the status says."""

import asyncio
import base64
import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

import pytest
import structlog
from cryptography.hazmat.primitives import hashes
from josepy import jwk

from daemun.certs import certificate_manager
from daemun.certs.acme import acme_accounts
from daemun.certs.managed import first_certificates, live_repair, local_renewal
from daemun.certs.served import certificate_files, certificate_records, live_folder, local_ca, shown_certificates
from daemun.control import ports
from daemun.core import model
from daemun.store import memory_store
from tests.support import certificates, issuing

DAY = datetime.timedelta(days=1)
STAGING = model.Acme(authorities=(model.Authority(directory="https://staging.example/dir"),))


class Local(issuing.StateDirectory):
    """Without a CA."""

    def served(self, name: str) -> bytes:
        return self.bundle(name).fullchain_pem

    def put_issued(self, name: str, *hosts: str, directory: str = STAGING.directory) -> bytes:
        """A certificate in the store as if a public CA had issued it."""
        ca = local_ca.load_or_create(memory_store.MemoryStore(), self.clock.now())
        issued = ca.issue(hosts, self.clock.now())
        certificate_records.write_issued(
            self.store,
            certificate_records.issued_key(name),
            certificate_records.Issued(directory=directory, bundle=issued),
        )
        return issued.fullchain_pem


@pytest.fixture(name="gate")
def made_gate(tmp_path: pathlib.Path) -> Local:
    return Local(tmp_path / "state")


def spec(
    mode: model.TlsMode, *names: str, files: tuple[pathlib.Path, pathlib.Path] | None = None
) -> model.CertificateSpec:
    certificate, key = (str(files[0]), str(files[1])) if files else (None, None)
    return model.CertificateSpec(
        name=names[0].replace("*", "_"), host=names[0], names=names, mode=mode, certificate=certificate, key=key
    )


def only(watched: certificate_manager.Manager) -> model.CertificateStatus:
    (status,) = watched.status()
    return status


# --- the local CA ------------------------------------------------------------------------------------------------


async def test_local_names_are_served_when_prepare_returns_and_the_root_can_be_trusted(gate: Local) -> None:
    certs = gate.new_manager()
    assert await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost"), spec(model.TlsMode.LOCAL, "[::1]")]) == ()
    root = local_ca.load_or_create(gate.store, gate.clock.now())
    assert pathlib.Path(gate.paths.root_certificate).read_bytes() == root.root_pem
    for status in certs.status():
        found = live_folder.read(gate.live, status.name)
        assert found is not None
        assert root.is_issuer_of(found.leaf)
        assert found.missing(status.names) == ()
        assert status.state is model.CertificateState.LOCAL
        assert status.issuer is not None
        assert "daemun local CA" in status.issuer
        assert status.renew_at is not None
        assert status.renew_at < gate.clock.now() + 61 * DAY
        assert (status.reason, status.next_attempt) == (None, None)


async def test_a_restart_and_a_second_prepare_keep_the_certificate(gate: Local) -> None:
    wanted = [spec(model.TlsMode.LOCAL, "a.localhost")]
    first = gate.new_manager()
    await first.prepare(wanted)
    before = gate.served("a.localhost")
    await first.prepare(wanted)
    await gate.new_manager().prepare(wanted)
    assert gate.served("a.localhost") == before


async def test_changed_names_get_a_new_certificate(gate: Local) -> None:
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost")])
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost", "b.localhost")])
    found = live_folder.read(gate.live, "a.localhost")
    assert found is not None
    assert found.missing(["a.localhost", "b.localhost"]) == ()


async def test_a_live_directory_that_was_deleted_comes_back(gate: Local) -> None:
    certs, wanted = gate.new_manager(), [spec(model.TlsMode.LOCAL, "a.localhost")]
    await certs.prepare(wanted)
    (gate.live / "a.localhost").unlink()
    await certs.prepare(wanted)
    assert gate.served("a.localhost")


async def test_a_leaf_is_renewed_by_itself_when_a_third_is_left(gate: Local) -> None:
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost")])
    before = only(certs)
    async with certificates.running(certs) as watched:
        gate.clock.advance(61 * DAY)
        certs.wake()
        await watched.until(lambda: only(certs).not_after != before.not_after)
    assert only(certs).not_after == gate.clock.now() + 90 * DAY


async def test_a_local_certificate_is_renewed_on_request(gate: Local) -> None:
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost")])
    before = gate.served("a.localhost")
    async with certificates.running(certs) as watched:
        assert certs.renew("a.localhost")
        assert not certs.renew("b.localhost")
        await watched.until(lambda: gate.served("a.localhost") != before)


async def test_a_root_that_was_deleted_is_replaced_with_all_that_it_signed(gate: Local) -> None:
    certs = gate.new_manager()
    specs = [spec(model.TlsMode.LOCAL, "a.test")]
    await certs.prepare(specs)
    gate.store.delete("ca/root.pem")
    await certs.prepare(specs)
    found = live_folder.read(gate.live, "a.test")
    assert found is not None
    assert local_ca.load_or_create(gate.store, gate.clock.now()).is_issuer_of(found.leaf)


async def test_what_is_not_asked_for_any_more_is_removed_only_when_told(gate: Local) -> None:
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.localhost"), spec(model.TlsMode.LOCAL, "b.localhost")])
    await certs.prepare([spec(model.TlsMode.LOCAL, "b.localhost")])
    assert (gate.live / "a.localhost").is_symlink()
    await certs.confirm()
    assert not (gate.live / "a.localhost").is_symlink()
    assert gate.served("b.localhost")


async def test_a_directory_that_cannot_be_written_is_said(gate: Local) -> None:
    gate.live.parent.mkdir(parents=True, exist_ok=True)
    gate.live.write_text("not a directory")
    (problem,) = await gate.new_manager().prepare([spec(model.TlsMode.LOCAL, "a.localhost")])
    assert problem.host == "a.localhost"
    assert 'cannot write the certificate of "a.localhost" under' in problem.message


# --- certificates of a public CA, from the store -------------------------------------------------------------------


async def test_what_a_ca_issued_before_is_served_after_a_restart(gate: Local) -> None:
    issued = gate.put_issued("a.example.com", "a.example.com")
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert gate.served("a.example.com") == issued
    assert only(certs).state is model.CertificateState.VALID


async def test_until_a_ca_answers_the_local_one_is_served(gate: Local) -> None:
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com")])
    status = only(certs)
    assert status.state is model.CertificateState.PENDING
    assert status.reason == "the CA is being asked; until then one of the local CA is served"
    assert gate.served("a.example.com")


async def test_a_clock_that_is_behind_does_not_take_the_trusted_certificate_away(gate: Local) -> None:
    issued = gate.put_issued("a.example.com", "a.example.com")
    gate.clock.advance(-10 * DAY)
    await gate.new_manager().prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert gate.served("a.example.com") == issued


async def test_an_expired_one_is_replaced_by_a_local_one(gate: Local) -> None:
    issued = gate.put_issued("a.example.com", "a.example.com")
    gate.clock.advance(91 * DAY)
    await gate.new_manager().prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert gate.served("a.example.com") != issued


async def test_n13_a_jump_of_the_clock_is_noticed_within_seconds(gate: Local) -> None:
    """Not after a minute, in which visitors would meet an expired certificate."""
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.test")])
    before = gate.served("a.test")
    running = asyncio.create_task(certs.run())
    try:
        await asyncio.sleep(0.5)
        gate.clock.advance(400 * DAY)
        async with asyncio.timeout(20):  # a third of LONGEST_SLEEP_S
            while (not_after := only(certs).not_after) is None or not_after <= gate.clock.now():
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert gate.served("a.test") != before


async def test_a_new_alias_does_not_take_the_trusted_certificate_away(gate: Local) -> None:
    issued = gate.put_issued("a.example.com", "a.example.com")
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com", "www.a.example.com")])
    assert gate.served("a.example.com") == issued
    assert only(certs).state is model.CertificateState.PENDING
    assert only(certs).reason == "the CA is being asked; until then the one from before is served"


async def test_a_certificate_of_another_directory_is_replaced(gate: Local) -> None:
    gate.put_issued("a.example.com", "a.example.com", directory="https://other.example/dir")
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert only(certs).state is model.CertificateState.PENDING


async def test_a_wildcard_stays_on_the_local_ca_and_says_why(gate: Local) -> None:
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "*.example.com")])
    status = only(certs)
    assert status.state is model.CertificateState.LOCAL
    assert status.reason is not None
    assert status.reason.startswith("a public CA signs *.example.com only after a proof in DNS")
    assert status.next_attempt is None


async def test_a_wildcard_beside_other_names_does_not_keep_them_from_a_trusted_certificate(gate: Local) -> None:
    issued = gate.put_issued("_.example.com", "example.com")
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "*.example.com", "example.com")])
    assert gate.served("_.example.com") == issued
    assert only(certs).state is model.CertificateState.VALID
    assert only(certs).reason is not None


DAMAGES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff",
    b'{"directory": "x", "fullchain": "", "key": ""}',
    b'{"directory": "x", "hosts": ["a.example.com"], "url": "https://ca.test/order/1", "key": "no key"}',
    b'{"directory": "x", "hosts": ["a.example.com"], "failures": 1, "next_attempt": "2026-01-01", "reason": "no zone"}',
)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_records_count_as_missing(gate: Local, damage: bytes) -> None:
    for record in ("certificate", "order", "attempts"):
        gate.store.write(f"certs/a.example.com/{record}.json", damage)
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert only(certs).state is model.CertificateState.PENDING
    assert certificate_records.read_order(gate.store, "a.example.com") is None
    assert certificate_records.read_attempts(gate.store, "a.example.com") is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_registration_counts_as_missing(gate: Local, damage: bytes) -> None:
    acme_accounts.write_registration(
        gate.store, STAGING.directory, acme_accounts.Registration(url="https://ca.test/1", email=None)
    )
    (key,) = (key for key in gate.store.list("accounts") if key.endswith(".json"))
    gate.store.write(key, damage)
    assert acme_accounts.read_registration(gate.store, STAGING.directory) is None


# --- the owner's files ---------------------------------------------------------------------------------------------


@pytest.fixture(name="files")
def made_files(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    return tmp_path / "own.pem", tmp_path / "own-key.pem"


def write_own(files: tuple[pathlib.Path, pathlib.Path], now: datetime.datetime, *hosts: str) -> bytes:
    own = local_ca.load_or_create(memory_store.MemoryStore(), now).issue(hosts, now)
    files[0].write_bytes(own.fullchain_pem)
    files[1].write_bytes(own.key_pem)
    return own.fullchain_pem


async def test_the_owners_files_are_served_and_replaced_by_themselves(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path]
) -> None:
    first = write_own(files, gate.clock.now(), "a.example.com")
    certs = gate.new_manager()
    assert await certs.prepare([spec(model.TlsMode.FILES, "a.example.com", files=files)]) == ()
    assert gate.served("a.example.com") == first
    assert (only(certs).state, only(certs).reason) == (model.CertificateState.VALID, None)
    assert only(certs).renew_at is None
    async with certificates.running(certs) as watched:
        second = write_own(files, gate.clock.now(), "a.example.com")
        certs.wake()
        await watched.until(lambda: gate.served("a.example.com") == second)
        assert not certs.renew("a.example.com")


async def test_the_owners_files_wait_for_no_round(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    certs, wanted = gate.new_manager(), [spec(model.TlsMode.FILES, "a.example.com", files=files)]
    write_own(files, gate.clock.now(), "a.example.com")
    await certs.prepare(wanted)
    may_go_on, names = threading.Event(), certificate_records.names

    def names_at_last(store: ports.Store) -> frozenset[str]:
        may_go_on.wait(60)
        return names(store)

    async with certificates.running(certs) as watched, asyncio.TaskGroup() as tasks:
        monkeypatch.setattr(certificate_records, "names", names_at_last)
        tasks.create_task(certs.prepare(wanted))
        await asyncio.sleep(0)
        second = write_own(files, gate.clock.now(), "a.example.com")
        certs.wake()
        await watched.until(lambda: gate.served("a.example.com") == second)
        may_go_on.set()


async def test_the_owners_files_wait_for_no_certificates_of_others(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While many of the local CA's are made, one after the other, the files are read before the next one."""
    others = [spec(model.TlsMode.LOCAL, f"a{number}.example.com") for number in range(3)]
    certs, loop = gate.new_manager(), asyncio.get_running_loop()
    write_own(files, gate.clock.now(), "own.example.com")
    await certs.prepare([*others, spec(model.TlsMode.FILES, "own.example.com", files=files)])
    update_live, written, seen = certificate_files.CertificateFiles.update_live, list[bytes](), list[bool]()
    made: list[str] = []

    async def replace_files() -> None:
        written.append(write_own(files, gate.clock.now(), "own.example.com"))
        certs.wake()

    def update_and_look(
        one: certificate_files.CertificateFiles, wanted: model.CertificateSpec, *, fresh: bool = False
    ) -> shown_certificates.ServedCertificate:
        if wanted.mode is model.TlsMode.LOCAL:
            if not made:
                asyncio.run_coroutine_threadsafe(replace_files(), loop).result(30)
            else:
                seen.append(gate.served("own.example.com") == written[0])
            made.append(wanted.name)
        return update_live(one, wanted, fresh=fresh)

    monkeypatch.setattr(certificate_files.CertificateFiles, "update_live", update_and_look)
    for other in others:
        certs.renew(other.host)
    async with certificates.running(certs) as watched:
        await watched.until(lambda: len(made) == len(others))
    assert seen == [True, True]


async def test_files_that_do_not_fit_are_a_problem_and_the_ones_before_stay(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path]
) -> None:
    wanted = [spec(model.TlsMode.FILES, "a.example.com", files=files)]
    first = write_own(files, gate.clock.now(), "a.example.com")
    certs = gate.new_manager()
    await certs.prepare(wanted)
    key = files[1].read_bytes()
    write_own(files, gate.clock.now(), "a.example.com")
    files[1].write_bytes(key)
    (problem,) = await certs.prepare(wanted)
    assert problem.severity is model.Severity.ERROR
    assert f'cannot use "{files[0]}"' in problem.message
    assert "the key does not fit" in problem.message
    assert "the one from before is served" in problem.message
    assert gate.served("a.example.com") == first
    assert only(certs).state is model.CertificateState.FAILING
    assert only(certs).reason == problem.message


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: files[0].unlink(), r'cannot read ".*own\.pem": no such file'),
        (lambda files: files[1].unlink(), r'cannot read ".*own-key\.pem": no such file'),
        (lambda files: files[0].write_bytes(b"\0\1\2"), "the certificate is not readable PEM"),
        (lambda files: files[1].write_bytes(b"-----BEGIN PRIVATE KEY-----"), "the key is cut off"),
    ],
)
async def test_files_that_cannot_be_used_leave_the_site_with_a_local_certificate(
    gate: Local,
    files: tuple[pathlib.Path, pathlib.Path],
    damage: collections.abc.Callable[[tuple[pathlib.Path, pathlib.Path]], object],
    message: str,
) -> None:
    write_own(files, gate.clock.now(), "a.example.com")
    damage(files)
    certs = gate.new_manager()
    (problem,) = await certs.prepare([spec(model.TlsMode.FILES, "a.example.com", files=files)])
    assert problem.host == "a.example.com"
    assert re.search(message, problem.message)
    found = live_folder.read(gate.live, "a.example.com")
    assert found is not None
    assert local_ca.load_or_create(gate.store, gate.clock.now()).is_issuer_of(found.leaf)


async def test_the_end_of_the_lifetime_is_noticed_by_itself(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path]
) -> None:
    """A3: a certificate that no visitor accepts any more has a state of its own; it is served all the same."""
    own = write_own(files, gate.clock.now(), "a.example.com")
    certs = gate.new_manager()
    problems = await certs.prepare([spec(model.TlsMode.FILES, "a.example.com", "b.example.com", files=files)])
    assert [problem.severity for problem in problems] == [model.Severity.WARNING]
    assert only(certs).state is model.CertificateState.INCOMPLETE
    gate.clock.advance(91 * DAY)
    async with certificates.running(certs) as watched:
        status = await watched.until_state("a.example.com", model.CertificateState.INVALID)
    assert "expired" in str(status.reason)
    assert '"b.example.com"' in str(status.reason)
    assert gate.served("a.example.com") == own


# --- the account and the imports -----------------------------------------------------------------------------------


def test_the_thumbprint_is_that_of_rfc_7638_and_stays(gate: Local) -> None:
    first = gate.new_manager().thumbprint()
    assert gate.new_manager().thumbprint() == first
    key = jwk.JWKEC(key=acme_accounts.load_or_create_key(gate.store))
    assert base64.urlsafe_b64encode(key.thumbprint()).rstrip(b"=").decode() == first


def test_a_damaged_account_key_is_an_error_and_not_a_new_account(gate: Local) -> None:
    gate.store.write("accounts/key.pem", b"not a key")
    assert gate.new_manager().thumbprint() is None
    (problem,) = gate.store.damage.problems()
    assert f'"{gate.store.locate("accounts/key.pem")}" is damaged: expected a P-256 key in PEM' in problem.message
    assert gate.store.read("accounts/key.pem") == b"not a key"


def test_serving_needs_none_of_the_slow_imports() -> None:
    script = (
        "import sys; import daemun.certs.certificate_manager; print({'acme', 'josepy', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"


# --- very many at once ---


def crowd(count: int) -> list[model.CertificateSpec]:
    return [spec(model.TlsMode.LOCAL, f"n{number}.test", f"www.n{number}.test") for number in range(count)]


@contextlib.asynccontextmanager
async def running(certs: certificate_manager.Manager) -> collections.abc.AsyncIterator[None]:
    """The manager runs, for a minute at most."""
    task = asyncio.create_task(certs.run())
    try:
        async with asyncio.timeout(60):
            yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_each_has_its_own(gate: Local, specs: list[model.CertificateSpec]) -> None:
    while any(live_folder.is_shared(gate.live, one.name) for one in specs):
        await asyncio.sleep(0.05)


async def own_at_last(gate: Local, certs: certificate_manager.Manager, specs: list[model.CertificateSpec]) -> None:
    """Let the manager run until each name has a certificate of its own."""
    async with running(certs):
        await until_each_has_its_own(gate, specs)


async def test_very_many_new_sites_begin_with_shared_certificates(gate: Local) -> None:
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    certs = gate.new_manager()
    assert await certs.prepare(specs) == ()
    found = [live_folder.read(gate.live, one.name) for one in specs]
    assert all(one is not None and not one.missing(each.names) for one, each in zip(found, specs, strict=True))
    assert len({one.fullchain_pem for one in found if one is not None}) < 10
    assert {status.state for status in certs.status()} == {model.CertificateState.LOCAL}

    await own_at_last(gate, certs, specs)
    assert await certs.prepare(specs) == ()
    await certs.confirm()
    for one in specs:
        own = live_folder.read(gate.live, one.name)
        assert own is not None
        assert own.is_for_exactly(one.names)
    assert not [path for path in (gate.live / ".generations").iterdir() if path.name.startswith(".shared-")]


async def test_while_a_change_is_on_its_way_none_is_replaced(gate: Local) -> None:
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    asked, is_over = 0, False

    def has_time() -> bool:
        nonlocal asked
        asked += 1
        return is_over

    certs = gate.new_manager(has_time=has_time)
    assert await certs.prepare(specs) == ()
    async with running(certs):
        while asked < 3:
            await asyncio.sleep(0.01)
        assert all(live_folder.is_shared(gate.live, one.name) for one in specs)
        is_over = True  # nobody wakes it for that
        await until_each_has_its_own(gate, specs)


async def test_changes_without_end_do_not_keep_anybody_from_a_certificate_of_their_own(
    gate: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_renewal, "MOST_LOOKS_IN_VAIN", 2)
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    certs = gate.new_manager(has_time=lambda: False)
    assert await certs.prepare(specs) == ()
    await own_at_last(gate, certs, specs)


async def test_a_later_start_goes_on_where_one_ended(gate: Local) -> None:
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    assert await gate.new_manager().prepare(specs) == ()
    later = gate.new_manager()
    assert await later.prepare(specs) == ()
    assert all(live_folder.is_shared(gate.live, one.name) for one in specs), "the start itself makes nothing again"
    await own_at_last(gate, later, specs)


async def test_few_new_sites_beside_many_have_their_own_at_once(gate: Local) -> None:
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    certs = gate.new_manager()
    assert await certs.prepare(specs) == ()
    more = spec(model.TlsMode.LOCAL, "more.test")
    assert await certs.prepare([*specs, more]) == ()
    assert not live_folder.is_shared(gate.live, "more.test")


async def test_what_has_a_certificate_shares_none(gate: Local) -> None:
    kept = gate.put_issued("kept.example.com", "kept.example.com")
    certs = gate.new_manager()
    certs.configure(STAGING)
    specs = [*crowd(first_certificates.MOST_BEGUN_ALONE + 1), spec(model.TlsMode.ACME, "kept.example.com")]
    assert await certs.prepare(specs) == ()
    assert gate.served("kept.example.com") == kept
    assert [status.name for status in certs.status()] == [one.name for one in specs]


async def test_a_certificate_that_cannot_be_written_keeps_no_other_from_its_own(gate: Local) -> None:
    specs = crowd(first_certificates.MOST_BEGUN_ALONE + 1)
    certs = gate.new_manager()
    assert await certs.prepare(specs) == ()
    (gate.live / ".generations" / specs[0].name).write_text("in the way")
    await own_at_last(gate, certs, specs[1:])
    assert live_folder.is_shared(gate.live, specs[0].name), "it goes on with what it has"
    assert live_folder.read(gate.live, specs[0].name) is not None


# --- what somebody does to live/ (A2) ----------------------------------------------------------------------------


def _empty_key(folder: pathlib.Path) -> None:
    (folder / "privkey.pem").write_bytes(b"")


def _cut_key(folder: pathlib.Path) -> None:
    key = folder / "privkey.pem"
    key.write_bytes(key.read_bytes()[:40])


def _cut_chain(folder: pathlib.Path) -> None:
    (folder / "fullchain.pem").write_bytes(b"-----BEGIN CERT")


def _copy_over(folder: pathlib.Path) -> None:
    """As `cp -rL` and a restored backup do."""
    folder.unlink()
    folder.mkdir()
    (folder / "fullchain.pem").write_bytes(b"")


def _swap(folder: pathlib.Path) -> None:
    other = local_ca.load_or_create(memory_store.MemoryStore(), datetime.datetime.now(datetime.UTC))
    made = other.issue(["evil.example.com"], datetime.datetime.now(datetime.UTC))
    (folder / "fullchain.pem").write_bytes(made.fullchain_pem)
    (folder / "privkey.pem").write_bytes(made.key_pem)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: folder.unlink(),
        lambda folder: shutil.rmtree(folder.resolve()),
        lambda folder: shutil.rmtree(folder.parent / ".generations"),
        lambda folder: shutil.rmtree(folder.parent),
        lambda folder: (folder / "privkey.pem").unlink(),
        lambda folder: (folder / "privkey.pem").chmod(0),
        _empty_key,
        _cut_key,
        _cut_chain,
        _copy_over,
        _swap,
    ],
    ids=[
        "link gone",
        "generation gone",
        "all generations gone",
        "live gone",
        "key gone",
        "key unreadable",
        "key empty",
        "key cut",
        "chain cut",
        "a folder copied over it",
        "another pair",
    ],
)
@pytest.mark.parametrize("mode", [model.TlsMode.LOCAL, model.TlsMode.FILES])
async def test_a2_what_somebody_does_to_live_is_mended_and_told_once(
    gate: Local,
    files: tuple[pathlib.Path, pathlib.Path],
    damage: collections.abc.Callable[[pathlib.Path], object],
    mode: model.TlsMode,
) -> None:
    write_own(files, gate.clock.now(), "a.example.com")
    certs = gate.new_manager()
    await certs.prepare([spec(mode, "a.example.com", files=files), spec(model.TlsMode.LOCAL, "b.example.com")])
    await certs.live_repair.look()
    damage(gate.live / "a.example.com")
    with structlog.testing.capture_logs() as told:
        for _ in range(4):
            await certs.live_repair.look()
    found = live_folder.read(gate.live, "a.example.com")
    assert found is not None
    assert not found.missing(["a.example.com"])
    if mode is model.TlsMode.FILES:
        assert found.fullchain_pem == files[0].read_bytes()
    assert [line.get("host") for line in told if line["log_level"] == "warning"].count("a.example.com") == 1, told
    assert only_of(certs, "a.example.com").fingerprint == found.leaf.fingerprint(hashes.SHA256()).hex()


def only_of(watched: certificate_manager.Manager, host: str) -> model.CertificateStatus:
    return next(status for status in watched.status() if status.host == host)


async def test_a2_a_certificate_of_a_ca_is_mended_from_the_store(gate: Local) -> None:
    issued = gate.put_issued("a.example.com", "a.example.com")
    certs = gate.new_manager()
    certs.configure(STAGING)
    await certs.prepare([spec(model.TlsMode.ACME, "a.example.com")])
    assert gate.served("a.example.com") == issued
    _empty_key(gate.live / "a.example.com")
    await certs.live_repair.look()
    assert gate.served("a.example.com") == issued


@pytest.mark.parametrize("mode", [model.TlsMode.LOCAL, model.TlsMode.FILES])
async def test_a2_what_cannot_be_mended_is_told_once_and_mended_later(
    gate: Local, files: tuple[pathlib.Path, pathlib.Path], mode: model.TlsMode
) -> None:
    write_own(files, gate.clock.now(), "a.example.com")
    certs = gate.new_manager()
    await certs.prepare([spec(mode, "a.example.com", files=files)])
    changes: list[None] = []
    certs.subscribe(lambda: changes.append(None))
    shutil.rmtree(gate.live)
    gate.live.write_text("not a directory")
    with structlog.testing.capture_logs() as told:
        for _ in range(4):
            await certs.live_repair.look()
    assert [line["log_level"] for line in told] == ["error"], told
    assert 'cannot write the certificate of "a.example.com"' in told[0]["reason"]
    assert not changes
    gate.live.unlink()
    with structlog.testing.capture_logs() as told:
        await certs.live_repair.look()
    assert [line["log_level"] for line in told if line.get("host") == "a.example.com"] == ["warning"], told
    assert len(changes) == 1
    assert gate.served("a.example.com")


@pytest.mark.parametrize("is_shared", [False, True])
async def test_o6_of_many_names_one_that_is_deleted_is_noticed_at_the_next_look(
    gate: Local, monkeypatch: pytest.MonkeyPatch, *, is_shared: bool
) -> None:
    """Each has its turn, which takes long where they are many."""
    monkeypatch.setattr(live_repair, "AT_ONCE", 2)
    monkeypatch.setattr(live_repair, "LOOKS_A_TURN", 6)
    monkeypatch.setattr(live_repair, "_REST", 0)
    monkeypatch.setattr(first_certificates, "MOST_BEGUN_ALONE", 0 if is_shared else 200)
    hosts = [f"n{number}.test" for number in range(12)]
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, host) for host in hosts])
    for _ in range(8):
        await certs.live_repair.look()
    (gate.live / hosts[-1]).unlink()
    await certs.live_repair.look()
    assert gate.served(hosts[-1])
    if not is_shared:
        shutil.rmtree(gate.live / ".generations" / hosts[-2])
        await certs.live_repair.look()
        assert gate.served(hosts[-2])
    _empty_key(gate.live / hosts[-3])
    for _ in range(7):
        await certs.live_repair.look()
    assert gate.served(hosts[-3])


async def test_o6_what_is_known_of_names_that_were_added_can_be_left_out(gate: Local) -> None:
    added = dataclasses.replace(spec(model.TlsMode.LOCAL, "added.test"), is_added=True)
    certs = gate.new_manager()
    await certs.prepare([spec(model.TlsMode.LOCAL, "a.test"), added])
    assert [one.host for one in certs.status()] == ["a.test", "added.test"]
    assert [one.host for one in certs.status(added=False)] == ["a.test"]
