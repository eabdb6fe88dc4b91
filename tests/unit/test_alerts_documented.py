"""docs/certificates.md shows the body of a webhook as it is."""

import json
import pathlib
import re

from daemun.alerts import alert_message
from daemun.core.alerts import alert_ledger
from daemun.core.alerts.alert_ledger import AlertEvent, Danger
from tests.support.standings import NOW, failing

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "certificates.md").read_text()


def test_the_body_of_a_webhook() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    shown = json.loads(block)
    status = failing()
    alert = alert_ledger.Alert(
        danger=Danger.FAILING, name=status.name, host=status.host, names=status.names, raised_at=NOW
    )
    notice = alert_ledger.Notice(event=AlertEvent.FAILING, items=(alert_ledger.Item(alert=alert, status=status),))
    body = alert_message.body_json(alert_message.AlertMessage(notice=notice, machine="gate1", version="1", at=NOW))
    assert list(shown) == list(body)
    assert list(shown["daemun"]) == list(body["daemun"])
    assert list(shown["certificates"][0]) == list(body["certificates"][0])
    assert shown["version"] == alert_message.BODY_VERSION
    keys = {*shown, *shown["certificates"][0], "daemun.machine"} - {"daemun", "sent_at", "host", "names"}
    assert keys <= set(re.findall(r"`([a-z_.]+)`", TEXT))


def test_every_event_is_named() -> None:
    for event in AlertEvent:
        assert f"`{event.value}`" in TEXT
