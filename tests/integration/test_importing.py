"""Trees of certbot itself, and of acme.sh and acme-companion as they document them, with certificates of Pebble.

What is served afterwards, and that no CA is asked before a renewal is due.
"""

import base64
import collections.abc
import datetime
import pathlib
import re
import shlex
import shutil
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from daemun import errors
from daemun.certs import account_service, certificate_manager
from daemun.certs.acme import acme_accounts, acme_issuer
from daemun.certs.importing import adopt, found_items, gather
from daemun.certs.served import certificate_records, local_ca
from daemun.control import account_port
from daemun.core import model
from daemun.store import memory_store
from tests.support import certbot, certificates, clock, http01, issuing, pebble, ports

pytestmark = pytest.mark.pebble

VALID = model.CertificateState.VALID
TAKEN, KNOWN, REFUSED = (
    account_port.ImportVerdict.TAKEN,
    account_port.ImportVerdict.KNOWN,
    account_port.ImportVerdict.REFUSED,
)
DAY = datetime.timedelta(days=1)


class Importing(issuing.StateDirectory):
    """With the one manager that runs on it, and the service that takes over what others left."""

    def __init__(self, state: pathlib.Path) -> None:
        super().__init__(state)
        self.certs = self.new_manager()
        self.acme_service = account_service.AccountService(self.store, self.clock, self.certs, reload=self._reload)

    async def begin(self, acme: model.Acme, *specs: model.CertificateSpec) -> certificate_manager.Manager:
        self.certs.thumbprint()
        self.certs.configure(acme)
        assert await self.certs.prepare(specs) == ()
        return self.certs

    async def take_over(self, found: found_items.FoundTree, *, dry: bool = False) -> dict[str, account_port.Adoption]:
        """As `daemun certs import` asks for it. Returns: by place."""
        told = {one.place: await self.acme_service.adopt_account(one.found, dry=dry) for one in found.accounts}
        for one in found.certificates:
            told[one.place] = await self.acme_service.adopt_certificate(one.foreign, dry=dry)
        return told

    async def _reload(self) -> None:
        pass


def asking(ca: pebble.Pebble, mail: str | None = None) -> model.Acme:
    return issuing.asking(issuing.authority(ca, email=mail))


def read(*folders: pathlib.Path, now: datetime.datetime | None = None) -> found_items.FoundTree:
    return gather.read_folders(folders, now or clock.FakeClock().now())


@pytest.fixture(name="gate")
def made_gate(tmp_path: pathlib.Path) -> Importing:
    return Importing(tmp_path / "state")


@pytest.fixture(name="http_port")
def chosen_port() -> int:
    return ports.free_port()


@pytest.fixture(name="ca")
def running_ca(http_port: int) -> collections.abc.Iterator[pebble.Pebble]:
    with pebble.running_pebble(http_port) as ca:
        yield ca


@pytest.fixture(name="client")
def made_client(tmp_path: pathlib.Path, ca: pebble.Pebble, http_port: int) -> certbot.Certbot:
    return certbot.Certbot(folder=tmp_path / "letsencrypt", ca=ca, http_port=http_port)


# --- certbot -------------------------------------------------------------------------------------------------------


async def test_certbots_certificates_are_served_and_its_account_renews_them(
    gate: Importing, ca: pebble.Pebble, client: certbot.Certbot, http_port: int
) -> None:
    lineage = client.obtain("a.example.com", "www.a.example.com")
    client.obtain("b.example.com", options=("--key-type", "rsa", "--rsa-key-size", "2048"))
    orders, registrations = ca.orders, ca.requests("sign-me-up")
    found = read(client.folder)
    assert (found.client, found.refusals) == ("certbot", ())

    sites = (issuing.spec("www.a.example.com", "a.example.com"), issuing.spec("b.example.com"))
    certs = await gate.begin(asking(ca), *sites)
    told = await gate.take_over(found)
    assert {adoption.verdict for adoption in told.values()} == {TAKEN}
    assert told["live/b.example.com"].text == "is served for b.example.com"

    await certs.confirm()
    with http01.answering(gate.thumbprint, challenges=pathlib.Path(gate.paths.challenges), port=http_port):
        async with certificates.running(certs) as watched:
            status = await watched.until_state("www.a.example.com", VALID)
            await watched.until_state("b.example.com", VALID)
            assert status.issuer is not None
            assert status.not_before is not None
            assert status.not_after is not None
            assert status.issuer.startswith("Pebble Intermediate CA")
            chain = (lineage / "fullchain.pem").read_bytes()
            assert gate.leaf("www.a.example.com") == x509.load_pem_x509_certificate(chain)
            assert isinstance(gate.leaf("b.example.com").public_key(), rsa.RSAPublicKey)
            assert status.renew_at == status.not_after - (status.not_after - status.not_before) / 3
            assert ca.orders == orders, "nothing is ordered for it before that"

            before = {host: gate.leaf(host) for host in ("www.a.example.com", "b.example.com")}
            for host, old in before.items():
                assert certs.renew(host)
                await watched.until(lambda host=host, old=old: gate.leaf(host) != old)  # type: ignore[misc]
                await watched.until_state(host, VALID)
            assert isinstance(gate.leaf("b.example.com").public_key(), ec.EllipticCurvePublicKey)
            assert ca.orders == orders + 2
    assert ca.requests("sign-me-up") == registrations, "the account is certbot's"
    (known,) = acme_accounts.list_registrations(gate.store)
    assert (known.directory, acme_accounts.is_own(gate.store, known)) == (ca.directory, True)
    assert list(pathlib.Path(gate.paths.challenges).iterdir()) == [], "no proof is left behind"


async def test_doing_it_twice_changes_nothing_and_a_dry_run_neither(
    gate: Importing, ca: pebble.Pebble, client: certbot.Certbot
) -> None:
    client.obtain("a.example.com")
    client.obtain("later.example.com")
    found = read(client.folder)
    await gate.begin(asking(ca), issuing.spec("a.example.com"))
    before = contents(gate)
    dry = await gate.take_over(found, dry=True)
    assert contents(gate) == before
    first = await gate.take_over(found)
    assert first == dry
    assert first["live/later.example.com"].text.startswith("is kept until ")
    after = contents(gate)
    assert after != before
    second = await gate.take_over(found)
    assert {adoption.verdict for adoption in second.values()} == {KNOWN}
    assert contents(gate) == after


def contents(gate: Importing) -> dict[str, bytes]:
    return {key: gate.store.read(key) for key in gate.store.list("")}


async def test_one_certificate_serves_every_site_whose_names_it_covers_now_or_later(
    gate: Importing, ca: pebble.Pebble, client: certbot.Certbot
) -> None:
    client.obtain("a.example.com", "b.example.com", "c.example.com")
    certs = await gate.begin(asking(ca), issuing.spec("a.example.com"), issuing.spec("b.example.com"))
    await gate.take_over(read(client.folder))
    assert gate.leaf("a.example.com") == gate.leaf("b.example.com")
    await certs.prepare([issuing.spec("c.example.com"), issuing.spec("c.example.com", "d.example.com")])
    assert {status.state for status in certs.status()} == {model.CertificateState.PENDING}, "d is not covered"
    await certs.prepare([issuing.spec("c.example.com")])
    assert [status.state for status in certs.status()] == [VALID]


async def test_a_site_that_has_a_certificate_keeps_it(
    gate: Importing, ca: pebble.Pebble, client: certbot.Certbot
) -> None:
    client.obtain("a.example.com")
    own = local_ca.load_or_create(memory_store.MemoryStore(), gate.clock.now()).issue(
        ["a.example.com"], gate.clock.now()
    )
    certificate_records.write_issued(
        gate.store,
        certificate_records.issued_key("a.example.com"),
        certificate_records.Issued(directory=ca.directory, bundle=own),
    )
    await gate.begin(asking(ca), issuing.spec("a.example.com"))
    told = await gate.take_over(read(client.folder))
    assert told["live/a.example.com"].text.startswith("is kept until")
    assert gate.leaf("a.example.com") == own.leaf


async def test_without_a_daemon_the_next_start_serves_it(
    gate: Importing, ca: pebble.Pebble, client: certbot.Certbot
) -> None:
    client.obtain("a.example.com")
    found = read(client.folder)
    alone = adopt.OfflineAdopter(gate.store, [issuing.spec("a.example.com")], gate.clock)
    assert alone.adopt_account(found.accounts[0].found, dry=False).verdict is TAKEN
    told = alone.adopt_certificate(found.certificates[0].foreign, dry=False)
    assert (told.verdict, told.text) == (TAKEN, "is served for a.example.com")
    certs = await gate.begin(asking(ca), issuing.spec("a.example.com"))
    assert [status.state for status in certs.status()] == [VALID]


async def test_an_account_of_our_own_stays(gate: Importing, ca: pebble.Pebble, client: certbot.Certbot) -> None:
    client.obtain("a.example.com")
    ours = acme_accounts.Registration(url=f"{ca.directory}/1", email=None)
    acme_accounts.write_registration(gate.store, ca.directory, ours)
    (found,) = read(client.folder).accounts
    told = await gate.acme_service.adopt_account(found.found, dry=False)
    assert told.verdict is REFUSED
    assert "daemun has another account at this CA" in told.text
    known = acme_accounts.read_registration(gate.store, ca.directory)
    assert known is not None
    assert known.url == ours.url


async def test_damage_costs_its_own_item_only(gate: Importing, ca: pebble.Pebble, client: certbot.Certbot) -> None:
    names = [f"{letter}.example.com" for letter in "abcdefg"]
    good, *_ = [client.obtain(name) for name in names]
    live_folder, archive = client.folder / "live", client.folder / "archive"
    (archive / "b.example.com" / "privkey1.pem").write_bytes((archive / "a.example.com" / "privkey1.pem").read_bytes())
    (archive / "c.example.com" / "fullchain1.pem").write_bytes(b"\0garbage")
    (live_folder / "d.example.com" / "privkey.pem").unlink()
    (live_folder / "d.example.com" / "privkey.pem").symlink_to("/etc/hostname")
    (live_folder / "e.example.com" / "fullchain.pem").unlink()
    shutil.rmtree(live_folder / "f.example.com")
    (client.folder / "renewal" / "g.example.com.conf").write_text("renewalparams]\nnonsense\n")
    (account_folder,) = (client.folder / "accounts").glob("*/dir/*")
    twin = account_folder.with_name("0" * 32)
    shutil.copytree(account_folder, twin)
    (twin / "private_key.json").write_text('{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "c2VjcmV0"}')

    found = read(client.folder)
    assert [one.bundle.names() for one in found.certificates] == [("a.example.com",)]
    assert found.certificates[0].bundle.leaf == x509.load_pem_x509_certificate((good / "cert.pem").read_bytes())
    reasons = {refusal.place: refusal.reason for refusal in found.refusals}
    assert "the key does not fit" in reasons["live/b.example.com"]
    assert "the certificate is not readable PEM" in reasons["live/c.example.com"]
    assert "it is a link out of the folder" in reasons["live/d.example.com"]
    assert "no such file" in reasons["live/e.example.com"]
    assert reasons["renewal/f.example.com.conf"] == "live/f.example.com is missing"
    assert "cannot read its settings" in reasons["renewal/g.example.com.conf"]
    assert "nothing tells the ACME directory of its issuer" in reasons["live/g.example.com"]
    assert "not a readable private JWK" in reasons[str(twin.relative_to(client.folder))]
    assert "c2VjcmV0" not in repr(found)
    assert "PRIVATE" not in repr(found)
    assert len(found.accounts) == 1
    told = await gate.take_over(found)
    assert {adoption.verdict for adoption in told.values()} == {TAKEN}


def test_an_expired_certificate_is_left(client: certbot.Certbot) -> None:
    client.obtain("a.example.com")
    later = clock.FakeClock().now() + 91 * DAY
    found = read(client.folder, now=later)
    assert found.certificates == ()
    assert found.refusals[0].reason.startswith("it expired on ")


def test_a_folder_that_no_client_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(errors.ConfigError, match=r"it is no folder of certbot .* it holds holiday\.jpg"):
        read(tmp_path)
    with pytest.raises(errors.ConfigError, match="no such file"):
        read(tmp_path / "none")


def test_the_folder_above_that_of_a_client_names_it(client: certbot.Certbot, tmp_path: pathlib.Path) -> None:
    """`daemun certs import /etc`: what was meant lies in it. The command that is printed works."""
    client.obtain("a.example.com")
    above = tmp_path / "etc dir"
    above.mkdir()
    (above / "passwd").touch()
    (above / "letsencrypt").symlink_to(client.folder)
    with pytest.raises(errors.ConfigError) as caught:
        read(above)
    (named,) = re.findall(r"; name (.*) instead", str(caught.value))
    (folder,) = shlex.split(named)
    assert len(read(pathlib.Path(folder)).certificates) == 1


# --- acme.sh and acme-companion ------------------------------------------------------------------------------------


class AcmeSh:
    """Its folder, as it documents it, with a certificate that Pebble issued to an account of its own."""

    def __init__(self, home: pathlib.Path, ca: pebble.Pebble) -> None:
        self.home = home
        self._ca = ca
        self._store = memory_store.MemoryStore()
        self.thumbprint = acme_accounts.thumbprint(acme_accounts.load_or_create_key(self._store))

    def obtain(self, *hosts: str, hook: str = "") -> pathlib.Path:
        wanted = acme_issuer.Request(name=hosts[0], hosts=hosts, authority=asking(self._ca).authorities[0])
        issued = acme_issuer.obtain(wanted, store=self._store, clock=clock.FakeClock(), stop=threading.Event()).bundle
        folder = self.home / f"{hosts[0]}_ecc"
        folder.mkdir(parents=True)
        leaf, *issuers = (one.public_bytes(serialization.Encoding.PEM) for one in issued.chain)
        (folder / f"{hosts[0]}.cer").write_bytes(leaf)
        (folder / "ca.cer").write_bytes(b"".join(issuers))
        (folder / "fullchain.cer").write_bytes(issued.fullchain_pem)
        (folder / f"{hosts[0]}.key").write_bytes(_traditional(issued.key_pem))
        encoded = base64.b64encode(hook.encode()).decode()
        values = {
            "Le_Domain": hosts[0],
            "Le_Alt": ",".join(hosts[1:]) or "no",
            "Le_Webroot": "/usr/share/nginx/html",
            "Le_API": self._ca.directory,
            "Le_Keylength": "ec-256",
            "Le_ReloadCmd": f"__ACME_BASE64__START_{encoded}__ACME_BASE64__END_" if hook else "",
        }
        (folder / f"{hosts[0]}.conf").write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
        self._write_account()
        return folder

    def _write_account(self) -> None:
        """acme.sh leaves the port out of the folder's name."""
        folder = self.home / "ca" / "127.0.0.1" / "dir"
        folder.mkdir(parents=True, exist_ok=True)
        (known,) = acme_accounts.list_registrations(self._store)
        (folder / "account.key").write_bytes(_traditional(self._store.read(acme_accounts.SHARED)))
        (folder / "account.json").write_text('{"status": "valid"}')
        (folder / "ca.conf").write_text(f"ACCOUNT_URL='{known.url}'\nCA_EMAIL='me@example.com'\n")
        (self.home / "account.conf").write_text("SAVED_CF_Token='secret'\nUPGRADE_HASH='1'\n")


def _traditional(pem: bytes) -> bytes:
    """As openssl's ecparam writes it."""
    key = serialization.load_pem_private_key(pem, password=None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


async def test_acme_shs_certificates_are_served_and_its_account_renews_them(
    gate: Importing, ca: pebble.Pebble, http_port: int, tmp_path: pathlib.Path
) -> None:
    old = AcmeSh(tmp_path / ".acme.sh", ca)
    with http01.answering(old.thumbprint, port=http_port):
        old.obtain("a.example.com", "www.a.example.com", hook="/usr/bin/tell mail")
    orders, registrations = ca.orders, ca.requests("sign-me-up")
    found = read(old.home)
    assert (found.client, found.refusals) == ("acme.sh", ())
    assert found.practices[0].hooks == ("/usr/bin/tell mail",)
    assert "secret" not in repr(found)

    certs = await gate.begin(asking(ca, "me@example.com"), issuing.spec("a.example.com", "www.a.example.com"))
    assert {adoption.verdict for adoption in (await gate.take_over(found)).values()} == {TAKEN}
    await certs.confirm()
    with http01.answering(gate.thumbprint, challenges=pathlib.Path(gate.paths.challenges), port=http_port):
        async with certificates.running(certs) as watched:
            await watched.until_state("a.example.com", VALID)
            assert ca.orders == orders
            assert certs.renew("a.example.com")
            before = gate.leaf("a.example.com")
            await watched.until(lambda: gate.leaf("a.example.com") != before)
    assert ca.requests("sign-me-up") == registrations


async def test_acme_companions_folders_together(
    gate: Importing, ca: pebble.Pebble, http_port: int, tmp_path: pathlib.Path
) -> None:
    """nginx's folder holds the certificate, acme.sh's tells its CA: each is found once, whatever the order."""
    certs_folder, homes = tmp_path / "certs", tmp_path / "acme.sh"
    old = AcmeSh(homes / "me@example.com", ca)
    with http01.answering(old.thumbprint, port=http_port):
        source = old.obtain("a.example.com", "www.a.example.com")
    own = certs_folder / "a.example.com"
    own.mkdir(parents=True)
    (own / ".companion").touch()
    shutil.copy(source / "fullchain.cer", own / "fullchain.pem")
    shutil.copy(source / "a.example.com.key", own / "key.pem")
    for host in ("a.example.com", "www.a.example.com"):
        (certs_folder / f"{host}.crt").symlink_to("./a.example.com/fullchain.pem")
        (certs_folder / f"{host}.key").symlink_to("./a.example.com/key.pem")
    default = local_ca.load_or_create(memory_store.MemoryStore(), gate.clock.now()).issue(["x"], gate.clock.now())
    (certs_folder / "default.crt").write_bytes(default.fullchain_pem)
    (certs_folder / "default.key").write_bytes(default.key_pem)

    for folders in ((certs_folder, homes), (homes, certs_folder)):
        found = read(*folders)
        assert [one.directory for one in found.certificates] == [ca.directory]
        assert [one.found.email for one in found.accounts] == ["me@example.com"]
        assert found.refusals == ()
    alone = read(certs_folder)
    assert alone.certificates == ()
    assert 'nothing tells the ACME directory of its issuer, "Pebble' in alone.refusals[0].reason

    certs = await gate.begin(asking(ca), issuing.spec("a.example.com"), issuing.spec("www.a.example.com"))
    await gate.take_over(read(certs_folder, homes))
    assert {status.state for status in certs.status()} == {VALID}
