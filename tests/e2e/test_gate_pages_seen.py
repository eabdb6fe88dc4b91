"""The pages of history, certificates and settings in a real browser: nothing is cut, covered or unusable."""

import base64
import collections.abc
import dataclasses
import datetime
import os
import pathlib

import pytest

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.core.plan import change_plan, hand_edits
from daemun.web import ban_endpoints, certificate_endpoints, container_endpoints
from tests.support import browser, fake_gate, history_house, page_house, page_looks, settings_house

pytestmark = pytest.mark.browser

ALL_PATHS = (
    "/certificates",
    "/certificates/bad.example.com",
    "/settings",
    "/settings/containers",
    "/settings/bans",
    "/settings/bans/attacks",
    "/settings/uptime?days=90",
    "/settings/uptime/bad.test",
    "/settings/status-page",
    "/settings/machine?look=1",
    "/settings/alerts",
    "/changes/history",
    "/changes/history/2",
    "/changes/compare?from=1&to=3",
    "/changes/compare?from=1&to=2&of=nginx",
    "/changes/drift",
)
PATHS = [
    path
    for path in ALL_PATHS
    if not path.endswith(("nginx", "attacks", "/2", "status-page", "/settings", "/bans", "/drift"))
]
"""Others have the same parts, or nothing that `test_dashboard_look` does not see."""
LONG = "a-very-long-name-of-a-site-that-somebody-chose.internal.example.com"


def fill(house: history_house.HistoryHouse) -> None:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    good = [
        dataclasses.replace(
            fake_gate.certificate(host, model.CertificateState.VALID),
            kind=model.CertificateKind.PUBLIC,
            issuer="R11, Let's Encrypt",
            not_before=now - day,
            not_after=now + (number + 40) * day,
            renew_at=now + (number * 3 + 1) * day,
            fingerprint="ab" * 32,
        )
        for number, host in enumerate(("chat.example.com", "wiki.example.com", LONG, "blog.example.com"))
    ]
    failing = dataclasses.replace(
        fake_gate.certificate("bad.example.com", model.CertificateState.FAILING, reason="DNS points elsewhere"),
        failures=3,
        not_before=now - day,
        not_after=now + 3 * day,
        failing_since=now - datetime.timedelta(hours=5),
        last_error='the CA could not reach bad.example.com: "203.0.113.9: Connection refused (111)"',
        next_attempt=now + datetime.timedelta(hours=2, minutes=30),
        held_until=now + datetime.timedelta(hours=1),
    )
    own = dataclasses.replace(good[0], host="own.example.com", kind=model.CertificateKind.OWN, renew_at=None)
    container = model.ContainerStatus(
        name="chat-1", hosts=("chat.example.com", LONG), state="running", health="healthy", restarts=2, started_at=now
    )
    why, cure = "exposes no port, and its label daemun.port is missing", "set the label daemun.port=8080"
    bad = model.ContainerStatus(name="wiki-1", hosts=("wiki.example.com",), is_served=False, why=why, cure=cure)
    look = dataclasses.replace(container, name="mqtt-1", hosts=(), streams=("mqtt",), health="starting", why=why)
    origin = model.Origin(source=model.CONTAINERS, place="container wiki-1")
    problem = model.Problem(origin=origin, message=f'cannot serve container "wiki-1": {why}; {cure}')
    house.tell(certificates=(*good, failing, own), containers=(container, bad, look), problems=(problem,))
    reasons = banned_networks.Reason
    guesser = banned_networks.Ban(
        network="2001:db8:1234:5678::/64", reason=reasons.GUESSES, since=now, until=now + day, note="21 wrong passwords"
    )
    scan = banned_networks.Ban(
        network="203.0.113.0/24", reason=reasons.CROWDSEC, since=now, note="crowdsecurity/ssh-bf"
    )
    by_hand = banned_networks.Ban(network="203.0.113.7", reason=reasons.OWNER, since=now)
    house.banned = {one.network: one for one in (guesser, scan, by_hand)}
    house.attacks = (guesser, scan)
    house.drift = (hand_edits.HandEdit(file=f"sites/{LONG}.conf", kind=change_plan.ChangeKind.CHANGED),)


@pytest.fixture
async def house(tmp_path: pathlib.Path) -> history_house.HistoryHouse:
    made = history_house.HistoryHouse(tmp_path)
    fill(made)
    await made.write(history_house.ONE)
    made.changes = (f"added {LONG}", "changed a.test", "removed b.test", "added c.test")
    await made.write(history_house.BROKEN)
    await made.write(history_house.TWO + f"  {LONG}: http://10.0.0.1:8080 # {'a long comment ' * 10}\n".encode())
    await made.trials.begin(60, 1)
    return made


@pytest.fixture
def address(house: history_house.HistoryHouse, tmp_path: pathlib.Path) -> collections.abc.Iterator[str]:
    modules = (certificate_endpoints, container_endpoints, ban_endpoints)
    (tmp_path / "gate").mkdir()
    of_settings = settings_house.make(tmp_path / "gate")
    of_settings.fill()
    every = [*house.endpoints(), *of_settings.endpoints()]
    pages = page_house.PageHouse([*every, *(one for module in modules for one in module.endpoints(house))])
    with page_looks.serving(page_house.signed_in(pages)) as found:
        yield found


async def test_pages_at_every_size_in_both_colours_and_languages(address: str, tmp_path: pathlib.Path) -> None:
    """DAEMUN_PICTURES names a folder that gets a picture of each; then all are looked at, in each size and colour."""
    pictures, faults = os.environ.get("DAEMUN_PICTURES"), list[str]()
    paths, sizes = (ALL_PATHS, page_looks.SIZES) if pictures else (PATHS, page_looks.SIZES[:2])
    async with browser.chromium(tmp_path / "profile") as chromium, chromium.open("about:blank") as page:
        for number, (width, scheme) in enumerate(sizes):
            for path in paths:
                language = "ko" if (number + ALL_PATHS.index(path)) % 2 else "en"
                url = f"{address}{path}{'&' if '?' in path else '?'}language={language}"
                await page_looks.visit(page, url, width=width, scheme=scheme)
                if number % 2:
                    await page.value("document.querySelectorAll('main details').forEach((one) => one.open = true)")
                faults += [f"{url} {width}: {one}" for one in await page_looks.find_faults(page)]
                if pictures:
                    name = f"{path.strip('/').replace('/', '-').replace('?', '_')}-{width}-{scheme}-{language}.png"
                    shot = await page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
                    pathlib.Path(pictures, name).write_bytes(base64.b64decode(shot["data"]))
    assert faults == []
