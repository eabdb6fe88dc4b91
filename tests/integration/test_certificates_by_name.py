"""C1, C2: certificates belong to the names that they cover, whatever becomes of the sites they were ordered for."""

import collections.abc
import contextlib
import dataclasses
import datetime
import pathlib

import pytest

from daemun import errors
from daemun.certs import account_service
from daemun.certs.served import certificate_records, live_folder, local_ca
from daemun.core import model
from daemun.core.certificates import certificate_choice
from daemun.core.rounds import merge
from daemun.store import memory_store
from tests.support import certificates, http01, issuing, pebble
from tests.support.sites import site

pytestmark = pytest.mark.pebble

VALID, FAILING, PENDING = model.CertificateState.VALID, model.CertificateState.FAILING, model.CertificateState.PENDING
PUBLIC, LOCAL = model.CertificateKind.PUBLIC, model.CertificateKind.LOCAL
DAY = datetime.timedelta(days=1)


def wanted(*names: str, **tls: object) -> model.CertificateSpec:
    """As the gate makes it of a site with these names."""
    one = site(names[0], "http://10.0.0.1", aliases=names[1:], tls=model.Tls(**tls))  # type: ignore[arg-type]
    (spec,) = certificate_choice.find_specs(model.Desired(globals=model.Globals(), sites=(one,)))
    return spec


@dataclasses.dataclass(kw_only=True)
class Running:
    """A gate whose sites change."""

    gate: issuing.StateDirectory
    watched: certificates.Watched

    async def change(self, *wanted_: model.CertificateSpec) -> None:
        await self.watched.manager.prepare(wanted_)
        await self.watched.manager.confirm()
        await self.settle()

    async def settle(self) -> None:
        """Until nothing is asked and nothing is due."""
        await self.watched.until(
            lambda: (
                not self.watched.manager.busy
                and all(
                    one.state is not PENDING and (one.next_attempt is None or one.next_attempt > self.gate.clock.now())
                    for one in self.watched.manager.status()
                )
            )
        )

    def shown(self, name: str) -> tuple[str, ...]:
        """The names of the CA's certificate that a visitor of this name gets; none for the local CA's."""
        found = live_folder.read(pathlib.Path(self.gate.paths.live), name)
        assert found is not None, name
        return found.names() if "Pebble" in found.issuer else ()


@contextlib.asynccontextmanager
async def begun(
    gate: issuing.StateDirectory, ca: pebble.Pebble, *wanted_: model.CertificateSpec
) -> collections.abc.AsyncIterator[Running]:
    async with certificates.running(await gate.manager(issuing.asking(ca), *wanted_)) as watched:
        found = Running(gate=gate, watched=watched)
        await found.settle()
        yield found


# --- C1: names that move ---------------------------------------------------------------------------------------------


async def test_c1_an_old_name_that_becomes_an_alias_keeps_its_certificate_while_the_new_one_fails(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    ca.break_dns("new.example.com")
    async with begun(gate, ca, wanted("old.example.com")) as running:
        before = gate.leaf("old.example.com")
        await running.change(wanted("new.example.com", "old.example.com"))
        assert gate.leaf("old.example.com") == before
        assert running.shown("new.example.com") == ()
        status = running.watched.status("new.example.com")
        assert status.state is FAILING
        assert [(one.names, one.kind) for one in status.others] == [(("old.example.com",), PUBLIC)]
        assert 'cannot validate "new.example.com": the CA finds no address for it in DNS' in (status.reason or "")
        assert ca.orders == 2, "the old name alone has a certificate and is not ordered again"

        ca.repair_dns("new.example.com")
        running.watched.manager.renew("new.example.com")
        await running.watched.until_state("new.example.com", VALID)
        for name in ("new.example.com", "old.example.com"):
            assert running.shown(name) == ("new.example.com", "old.example.com")
    assert ca.orders == 3


async def test_c1_a_restart_in_between_forgets_nothing(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    ca.break_dns("new.example.com")
    async with begun(gate, ca, wanted("old.example.com")) as running:
        before = gate.leaf("old.example.com")
        await running.change(wanted("new.example.com", "old.example.com"))
    async with begun(gate, ca, wanted("new.example.com", "old.example.com")) as running:
        assert gate.leaf("old.example.com") == before
    assert ca.orders == 2


async def test_c1_main_name_and_alias_swapped_order_nothing(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with begun(gate, ca, wanted("a.example.com", "b.example.com")) as running:
        before = gate.leaf("a.example.com")
        await running.change(wanted("b.example.com", "a.example.com"))
        assert running.watched.status("b.example.com").state is VALID
        await running.change(wanted("a.example.com", "b.example.com"))
        assert gate.leaf("a.example.com") == gate.leaf("b.example.com") == before
    assert ca.orders == 1


async def test_c1_a_site_split_in_two_orders_nothing(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    async with begun(gate, ca, wanted("a.example.com", "b.example.com")) as running:
        before = gate.leaf("a.example.com")
        await running.change(wanted("a.example.com"), wanted("b.example.com"))
        assert gate.leaf("a.example.com") == gate.leaf("b.example.com") == before
        assert {status.state for status in running.watched.manager.status()} == {VALID}
    assert ca.orders == 1


async def test_c1_an_alias_that_moves_to_another_site_is_never_without_its_certificate(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    first = [wanted("a.example.com", "x.example.com"), wanted("b.example.com")]
    async with begun(gate, ca, *first) as running:
        ca.break_dns("b.example.com")
        await running.change(wanted("a.example.com"), wanted("b.example.com", "x.example.com"))
        assert running.shown("x.example.com") == ("a.example.com", "x.example.com")
        assert running.shown("b.example.com") == ("b.example.com",)
        ca.repair_dns("b.example.com")
        running.watched.manager.renew("b.example.com")
        await running.watched.until(lambda: running.shown("x.example.com") == ("b.example.com", "x.example.com"))
        # And back: the store has that set.
        orders = ca.orders
        await running.change(*first)
        assert running.shown("x.example.com") == ("a.example.com", "x.example.com")
        assert {status.state for status in running.watched.manager.status()} == {VALID}
    assert ca.orders == orders


async def test_c1_a_set_that_was_replaced_by_a_smaller_one_is_still_there(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("a.example.com", "b.example.com")) as running:
        await running.change(wanted("a.example.com"))
        running.watched.manager.renew("a.example.com")
        await running.watched.until(lambda: running.shown("a.example.com") == ("a.example.com",))
        await running.change(wanted("a.example.com", "b.example.com"))
        assert running.shown("b.example.com") == ("a.example.com", "b.example.com")
        assert running.watched.status("a.example.com").state is VALID
    assert ca.orders == 2


async def test_c1_a_site_removed_and_back_orders_nothing_and_its_folder_stays(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("a.example.com", "www.a.example.com")) as running:
        before = gate.leaf("a.example.com")
        await running.change(wanted("other.example.com"))
        for name in ("a.example.com", "www.a.example.com"):
            assert gate.leaf(name) == before, "a mail server may read it"
        await running.change(wanted("a.example.com", "www.a.example.com"))
        assert gate.leaf("www.a.example.com") == before
        await running.change(wanted("other.example.com"))
        gate.clock.advance(91 * DAY)
        await running.watched.manager.confirm()
        assert not (pathlib.Path(gate.paths.live) / "a.example.com").is_symlink(), "it has expired"
    assert ca.orders >= 2


async def test_c1_a_folder_that_stays_is_not_emptied_by_the_renewals_of_the_site_it_was_of(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("a.example.com", "old.example.com")) as running:
        before = gate.leaf("old.example.com")
        await running.change(wanted("a.example.com"))
        for _ in range(3):
            shown = gate.leaf("a.example.com")
            running.watched.manager.renew("a.example.com")
            await running.watched.until(lambda: gate.leaf("a.example.com") != shown)  # noqa: B023 - awaited here
        await running.watched.manager.confirm()
        assert gate.leaf("old.example.com") == before


async def test_c1_where_names_are_taken_on_demand_only_names_of_sites_have_folders(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    """Whatever live/ holds is served there."""
    taking = dataclasses.replace(wanted("app.example.com"), takes_names=True)
    async with begun(gate, ca, wanted("a.example.com"), taking) as running:
        await running.change(taking)
        assert not (pathlib.Path(gate.paths.live) / "a.example.com").is_symlink()


async def test_c1_a_wildcard_in_the_store_serves_a_name_that_a_site_gets_later(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    now = gate.clock.now()
    found = local_ca.load_or_create(memory_store.MemoryStore(), now).issue(["*.example.com"], now)
    certificate_records.write_issued(
        gate.store,
        certificate_records.issued_key("_.example.com"),
        certificate_records.Issued(directory=ca.directory, bundle=found),
    )
    async with begun(gate, ca, wanted("shop.example.com", "blog.example.com")) as running:
        assert gate.leaf("shop.example.com") == gate.leaf("blog.example.com") == found.leaf
        assert running.watched.status("shop.example.com").state is VALID
    assert ca.orders == 0


async def test_c1_going_back_to_a_ca_orders_nothing(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port) as other:
        async with begun(gate, ca, wanted("a.example.com")) as running:
            first = gate.leaf("a.example.com")
            for one, is_first in ((other, False), (ca, True), (other, False)):
                running.watched.manager.configure(issuing.asking(one))
                await running.change(wanted("a.example.com"))
                assert running.watched.status("a.example.com").authority == one.directory
                assert (gate.leaf("a.example.com") == first) is is_first
        assert (ca.orders, other.orders) == (1, 1)


# --- C2: names that fail ---------------------------------------------------------------------------------------------


async def test_c2_an_alias_without_dns_does_not_keep_the_site_from_its_certificate(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    ca.break_dns("www.example.com")
    async with begun(gate, ca, wanted("example.com", "www.example.com")) as running:
        status = running.watched.status("example.com")
        assert running.shown("example.com") == ("example.com",)
        assert running.shown("www.example.com") == ()
        assert (status.state, status.kind) == (FAILING, PUBLIC)
        assert [(one.names, one.kind) for one in status.others] == [(("www.example.com",), LOCAL)]
        assert status.reason is not None
        assert '"example.com"' not in status.reason
        assert 'cannot validate "www.example.com": the CA finds no address for it in DNS; make an A or' in status.reason
        assert 'or take "www.example.com" out of `aliases`' in status.reason
        assert len(status.reason) < 700
        assert ca.orders == 2

        # Tried again by itself, for all names; what is there already is not ordered again.
        assert status.next_attempt is not None
        gate.clock.advance(status.next_attempt - gate.clock.now())
        running.watched.manager.wake()
        await running.watched.until(lambda: running.watched.status("example.com").failures == 2)
        assert (ca.orders, running.shown("example.com")) == (3, ("example.com",))

        ca.repair_dns("www.example.com")
        gate.clock.advance(DAY)
        running.watched.manager.wake()
        await running.watched.until_state("example.com", VALID)
        for name in ("example.com", "www.example.com"):
            assert running.shown(name) == ("example.com", "www.example.com")
        assert running.watched.status("example.com").others == ()
    assert ca.orders == 4


async def test_c2_a_main_name_without_dns_does_not_keep_its_aliases_from_theirs(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    ca.break_dns("example.com")
    async with begun(gate, ca, wanted("example.com", "www.example.com", "blog.example.com")) as running:
        assert running.shown("www.example.com") == running.shown("blog.example.com")
        assert running.shown("blog.example.com") == ("blog.example.com", "www.example.com")
        reason = running.watched.status("example.com").reason or ""
        assert "out of `aliases`" not in reason


async def test_c2_several_names_that_fail_one_after_the_other(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    names = [f"n{number}.example.com" for number in range(8)]
    for name in names[2:]:
        ca.break_dns(name)
    async with begun(gate, ca, wanted("example.com", *names)) as running:
        assert running.shown("n1.example.com") == ("example.com", "n0.example.com", "n1.example.com")
        assert len(running.watched.status("example.com").reason or "") < 1500


async def test_c2_a_name_that_the_ca_refuses(gate: issuing.StateDirectory) -> None:
    with (
        http01.answering(gate.thumbprint) as port,
        pebble.running_pebble(port, refused_domains=["bad.example.com"]) as ca,
    ):
        async with begun(gate, ca, wanted("a.example.com", "bad.example.com")) as running:
            assert running.shown("a.example.com") == ("a.example.com",)
            assert running.watched.status("a.example.com").state is FAILING


async def test_c2_all_names_fail(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    for name in ("example.com", "www.example.com"):
        ca.break_dns(name)
    async with begun(gate, ca, wanted("example.com", "www.example.com")) as running:
        assert running.watched.status("example.com").kind is LOCAL
        assert running.shown("www.example.com") == ()


async def test_c2_a_private_alias_keeps_no_public_name_from_its_certificate(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("example.com", "nas.internal", "printer.lan")) as running:
        assert running.shown("example.com") == ("example.com",)
        assert running.shown("nas.internal") == ()
        assert gate.leaf("nas.internal") == gate.leaf("printer.lan")
        assert running.watched.status("example.com").state is VALID


async def test_c2_a_wildcard_that_nothing_proves_keeps_no_plain_name_from_its_certificate(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("*.example.com", "example.com")) as running:
        assert running.shown("example.com") == ("example.com",)
        assert running.shown("_.example.com") == ()
        assert "only after a proof in DNS" in (running.watched.status("*.example.com").reason or "")


async def test_c2_renewal_goes_on_for_the_names_that_pass(gate: issuing.StateDirectory, ca: pebble.Pebble) -> None:
    ca.break_dns("www.example.com")
    async with begun(gate, ca, wanted("example.com", "www.example.com")) as running:
        before = gate.leaf("example.com")
        gate.clock.advance(61 * DAY)
        running.watched.manager.wake()
        await running.watched.until(lambda: gate.leaf("example.com") != before)
        assert running.shown("example.com") == ("example.com",)


def test_specs_of_groups_show_each_name_once() -> None:
    """Several sites with one certificate, as nginx-proxy's containers have it."""
    group = ("a.example.com", "b.example.com")
    sites = tuple(site(name, "http://10.0.0.1", tls=model.Tls(group=group)) for name in group)
    (spec,) = merge.certificate_specs(model.Desired(globals=model.Globals(), sites=sites))
    assert spec.shown == group


# --- revocation ------------------------------------------------------------------------------------------------------


async def _reload() -> None:
    """No key changes here."""


def _acme_service(running: Running) -> account_service.AccountService:
    gate = running.gate
    return account_service.AccountService(gate.store, gate.clock, running.watched.manager, reload=_reload)


async def test_a_name_without_a_certificate_does_not_cost_its_site_the_one_it_has(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    ca.break_dns("www.example.com")
    async with begun(gate, ca, wanted("example.com")) as running:
        await running.change(wanted("example.com", "www.example.com"))
        serial = gate.leaf("example.com").serial_number
        with pytest.raises(errors.ConfigError, match="no CA issued one for this name"):
            await _acme_service(running).revoke("www.example.com", "unspecified")
        assert ca.certificate_status(serial) == "Valid"
        assert gate.leaf("example.com").serial_number == serial


@pytest.mark.parametrize(("revoked", "other"), [("www", "main"), ("main", "www")])
async def test_of_names_with_certificates_of_their_own_the_named_one_loses_it(
    gate: issuing.StateDirectory, ca: pebble.Pebble, revoked: str, other: str
) -> None:
    async with begun(gate, ca, wanted("main.example.com"), wanted("www.example.com")) as running:
        ca.break_dns("main.example.com")
        ca.break_dns("www.example.com")
        await running.change(wanted("main.example.com", "www.example.com"))
        serials = {name: gate.leaf(f"{name}.example.com").serial_number for name in ("main", "www")}
        assert serials["main"] != serials["www"]
        await _acme_service(running).revoke(f"{revoked}.example.com", "unspecified")
        assert ca.certificate_status(serials[revoked]) == "Revoked"
        assert ca.certificate_status(serials[other]) == "Valid"


async def test_of_several_for_a_name_that_no_site_has_none_is_chosen(
    gate: issuing.StateDirectory, ca: pebble.Pebble
) -> None:
    async with begun(gate, ca, wanted("a.example.com", "x.example.com")) as running:
        await running.change(wanted("b.example.com", "x.example.com"))
        serial = gate.leaf("b.example.com").serial_number
        await running.change()
        with pytest.raises(errors.ConfigError, match="several are good for it, and none is shown for it"):
            await _acme_service(running).revoke("x.example.com", "unspecified")
        assert ca.certificate_status(serial) == "Valid"
