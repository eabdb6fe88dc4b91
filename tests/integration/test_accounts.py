"""Accounts at Pebble: a new key, deactivation, revocation, and what is ordered afterwards."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import pathlib
import threading

import pytest
from acme import client, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun import errors
from daemun.certs import account_service
from daemun.certs.acme import account_requests, acme_accounts, acme_network, key_rollover
from daemun.certs.served import certificate_records, local_ca
from daemun.core import model
from daemun.store import file_store
from tests.support import acme_proxy, certificates, http01, issuing, pebble, ports

pytestmark = pytest.mark.pebble

VALID = model.CertificateState.VALID
HOST = "a.example.com"


class Accounts(issuing.StateDirectory):
    """With the one manager that runs on it. nginx answers with the thumbprint of the last reload, and with files."""

    def __init__(self, state: pathlib.Path, http_port: int) -> None:
        super().__init__(state)
        self.certs = self.new_manager()
        self.acme_service = account_service.AccountService(self.store, self.clock, self.certs, reload=self.reload)
        self.reloads = 0
        self._http_port = http_port
        self._nginx = contextlib.ExitStack()

    async def reload(self) -> None:
        """A round of the loop: the new thumbprint is rendered, nginx reloads, the round is confirmed."""
        self.reloads += 1
        self.restart_nginx(self.certs.thumbprint())
        await self.certs.confirm()

    def restart_nginx(self, thumbprint: str | None) -> None:
        self._nginx.close()
        challenges = pathlib.Path(self.paths.challenges)
        self._nginx.enter_context(http01.answering(thumbprint, challenges=challenges, port=self._http_port))

    def stop_nginx(self) -> None:
        self._nginx.close()

    async def begin(self, *authorities: model.Authority, specs: tuple[model.CertificateSpec, ...]) -> None:
        self.certs.configure(model.Acme(authorities=authorities))
        await self.certs.prepare(specs)
        await self.reload()

    def serial(self, name: str = HOST) -> int:
        return self.leaf(name).serial_number

    def key(self, ca: pebble.Pebble) -> acme_accounts.Key:
        return acme_accounts.load_key(self.store, ca.directory)

    def knows(self, ca: pebble.Pebble, key: acme_accounts.Key) -> bool:
        """Whether the CA knows an account by this key."""
        return account_requests.find_account(key, self.reach(ca)) is not None

    def reach(self, ca: pebble.Pebble) -> account_requests.CaAccess:
        return account_requests.CaAccess(authority=issuing.authority(ca), clock=self.clock, stop=threading.Event())


@dataclasses.dataclass(kw_only=True)
class Hanging:
    """A CA behind a proxy that keeps the first request for `where`, and all that follow, until they may end."""

    proxy: acme_proxy.Proxy
    authority: model.Authority
    where: str = "order-plz"
    may_end: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def directory(self) -> str:
        return self.proxy.directory

    @property
    def spec(self) -> model.CertificateSpec:
        return issuing.spec("slow.example.com", authority=dataclasses.replace(self.authority, directory=self.directory))

    def has_begun(self) -> bool:
        """Whether an order hangs there."""
        return not self.may_end.is_set() and any(self.where in line for line in self.proxy.seen)

    def wait(self, moment: acme_proxy.Moment) -> bool:
        if not moment.is_answered and self.where in self.proxy.seen[-1]:
            self.may_end.wait()
        return True


def spec(host: str = HOST, at: pebble.Pebble | None = None) -> model.CertificateSpec:
    return issuing.spec(host, authority=issuing.authority(at) if at is not None else None)


@pytest.fixture(name="http_port")
def chosen_port() -> int:
    return ports.free_port()


@pytest.fixture(name="gate")
def made_gate(tmp_path: pathlib.Path, http_port: int) -> collections.abc.Iterator[Accounts]:
    gate = Accounts(tmp_path / "state", http_port)
    yield gate
    gate.stop_nginx()


@pytest.fixture(name="ca")
def running_ca(http_port: int) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(http_port) as ca:
        yield ca


@pytest.fixture(name="other_ca")
def other_running_ca(http_port: int) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(http_port) as ca:
        yield ca


# --- a new key -----------------------------------------------------------------------------------------------------


async def test_every_ca_knows_the_new_key_and_orders_go_on_as_the_same_account(
    gate: Accounts, ca: pebble.Pebble, other_ca: pebble.Pebble
) -> None:
    other = "b.example.com"
    await gate.begin(issuing.authority(ca), specs=(spec(), spec(other, at=other_ca)))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        await watched.until_state(other, VALID)
        old, urls = gate.key(ca), [one.url for one in gate.acme_service.list_accounts().accounts]
        turns = await gate.acme_service.roll_over(everything=False)
        assert [turn.error for turn in turns] == [None, None]

        new = gate.key(ca)
        assert acme_accounts.thumbprint(new) != acme_accounts.thumbprint(old)
        for one in (ca, other_ca):
            assert gate.knows(one, new)
            assert not gate.knows(one, old)
        told = gate.acme_service.list_accounts()
        assert [one.url for one in told.accounts] == urls
        assert (told.is_rolling, [one.is_own for one in told.accounts]) == (False, [False, False])
        assert gate.store.list("accounts").count(acme_accounts.NEXT) == 0

        registrations = ca.requests("sign-me-up")
        before = {host: gate.serial(host) for host in (HOST, other)}
        for host, serial in before.items():
            assert gate.certs.renew(host)
            await watched.until(lambda host=host, serial=serial: gate.serial(host) != serial)  # type: ignore[misc]
        assert ca.requests("sign-me-up") == registrations
    assert not list(pathlib.Path(gate.paths.challenges).glob("*")), "nginx answers by itself again"


@pytest.fixture(name="slow")
def hanging_ca(other_ca: pebble.Pebble) -> collections.abc.Iterator[Hanging]:
    """Whose orders end when the test says so."""
    with acme_proxy.in_front_of(other_ca) as proxy:
        hanging = Hanging(proxy=proxy, authority=issuing.authority(other_ca))
        proxy.at = hanging.wait
        try:
            yield hanging
        finally:
            hanging.may_end.set()


async def test_a_ca_whose_orders_do_not_end_keeps_no_other_from_the_new_key(
    gate: Accounts, ca: pebble.Pebble, slow: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_service, "PATIENCE_S", 1.0)
    await gate.begin(issuing.authority(ca), specs=(spec(), slow.spec))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        await watched.until(slow.has_begun)
        turns = {one.directory: one.error for one in await gate.acme_service.roll_over(everything=False)}
        assert turns[ca.directory] is None
        assert f"certificates are being ordered at {slow.directory} ({slow.spec.name})" in (turns[slow.directory] or "")
        assert gate.knows(ca, gate.key(ca))
        assert gate.acme_service.list_accounts().is_rolling

        serial = gate.serial()
        assert gate.certs.renew(HOST)
        await watched.until(lambda: gate.serial() != serial)
        slow.may_end.set()
        await watched.until_state(slow.spec.host, VALID)
        monkeypatch.undo()
        turns = {one.directory: one.error for one in await gate.acme_service.roll_over(everything=False)}
        assert set(turns.values()) == {None}
    assert not gate.acme_service.list_accounts().is_rolling


async def test_a_ca_that_is_new_meanwhile_gets_the_new_key_too(
    gate: Accounts, ca: pebble.Pebble, slow: Hanging
) -> None:
    """It makes its account with the old key while the others are changed."""
    slow.where = "sign-me-up"
    await gate.begin(issuing.authority(ca), specs=(spec(), slow.spec))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        await watched.until(slow.has_begun)
        rolling = asyncio.create_task(gate.acme_service.roll_over(everything=False))
        await watched.until(lambda: any(one.is_own for one in gate.acme_service.list_accounts().accounts))
        assert not rolling.done()
        slow.may_end.set()
        assert {turn.directory: turn.error for turn in await rolling} == {ca.directory: None, slow.directory: None}
        await watched.until_state(slow.spec.host, VALID)
    assert not gate.acme_service.list_accounts().is_rolling


async def test_until_nginx_knows_the_new_key_files_answer(gate: Accounts, ca: pebble.Pebble) -> None:
    """The reload after the change fails, say: what is ordered meanwhile is proved all the same."""
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        old = acme_accounts.thumbprint(gate.key(ca))

        async def refused() -> None:
            raise errors.ApplyError("nginx said no", stage="reload", restored=True)

        careless = account_service.AccountService(gate.store, gate.clock, gate.certs, reload=refused)
        with pytest.raises(errors.ApplyError):
            await careless.roll_over(everything=False)
        gate.restart_nginx(old)
        serial = gate.serial()
        assert gate.certs.renew(HOST)
        await watched.until(lambda: gate.serial() != serial)


async def test_a_ca_that_is_down_is_told_later_and_both_keys_work_meanwhile(
    gate: Accounts, ca: pebble.Pebble, http_port: int
) -> None:
    other, listen = "b.example.com", ports.free_port()
    with pebble.running_pebble(http_port, listen_port=listen) as sick:
        await gate.begin(issuing.authority(ca), specs=(spec(), spec(other, at=sick)))
        async with certificates.running(gate.certs) as watched:
            await watched.until_state(HOST, VALID)
            await watched.until_state(other, VALID)
    # The process is gone, and with it, Pebble being Pebble, what it knew.
    old = acme_accounts.load_or_create_key(gate.store)
    turns = await gate.acme_service.roll_over(everything=False)
    assert {turn.directory: turn.error is None for turn in turns} == {ca.directory: True, sick.directory: False}
    assert any((turn.error or "").startswith("cannot change the key of the account at") for turn in turns)
    told = {one.directory: one for one in gate.acme_service.list_accounts().accounts}
    assert gate.acme_service.list_accounts().is_rolling
    assert told[ca.directory].is_own
    assert acme_accounts.thumbprint(acme_accounts.load_or_create_key(gate.store)) == acme_accounts.thumbprint(old)
    serial = gate.serial()
    async with certificates.running(gate.certs) as watched:
        assert gate.certs.renew(HOST)
        await watched.until(lambda: gate.serial() != serial)

    known = acme_accounts.read_registration(gate.store, sick.directory)
    assert known is not None
    with pebble.running_pebble(http_port, listen_port=listen) as well:
        url = register(gate, well, old)
        acme_accounts.write_registration(gate.store, well.directory, dataclasses.replace(known, url=url))
        await gate.certs.prepare([spec(), spec(other, at=well)])  # each Pebble has a new root for its HTTPS
        turns = await gate.acme_service.roll_over(everything=False)
        assert [turn.error for turn in turns] == [None, None]
        new = acme_accounts.load_or_create_key(gate.store)
        assert gate.knows(ca, new)
        assert gate.knows(well, new)
    assert not gate.acme_service.list_accounts().is_rolling


def register(gate: Accounts, ca: pebble.Pebble, key: acme_accounts.Key) -> str:
    network = acme_network.AcmeNetwork(key, str(ca.ca_file), gate.clock, threading.Event())
    with contextlib.closing(network.session):
        directory = client.ClientV2.get_directory(ca.directory, network)
        new = messages.NewRegistration.from_data(email=None, terms_of_service_agreed=True)
        url: str = client.ClientV2(directory, network).new_account(new).uri
        return url


class KilledError(BaseException):
    """As by SIGKILL: nothing catches it."""


class StoreThatDies(file_store.FileStore):
    """After so many writes the process is gone. None: it lives."""

    writes_left: int | None = None

    def write(self, key: str, value: bytes) -> None:
        if self.writes_left == 0:
            raise KilledError
        super().write(key, value)
        if self.writes_left is not None:
            self.writes_left -= 1


@pytest.mark.parametrize("writes", range(6))
async def test_a_kill_after_any_step_loses_no_account(gate: Accounts, ca: pebble.Pebble, writes: int) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
    registrations, (before,) = ca.requests("sign-me-up"), gate.acme_service.list_accounts().accounts
    store = StoreThatDies(pathlib.Path(gate.paths.store))
    store.writes_left = writes
    with contextlib.suppress(KilledError):
        for directory in key_rollover.list_concerned(store):
            assert key_rollover.change_at(store, directory, lambda _: gate.reach(ca)).error is None
        key_rollover.finish(store, [ca.directory], lambda _: gate.reach(ca))

    # The next daemun orders as the same account, and the change goes on.
    later = Accounts(pathlib.Path(gate.paths.state), gate._http_port)
    gate.stop_nginx()
    await later.begin(issuing.authority(ca), specs=(spec(),))
    serial = later.serial()
    try:
        async with certificates.running(later.certs) as watched:
            assert later.certs.renew(HOST)
            await watched.until(lambda: later.serial() != serial)
        asked = ca.requests("sign-me-up") - registrations
        assert asked <= 1, "at most the question which key the CA knows"
        (turn,) = await later.acme_service.roll_over(everything=False)
        assert turn.error is None
        (after,) = later.acme_service.list_accounts().accounts
        assert (after.url, after.is_own, after.state) == (before.url, False, "active")
        assert later.knows(ca, acme_accounts.load_or_create_key(later.store))
    finally:
        later.stop_nginx()


async def test_an_account_with_its_own_key_keeps_it_unless_all_are_meant(gate: Accounts, ca: pebble.Pebble) -> None:
    await gate.begin(issuing.authority(ca), specs=())
    own = rsa.generate_private_key(65537, 2048)
    pem = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    url = register(gate, ca, own)
    acme_accounts.write_registration(
        gate.store, ca.directory, acme_accounts.Registration(url=url, email=None, key_pem=pem)
    )
    assert await gate.acme_service.roll_over(everything=False) == ()
    assert gate.knows(ca, own)
    (turn,) = await gate.acme_service.roll_over(everything=True)
    assert turn.error is None
    assert not gate.knows(ca, own)
    assert gate.knows(ca, acme_accounts.load_or_create_key(gate.store))
    (told,) = gate.acme_service.list_accounts().accounts
    assert (told.url, told.is_own) == (url, False)


# --- deactivation --------------------------------------------------------------------------------------------------


async def test_after_deactivation_what_is_ordered_gets_another_account(gate: Accounts, ca: pebble.Pebble) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        (before,) = gate.acme_service.list_accounts().accounts
        await gate.acme_service.deactivate(ca.directory)
        (gone,) = gate.acme_service.list_accounts().accounts
        assert (gone.url, gone.state) == (before.url, "deactivated")
        with pytest.raises(errors.ConfigError, match=r"daemun has none there \(there is none at any CA\)"):
            await gate.acme_service.deactivate(ca.directory)
        assert watched.status(HOST).state is VALID, "certificates stay"

        serial = gate.serial()
        assert gate.certs.renew(HOST)
        await watched.until(lambda: gate.serial() != serial)
    (after,) = gate.acme_service.list_accounts().accounts
    assert after.url != before.url
    assert (after.is_own, after.state) == (True, "active")


async def test_an_account_is_deactivated_whatever_is_ordered_elsewhere(
    gate: Accounts, ca: pebble.Pebble, slow: Hanging
) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(), slow.spec))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        await watched.until(slow.has_begun)
        await gate.acme_service.deactivate(ca.directory)
        assert slow.has_begun()
        states = {one.directory: one.state for one in gate.acme_service.list_accounts().accounts}
        assert states == {ca.directory: "deactivated", slow.directory: "active"}
        slow.may_end.set()
        await watched.until_state(slow.spec.host, VALID)


async def test_an_account_that_is_not_there_is_said(gate: Accounts) -> None:
    with pytest.raises(errors.ConfigError, match=r'cannot deactivate the account at "https://ca\.test/dir"'):
        await gate.acme_service.deactivate("https://ca.test/dir")


# --- revocation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["superseded", "keycompromise"])
async def test_a_revoked_certificate_is_replaced_at_once_with_another_key(
    gate: Accounts, ca: pebble.Pebble, reason: str
) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
        found = gate.bundle(HOST)
        assert ca.certificate_status(gate.serial()) == "Valid"
        await gate.acme_service.revoke(HOST, reason)
        assert ca.certificate_status(found.leaf.serial_number) == "Revoked"
        await watched.until(lambda: gate.serial() != found.leaf.serial_number)
        await watched.until_state(HOST, VALID)
    new = gate.bundle(HOST)
    assert new.key_pem != found.key_pem
    assert ca.certificate_status(gate.serial()) == "Valid"


async def test_a_revoked_one_is_known_as_such_after_a_restart(gate: Accounts, ca: pebble.Pebble) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
    await gate.acme_service.revoke(HOST, "unspecified")
    with pytest.raises(errors.ConfigError, match="it is revoked already"):
        await gate.acme_service.revoke(HOST, "unspecified")
    serial = gate.serial()
    later = gate.new_manager()
    later.configure(issuing.asking(ca))
    await later.prepare([spec()])
    (status,) = later.status()
    assert status.state is model.CertificateState.PENDING
    assert gate.serial() == serial, "until there is another one it is served"
    later.thumbprint()
    async with certificates.running(later) as watched:
        await watched.until_state(HOST, VALID)
    assert gate.serial() != serial


async def test_one_that_another_account_ordered_is_revoked_by_its_own_key(gate: Accounts, ca: pebble.Pebble) -> None:
    await gate.begin(issuing.authority(ca), specs=(spec(),))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
    stranger = local_ca.private_pem(ec.generate_private_key(ec.SECP256R1()))
    url = register(gate, ca, acme_accounts.parse_key(stranger))
    other = acme_accounts.Registration(url=url, email=None, key_pem=stranger)
    acme_accounts.write_registration(gate.store, ca.directory, other)
    serial = gate.serial()
    await gate.acme_service.revoke(HOST, "superseded")
    assert ca.certificate_status(serial) == "Revoked"


async def test_one_certificate_of_several_sites_is_replaced_for_each(gate: Accounts, ca: pebble.Pebble) -> None:
    both = ("a.example.com", "b.example.com")
    wanted = dataclasses.replace(spec(), names=both)
    await gate.begin(issuing.authority(ca), specs=(wanted,))
    async with certificates.running(gate.certs) as watched:
        await watched.until_state(HOST, VALID)
    issued = certificate_records.read_issued(gate.store, HOST)
    assert issued is not None
    gate.certs.served_files.stored.adopt(issued)
    await gate.certs.prepare([spec("a.example.com"), spec("b.example.com")])
    assert gate.serial("a.example.com") == gate.serial("b.example.com") == issued.bundle.leaf.serial_number
    await gate.acme_service.revoke("b.example.com", "superseded")
    assert {status.state for status in gate.certs.status()} == {model.CertificateState.PENDING}
    async with certificates.running(gate.certs) as watched:
        for host in both:
            await watched.until_state(host, VALID)
    assert issued.bundle.leaf.serial_number not in {gate.serial(host) for host in both}


async def test_a_certificate_that_is_not_there_is_said(gate: Accounts) -> None:
    with pytest.raises(errors.ConfigError, match=r'cannot revoke the certificate of "none\.test": no CA issued one'):
        await gate.acme_service.revoke("none.test", "unspecified")
