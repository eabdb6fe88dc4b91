"""Everything that is looked at before an order, for real: names of a real DNS server, a real gate and others at port
80, Pebble as the CA, in a network where addresses of the internet are this machine's.

Each finding says what to do next.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import http.server
import ipaddress
import pathlib
import ssl

import pytest

from daemun.certs.acme import acme_accounts
from daemun.certs.preflight import ca_directory, examiner
from daemun.certs.served import local_ca
from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts
from daemun.errors import EnvironmentProblemError
from daemun.store import file_store, memory_store
from tests.support import clock, own_network, pebble, pretenders, serving, zones
from tests.support import daemon as daemon_support

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

GATE, GATE_V6 = "8.8.4.4", "2606:4700::44"
CLOSED, CLOSED_V6 = "8.8.4.5", "2606:4700::45"
"""Of this machine, too, but the gate listens elsewhere."""
OTHER, GARBAGE = "8.8.4.6", "8.8.4.7"

BLOCKS, WARNS, GOOD = model.Weight.BLOCKS, model.Weight.WARNS, model.Weight.GOOD
PUBLIC = model.Authority(directory=model.LETS_ENCRYPT)
"""Nothing in the test's network leads to it, so what it calls itself is what daemun knows by heart."""
BY_DNS = model.Ordering(challenge=model.Challenge.DNS_01, dns=model.Dns(provider="cloudflare"))

SHOP = f"""\
good A {GATE}
good AAAA {GATE_V6}
closed A {CLOSED}
stale6 A {GATE}
stale6 AAAA {own_network.SILENT_V6}
own6 A {GATE}
own6 AAAA {CLOSED_V6}
stale4 A {own_network.NO_WAY}
stale4 AAAA {GATE_V6}
silent A {own_network.SILENT}
noway A {own_network.NO_WAY}
noway6 AAAA 2400::1
private A 10.1.2.3
loopback A 127.0.0.1
empty TXT "no address"
garbage A {GARBAGE}
other A {OTHER}
moved A {OTHER}
loop A {OTHER}
nonsense A {OTHER}
around A {OTHER}
account A {OTHER}
parked A {OTHER}
alias CNAME good
theirs CAA 0 issue "pki.goog"
theirs A {GATE}
nobody CAA 0 issue ";"
nobody A {GATE}
ours CAA 0 issue "pki.goog"
ours CAA 0 issue "LetsEncrypt.org; validationmethods=http-01"
*.ours A {GATE}
strange CAA 128 tbs "unknown"
mail CAA 0 iodef "mailto:me@example.com"
method CAA 0 issue "letsencrypt.org; validationmethods=dns-01,dns-persist-01"
mine CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/acct/1"
wild CAA 0 issue "letsencrypt.org"
wild CAA 0 issuewild "pki.goog"
malformed CAA 0 issue "letsencrypt.org; what"
_acme-challenge.delegated CNAME x.acme.org.
_acme-challenge.dangling CNAME x.unregistered.net.
_acme-challenge.endless CNAME _acme-challenge.endless
"""
ZONES = {
    "net": "@ TXT top\n",
    "shop.net": SHOP,
    "acme.org": "@ TXT delegated\n",
    "quiet.net": f"@ NS ns.quiet.net.\nns A {own_network.SILENT}\n",
    "half.net": f"@ NS ns1.half.net.\n@ NS ns2.half.net.\nns1 A 127.0.0.1\nns2 A {own_network.NO_WAY}\n",
    "lame.net": "@ NS ns.lame.net.\nns A 127.0.0.2\n",
    "fresh.net": "@ NS ns.fresh.net.\nns A 127.0.0.2\n",
    "nameless.net": "@ NS ns.gone.net.\n",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class World:
    gate: daemon_support.Daemon
    ca: pebble.Pebble
    resolver: str
    thumbprint: str

    @property
    def private(self) -> model.Authority:
        return model.Authority(directory=self.ca.directory, ca_file=str(self.ca.ca_file))


@pytest.fixture(scope="module", name="world")
def made_world() -> collections.abc.Iterator[World]:
    """A gate that serves port 80 of one IPv4 and one IPv6 address."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            own_network.own_network(GATE, GATE_V6, CLOSED, CLOSED_V6, OTHER, GARBAGE, "2606:4700::46", "8.8.4.8")
        )
        resolver = stack.enter_context(zones.serving(ZONES))
        ca = stack.enter_context(pebble.running_pebble(80, dns_server=resolver))
        gate = stack.enter_context(daemon_support.new_daemon())
        gate.write_raw(
            f'listen: {{http: ["{GATE}:80", "[{GATE_V6}]:80"], https: "{GATE}:443"}}\ndocker: off\n'
            f"sites:\n{daemon_support.signpost('good.test', 'good')}"
        )
        gate.start()
        gate.wait_state("good.test", "live")
        thumbprint = acme_accounts.read_thumbprint(file_store.FileStore(gate.state / "store"))
        assert thumbprint is not None
        stack.enter_context(pretenders.web(OTHER, thumbprint))
        stack.enter_context(pretenders.garbage(GARBAGE))
        yield World(gate=gate, ca=ca, resolver=resolver, thumbprint=thumbprint)


async def examine(
    world: World,
    *hosts: str,
    authority: model.Authority = PUBLIC,
    ordering: model.Ordering = model.Ordering(),
    resolvers: tuple[str, ...] = (),
    listen: tuple[model.Address, ...] = (model.Address(port=80, host=GATE),),
    account: str | None = None,
) -> tuple[model.Finding, ...]:
    looking = examiner.Preflight(
        clock=clock.FakeClock(), thumbprint=lambda: world.thumbprint, account=lambda _: account
    )
    acme = model.Acme(resolvers=resolvers or (world.resolver,))
    looking.configure(model.Globals(acme=acme, listen=model.Listen(http=listen)))
    found = await looking.examine(hosts, authority, ordering)
    for finding in found:
        assert (finding.cure is None) == (finding.weight is GOOD)
        assert "\x07" not in str(finding)
    return found


def about(topic: str, found: collections.abc.Iterable[model.Finding]) -> list[tuple[model.Weight, str]]:
    return [(finding.weight, str(finding)) for finding in found if finding.topic == topic]


def one_about(topic: str, found: collections.abc.Iterable[model.Finding]) -> tuple[model.Weight, str]:
    (only,) = about(topic, found)
    return only


# --- names -----------------------------------------------------------------------------------------------------------


async def test_a_good_name_at_a_good_ca(world: World) -> None:
    found = await examine(world, "good.shop.net", "alias.shop.net", authority=world.private)
    assert {finding.weight for finding in found} == {GOOD}
    assert [(finding.host, finding.topic) for finding in found] == [
        (None, "ca"),
        (None, "clock"),
        *[(host, topic) for host in ("good.shop.net", "alias.shop.net") for topic in ("dns", "reach", "caa")],
    ]
    assert about("dns", found)[0][1] == f"good.shop.net: resolves to {GATE} and {GATE_V6}"
    assert about("reach", found)[0][1] == f"good.shop.net: port 80 of {GATE} and {GATE_V6} leads to this daemun"


async def test_a_name_that_does_not_exist(world: World) -> None:
    weight, text = one_about("dns", await examine(world, "none.shop.net"))
    assert weight is BLOCKS
    assert text.startswith("none.shop.net: does not exist in DNS (NXDOMAIN); make an A or AAAA record for it ")
    assert f"that points to this machine ({GATE}, " in text
    assert "`acme.resolvers`" in text


async def test_a_private_ca_may_know_names_that_this_machine_does_not(world: World) -> None:
    assert one_about("dns", await examine(world, "none.shop.net", authority=world.private))[0] is WARNS


async def test_a_name_without_an_address(world: World) -> None:
    weight, text = one_about("dns", await examine(world, "empty.shop.net"))
    assert weight is BLOCKS
    assert text.startswith("empty.shop.net: has neither an A nor an AAAA record in DNS; make an A or AAAA record")


async def test_a_new_record_that_the_resolver_has_not_heard_of(world: World) -> None:
    """It remembers for a while that there was none; the CA's does not."""
    with zones.serving({"fresh.net": f"new A {GATE}\n"}, address="127.0.0.2"):
        assert one_about("dns", await examine(world, "new.fresh.net")) == (GOOD, f"new.fresh.net: resolves to {GATE}")


async def test_a_resolver_that_fails(world: World) -> None:
    weight, text = one_about("dns", await examine(world, "good.elsewhere.com"))
    assert weight is WARNS
    assert text.startswith(
        "good.elsewhere.com: cannot be looked up (A: the resolver answers REFUSED; "
        "AAAA: the resolver answers REFUSED); check the name servers of the domain"
    )
    assert "`acme.resolvers`" in text


async def test_a_resolver_that_does_not_answer(world: World) -> None:
    weight, text = one_about("dns", await examine(world, "good.shop.net", resolvers=(own_network.SILENT,)))
    assert weight is WARNS
    assert "A: no answer within 5 s" in text


async def test_a_resolver_that_knows_half(world: World) -> None:
    with pretenders.half_resolver("127.0.0.4") as resolver:
        found = about("dns", await examine(world, "good.shop.net", resolvers=(resolver,)))
    assert found[0] == (GOOD, f"good.shop.net: resolves to {GATE}")
    weight, text = found[1]
    assert weight is WARNS
    assert "some of its records cannot be found (AAAA: the resolver answers SERVFAIL); a CA that sees" in text


async def test_an_address_that_no_ca_reaches(world: World) -> None:
    weight, text = one_about("dns", await examine(world, "loopback.shop.net"))
    assert weight is WARNS
    assert text.startswith("loopback.shop.net: resolves to 127.0.0.1, which no CA on the internet can reach; let ")


# --- port 80 ---------------------------------------------------------------------------------------------------------


async def test_nothing_listens_at_an_address_of_this_machine(world: World) -> None:
    weight, text = one_about("reach", await examine(world, "closed.shop.net"))
    assert weight is BLOCKS
    assert text.startswith(f"closed.shop.net: nothing accepts connections at port 80 of {CLOSED}; let daemun listen")


async def test_a_packet_filter_may_lead_port_80_to_another_port(world: World) -> None:
    found = await examine(world, "closed.shop.net", listen=(model.Address(port=8080),))
    weight, text = one_about("reach", found)
    assert weight is WARNS
    assert "lead port 80 to the port that it listens at; if a packet filter does that for others, ignore this" in text


@pytest.mark.parametrize(
    ("name", "message", "cure"),
    [
        ("silent", "port 80 of 9.9.9.9 does not answer within 5 s, as behind a firewall", "open port 80 in"),
        ("noway", "there is no way from here to 5.6.7.8 (network is unreachable)", "open port 80 in firewall"),
        ("noway6", "there is no way from here to 2400::1 (network is unreachable)", "give this machine IPv6, or"),
        ("garbage", f"what listens at port 80 of {GARBAGE} closes the connection", "let daemun listen"),
        ("other", f'another server answers at port 80 of {OTHER}: HTTP 404 from "Apache/2.4 (', "`ss -ltnp` shows who"),
        ("parked", "HTTP 200 from ", "`ss -ltnp` shows who listens there"),
        ("account", f"port 80 of {OTHER} leads to another daemun or ACME client", "`ss -ltnp` shows who"),
        ("moved", 'is redirected to "https://elsewhere.test/x"', "switch that redirect off for the CA"),
        ("loop", "is redirected without an end", "switch that redirect off for the CA"),
        ("nonsense", 'a redirect to "http://[", which is no URL', "`ss -ltnp` shows who"),
    ],
)
async def test_port_80_does_not_lead_here(world: World, name: str, message: str, cure: str) -> None:
    weight, text = one_about("reach", await examine(world, f"{name}.shop.net"))
    assert weight is WARNS
    assert text.startswith(f"{name}.shop.net: ")
    assert message in text
    assert cure in text.partition(message)[2]


async def test_a_redirect_that_ends_here_does_no_harm(world: World) -> None:
    assert one_about("reach", await examine(world, "around.shop.net"))[0] is GOOD


async def test_a_stale_aaaa_record(world: World) -> None:
    (good, _), (weight, text) = about("reach", await examine(world, "stale6.shop.net"))
    assert (good, weight) == (GOOD, WARNS)
    assert text == (
        f"stale6.shop.net: its AAAA record {own_network.SILENT_V6} does not lead here, while {GATE} does: port 80 of "
        f"{own_network.SILENT_V6} does not answer within 5 s, as behind a firewall; CAs and visitors try IPv6 first; "
        "remove that AAAA record, or make it point to this machine"
    )


async def test_an_aaaa_record_of_this_machine_where_the_gate_does_not_listen(world: World) -> None:
    _, (weight, text) = about("reach", await examine(world, "own6.shop.net"))
    assert weight is WARNS
    assert text.endswith(f"; let daemun answer at port 80 of {CLOSED_V6}, or remove that AAAA record")


async def test_a_stale_a_record(world: World) -> None:
    _, (weight, text) = about("reach", await examine(world, "stale4.shop.net"))
    assert weight is WARNS
    assert f"its A record {own_network.NO_WAY} does not lead here, while {GATE_V6} does" in text
    assert text.endswith("remove that A record, or make it point to this machine")


@pytest.mark.parametrize("host", [GATE, f"[{GATE_V6}]"])
async def test_an_address_as_a_name(world: World, host: str) -> None:
    found = await examine(world, host, authority=world.private)
    assert [(one.topic, one.weight) for one in found if one.host == host] == [("dns", GOOD), ("reach", GOOD)]


async def test_an_address_of_another_machine_as_a_name(world: World) -> None:
    found = await examine(world, own_network.NO_WAY)
    assert [one.weight for one in found if one.host is not None] == [WARNS, WARNS]
    assert "no interface of this machine has this address; if a router leads it here" in about("dns", found)[0][1]


# --- CAA -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "weight", "text"),
    [
        ("good.shop.net", GOOD, "no CAA record keeps any CA from signing"),
        (
            "theirs.shop.net",
            BLOCKS,
            'the CAA records of theirs.shop.net allow only "pki.goog" to sign, not this CA (letsencrypt.org); add '
            'the record `theirs.shop.net CAA 0 issue "letsencrypt.org"`, or name a CA that they allow under `acme.',
        ),
        ("deep.below.theirs.shop.net", BLOCKS, 'the CAA records of theirs.shop.net allow only "pki.goog" to sign'),
        ("nobody.shop.net", BLOCKS, "the CAA records of nobody.shop.net allow nobody to sign, not this CA"),
        ("malformed.shop.net", BLOCKS, "the CAA records of malformed.shop.net allow nobody to sign, not this CA"),
        ("a.ours.shop.net", GOOD, "the CAA records of ours.shop.net allow this CA (letsencrypt.org)"),
        ("mail.shop.net", GOOD, "the CAA records of mail.shop.net restrict no CA"),
        (
            "strange.shop.net",
            BLOCKS,
            'a CAA record of strange.shop.net is marked critical and of an unknown kind, "tbs"; remove that CAA record',
        ),
        (
            "method.shop.net",
            BLOCKS,
            "the CAA record of method.shop.net allows this CA other proofs (dns-01 or dns-persist-01), not http-01; "
            "add http-01 to its `validationmethods`, or remove them",
        ),
        (
            "mine.shop.net",
            WARNS,
            'the CAA record of mine.shop.net allows one account only ("https://acme.example/acct/1"), and ',
        ),
        ("elsewhere.com", WARNS, "its CAA records cannot be looked up (elsewhere.com: the resolver answers REFUSED)"),
    ],
)
async def test_caa(world: World, host: str, weight: model.Weight, text: str) -> None:
    told, found = one_about("caa", await examine(world, host))
    assert told is weight
    assert found.startswith(f"{host}: {text}")


@pytest.mark.parametrize(("number", "weight"), [(1, GOOD), (2, BLOCKS)])
async def test_caa_for_one_account(world: World, number: int, weight: model.Weight) -> None:
    own = f"https://acme.example/acct/{number}"
    told, text = one_about("caa", await examine(world, "mine.shop.net", account=own))
    assert told is weight
    assert weight is GOOD or text.endswith(f"change its `accounturi` to {own}, or remove it")


async def test_caa_of_wildcards(world: World) -> None:
    found = about("caa", await examine(world, "wild.shop.net", "*.wild.shop.net", "*.ours.shop.net", ordering=BY_DNS))
    assert [weight for weight, _ in found] == [GOOD, BLOCKS, BLOCKS]
    assert 'add the record `wild.shop.net CAA 0 issuewild "letsencrypt.org"`' in found[1][1]
    assert "not dns-01; add dns-01 to its `validationmethods`" in found[2][1]


async def test_a_ca_says_itself_what_it_is_called(world: World) -> None:
    weight, text = one_about("caa", await examine(world, "theirs.shop.net", authority=world.private))
    assert weight is WARNS  # it need not look at CAA records
    assert "not this CA (pebble.letsencrypt.org)" in text


# --- the CA, the clock, the budget -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "weight", "text"),
    [
        (datetime.timedelta(minutes=5), WARNS, "is 5 minutes ahead of the CA's; set the clock (`timedatectl"),
        (datetime.timedelta(minutes=-5), WARNS, "is 5 minutes behind the CA's; set the clock"),
        (datetime.timedelta(hours=3), BLOCKS, "is 3 hours ahead of the CA's; set the clock"),
        (datetime.timedelta(days=-3), BLOCKS, "is 3 days behind the CA's; set the clock"),
    ],
)
async def test_a_wrong_clock(world: World, ahead: datetime.timedelta, weight: model.Weight, text: str) -> None:
    wrong = clock.FakeClock()
    wrong.advance(ahead)
    looking = examiner.Preflight(clock=wrong, thumbprint=lambda: world.thumbprint)
    told, found = one_about("clock", await looking.examine((), world.private, model.Ordering()))
    assert told is weight
    assert text in found


async def test_a_clock_with_which_no_certificate_of_the_ca_is_valid(world: World, tmp_path: pathlib.Path) -> None:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=900)
    with serving_tls(tmp_path, then) as authority:
        looking = examiner.Preflight(clock=clock.FakeClock(then), thumbprint=lambda: world.thumbprint)
        found = await looking.examine((), authority, model.Ordering())
    weight, text = one_about("clock", found)
    assert weight is BLOCKS
    assert text.startswith(f"this machine's clock, {then:%Y-%m-%d %H:%M}:")
    assert "is 900 days behind the CA's; set the clock (`timedatectl" in text
    assert not about("ca", found)


async def test_a_ca_that_let_its_certificate_expire(world: World, tmp_path: pathlib.Path) -> None:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=900)
    with serving_tls(tmp_path, then) as authority:
        found = await examine(world, authority=authority)
    weight, text = one_about("ca", found)
    assert weight is WARNS
    assert f"the CA at {authority.directory} is not valid now (certificate has expired); the CA has to renew it" in text
    assert not about("clock", found)


async def test_cas_that_cannot_be_used(world: World, tmp_path: pathlib.Path) -> None:
    async def look(**values: str | None) -> str:
        authority = dataclasses.replace(world.private, **values)  # type: ignore[arg-type]
        weight, text = one_about("ca", await examine(world, authority=authority))
        assert weight is WARNS
        return text

    untrusted = await look(ca_file=None)
    assert "is not trusted (" in untrusted
    assert "if it is a private CA, give its root as `acme.ca_file`; if not, something reads along" in untrusted
    missing = str(tmp_path / "missing.pem")
    assert f"check that `acme.ca_file` ({missing}) holds the root" in await look(ca_file=missing)
    closed = await look(directory="https://127.0.0.1:1/dir")
    assert "the CA at https://127.0.0.1:1/dir cannot be reached (" in closed
    assert closed.endswith("check `acme.directory` and this machine's way to the internet")
    silent = await look(directory=f"https://{own_network.SILENT}/dir")
    assert "cannot be reached (no answer within 5 s)" in silent
    other = await look(directory=world.ca.directory.replace("/dir", "/no-directory"))
    assert "answers with something else than an ACME directory (HTTP 404); check that `acme.directory`" in other
    page = await look(directory=f"http://{OTHER}/parked")
    assert "answers with something else than an ACME directory" in page


async def test_orders_that_begin_together_ask_for_the_directory_once(world: World) -> None:
    before = world.ca.log_file.read_text().count("GET /dir")
    directories = ca_directory.Directories(clock.FakeClock())
    found = await asyncio.gather(*(directories.fetch(world.private) for _ in range(20)))
    assert {one.answer for one in found} == {facts.CaAnswer.DIRECTORY}
    assert world.ca.log_file.read_text().count("GET /dir") == before + 1


async def test_the_budget_is_asked(world: World) -> None:
    spent = new_findings.blocks("budget", "5 orders for these names in 7 days", "wait until tomorrow")
    asked: list[object] = []

    def budget(hosts: collections.abc.Sequence[str], authority: model.Authority) -> model.Finding:
        asked.append((tuple(hosts), authority))
        return spent

    looking = examiner.Preflight(clock=clock.FakeClock(), thumbprint=lambda: world.thumbprint, budget=budget)
    assert spent in await looking.examine(("a.internal",), world.private, model.Ordering())
    assert asked == [(("a.internal",), world.private)]


async def test_what_cannot_be_looked_at_blocks_nothing(world: World) -> None:
    def broken() -> str:
        raise EnvironmentProblemError("the store cannot be read")

    looking = examiner.Preflight(clock=clock.FakeClock(), thumbprint=broken)
    (finding,) = await looking.examine(("good.shop.net",), world.private, model.Ordering())
    assert finding.weight is WARNS
    assert "it could not be looked at (the store cannot be read)" in str(finding)


# --- proofs in DNS ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "weight", "text"),
    [
        ("*.shop.net", GOOD, "the name servers of the zone shop.net answer (ns.shop.net)"),
        (
            "delegated.shop.net",
            GOOD,
            "_acme-challenge.delegated.shop.net is a CNAME that leads to x.acme.org; the name servers of the zone ",
        ),
        (
            "dangling.shop.net",
            BLOCKS,
            "_acme-challenge.dangling.shop.net is a CNAME that leads to x.unregistered.net, a domain that does not "
            "exist in DNS; correct that CNAME, or remove it",
        ),
        ("www.unregistered.net", BLOCKS, "lies in no domain that exists in DNS; register the domain"),
        (
            "a.quiet.net",
            WARNS,
            "no name server of the zone quiet.net answers (ns.quiet.net: it does not answer within 3 s); check ",
        ),
        ("a.nameless.net", WARNS, "no name server of the zone nameless.net answers (ns.gone.net: its name has no "),
        (
            "a.half.net",
            WARNS,
            "not every name server of the zone half.net answers (ns2.half.net: it cannot be reached: network is un",
        ),
        ("a.elsewhere.com", WARNS, "the zone of _acme-challenge.a.elsewhere.com cannot be found out (the resolver "),
        ("endless.shop.net", WARNS, "the zone of _acme-challenge.endless.shop.net cannot be found out (more than 8 "),
    ],
)
async def test_where_a_proof_in_dns_would_lie(world: World, host: str, weight: model.Weight, text: str) -> None:
    found = await examine(world, host, ordering=BY_DNS)
    told, said = one_about("record", found)
    assert said.startswith(f"{host}: {text}")
    assert told is weight
    assert not about("dns", found)
    assert not about("reach", found)


async def test_a_name_server_that_does_not_know_its_zone(world: World) -> None:
    with zones.serving({"other.net": "@ TXT x"}, address="127.0.0.2"):
        weight, text = one_about("record", await examine(world, "a.lame.net", ordering=BY_DNS))
    assert weight is WARNS
    assert "no name server of the zone lame.net answers (ns.lame.net: it answers REFUSED)" in text


# --- what is shown of the machine ------------------------------------------------------------------------------------


def test_own_addresses(world: World) -> None:
    found = examiner.own_addresses()
    assert {ipaddress.ip_address(text) for text in (GATE, GATE_V6, CLOSED, "127.0.0.1")} <= found


@contextlib.contextmanager
def serving_tls(folder: pathlib.Path, at: datetime.datetime) -> collections.abc.Iterator[model.Authority]:
    """A web server with a certificate of that time, as the only thing that is wrong with it."""
    ca = local_ca.load_or_create(memory_store.MemoryStore(), at - datetime.timedelta(days=99))
    issued = ca.issue(["127.0.0.1"], at)
    (folder / "root.pem").write_bytes(ca.root_pem)
    (folder / "chain.pem").write_bytes(issued.fullchain_pem + issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), pretenders.Web)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # the handshake is meant to fail
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving.in_thread(server):
        url = f"https://127.0.0.1:{server.server_port}/dir"
        yield model.Authority(directory=url, ca_file=str(folder / "root.pem"))
