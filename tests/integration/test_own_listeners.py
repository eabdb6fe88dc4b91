"""A real nginx meets a port that another program took after it was tried and before the reload, or the start."""

import collections.abc
import contextlib
import os
import socket

import httpx
import pytest

from daemun.control import nginx_port, switcher
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.options import catalogue, status_option
from daemun.core.plan import change_plan, listeners
from daemun.core.plan.quarantine import StandIn
from daemun.nginx import address_trial, nginx_server, worker_account
from tests.support import nginx_state, ports, rendered, sites
from tests.support import world as worlds

pytestmark = pytest.mark.nginx

LOOPBACK = "127.0.0.1"


@pytest.fixture
def layout() -> collections.abc.Iterator[layout_.Layout]:
    with nginx_state.state_directory() as found:
        yield found


class Overtaken:
    """Tries for real; then another program, this test, takes every port that was tried."""

    def __init__(self, layout: layout_.Layout, holder: contextlib.ExitStack) -> None:
        self._trial = address_trial.AddressTrial(lambda: rendered.nginx().path, layout)
        self._holder = holder

    async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
        found = await self._trial.find_denied(addresses)
        for address in addresses:
            self._holder.enter_context(socket.create_server((LOOPBACK, int(address.rpartition(":")[2]))))
        return found


def site(host: str, sign: str, port: int | None = None) -> model.Site:
    route = model.Route(
        path="/",
        action=model.Redirect(to=f"https://sign.test/{sign}", options=catalogue.values(status_option.OPTION.set(302))),
    )
    return sites.site(host, route, http_port=port, tls=model.Tls(mode=model.TlsMode.OFF))


async def signs(port: int, host: str) -> str | None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(f"http://{LOOPBACK}:{port}/", headers={"Host": host})
        return answer.headers.get("Location", "").removeprefix("https://sign.test/") or None


@pytest.mark.parametrize("runs_before", [True, False], ids=["at a reload", "at the start"])
async def test_only_the_site_that_asked_for_the_port_is_set_aside(layout: layout_.Layout, *, runs_before: bool) -> None:
    gate, taken = ports.free_port(), ports.free_port()
    settings = model.Globals(
        listen=model.Listen(
            http=(model.Address(host=LOOPBACK, port=gate),),
            https=(model.Address(host=LOOPBACK, port=ports.free_port()),),
        ),
    )
    nginx = nginx_server.NginxServer(rendered.nginx(), layout, worker_account.choose(None))

    async def make_live(trial: nginx_port.Listening, *wanted: model.Site) -> switcher.SwitchResult:
        desired = model.Desired(globals=settings, sites=wanted)
        switch = switcher.Switcher(nginx, trial, lambda _: rendered.environment_of(layout), worlds.Admission())
        actual = await nginx.read_actual()
        candidate = await switch.stage(desired, await switch.assemble(desired, actual), actual)
        return await switch.switch(desired, candidate)

    real = address_trial.AddressTrial(lambda: rendered.nginx().path, layout)
    if runs_before:
        await make_live(real, site("moves.test", "old"))
    with contextlib.ExitStack() as holder:
        switched = await make_live(Overtaken(layout, holder), site("moves.test", "new", taken), site("other.test", "x"))

        (refused,) = switched.refused
        assert refused.path == change_plan.site_file("moves.test")
        assert refused.stand_in is (StandIn.LAST_GOOD if runs_before else StandIn.NOTHING)
        assert f"cannot listen on {LOOPBACK}:{taken}: the port is taken by" in refused.cause
        assert f"(pid {os.getpid()})" in refused.cause
        assert await signs(gate, "other.test") == "x"
        assert await signs(gate, "moves.test") == ("old" if runs_before else None)
        assert set(switched.denied) == {f"{LOOPBACK}:{taken}"}

    switched = await make_live(real, site("moves.test", "new", taken), site("other.test", "x"))
    assert switched.refused == ()
    assert await signs(taken, "moves.test") == "new"
    await nginx.stop(grace_s=1)


async def test_a_port_of_the_gate_is_not_set_aside(layout: layout_.Layout) -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        settings = model.Globals(
            listen=model.Listen(
                http=(model.Address(host=LOOPBACK, port=holder.getsockname()[1]),),
                https=(model.Address(host=LOOPBACK, port=ports.free_port()),),
            ),
        )
        nginx = nginx_server.NginxServer(rendered.nginx(), layout, worker_account.choose(None))
        real = address_trial.AddressTrial(lambda: rendered.nginx().path, layout)
        switch = switcher.Switcher(nginx, real, lambda _: rendered.environment_of(layout), worlds.Admission())
        desired = model.Desired(globals=settings, sites=(site("a.test", "x"),))
        actual = await nginx.read_actual()
        candidate = await switch.stage(desired, await switch.assemble(desired, actual), actual)
        with pytest.raises(nginx_port.ListenError, match="or give another port under `listen:`"):
            await switch.switch(desired, candidate)
