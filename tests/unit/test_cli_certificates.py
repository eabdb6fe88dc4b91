"""How certificates look on terminals of every width, and in a pipe."""

import dataclasses

import pytest

from daemun.cli import certificate_table, forecast_table
from daemun.core import model
from daemun.core.certificates import renewal_forecast
from daemun.web import forecast_json, json_values
from tests.support.standings import DAY, HOUR, MINUTE, NOW, failing, served

REASON = (
    'cannot validate "broken.example.com": port 80 there does not answer the CA; open it in firewall and router. ' * 3
)
LONG = "a-host-name-that-is-much-too-long-for-a-column.customers.example.com"
CERTIFICATES = [
    json_values.certificate_json(status)
    for status in (
        served("a.test", left=60 * DAY),
        dataclasses.replace(served("shop.test", left=25 * DAY), names=("shop.test", "www.shop.test")),
        failing("broken.example.com", reason=REASON, attempt=NOW + 9 * MINUTE),
        served("own.test", kind=model.CertificateKind.OWN, left=-HOUR),
        served(LONG, left=5 * HOUR),
        served("new.test", kind=model.CertificateKind.LOCAL, state=model.CertificateState.PENDING),
    )
]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_every_line_fits_and_says_its_part(width: int) -> None:
    lines = [line.text for line in certificate_table.lines_of(CERTIFICATES, NOW, width)]
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for part in (
        "60 days",
        "renews in 30 days",
        "renews now",
        "tries in 9 minutes",
        "you renew it",
        "is asked for now",
    ):
        assert part in text
    assert "expired" in text
    assert "  also www.shop.test" in lines
    assert " ".join(text.split()).count("open it in firewall and router.") == 3, "a reason is not cut"
    assert LONG in text


def test_columns_stay_where_a_host_is_too_long() -> None:
    lines = certificate_table.lines_of(CERTIFICATES, NOW, 80)
    at = {line.at for line in lines if line.state}
    assert len(at) == 1
    assert all(line.text[line.at :].startswith(line.state) for line in lines if line.state)


def test_a_narrow_terminal_breaks_nothing() -> None:
    text = "".join(line.text for line in certificate_table.lines_of(CERTIFICATES, NOW, 10))
    for part in ("a.test", "www.shop.test", LONG, "renewsin30days", "isaskedfornow"):
        assert part in "".join(text.split())


def test_what_comes_from_outside_cannot_steer_a_terminal() -> None:
    hostile = json_values.certificate_json(failing(reason="\x1b]0;owned\x07"))
    assert not any("\x1b" in line.text for line in certificate_table.lines_of([hostile], NOW, 80))


def test_in_a_pipe_nothing_is_cut() -> None:
    row = certificate_table.row_of(CERTIFICATES[2], NOW)
    assert row[:6] == ("broken.example.com", "failing", "daemun local CA", "2026-07-30", "90 days", "2026-06-30")
    assert REASON in row[6]


def test_many_renewals_are_counted_by_day() -> None:
    statuses = [served(f"{number}.test", left=(31 + number % 2) * DAY) for number in range(100)]
    found = renewal_forecast.make_forecast(statuses, NOW, 30 * DAY)
    lines = forecast_table.lines_of(forecast_json.forecast_json(found, NOW, 30 * DAY))
    assert [line.split()[:2] for line in lines[1:]] == [["2026-05-02", "50"], ["2026-05-03", "50"]]
    assert lines[1].endswith("and 46 more")


def test_no_renewals() -> None:
    own = served("own.test", kind=model.CertificateKind.OWN, left=-DAY)
    found = renewal_forecast.make_forecast([own], NOW, 30 * DAY)
    lines = forecast_table.lines_of(forecast_json.forecast_json(found, NOW, 30 * DAY))
    assert lines[0] == "no certificate is renewed before 2026-05-31"
    assert lines[-1].split() == ["2026-04-30", "12:00", "expired", "24", "hours", "ago", "is", "expired", "own.test"]


def test_c2_the_note_of_many_names_is_one_line_that_names_them() -> None:
    """C2: four names without DNS were a cell of 1,900 characters."""
    names = ["n.example.com", "a.example.com", "b.example.com", "c.example.com"]
    why = (
        'cannot validate "{0}": the CA finds no address for it in DNS; make an A or AAAA record that points to this '
        'machine (a new record can take a while to be seen). The CA says: Get "http://{0}/.well-known/acme-challenge/'
        'x": could not resolve URL "http://{0}/.well-known/acme-challenge/x"'
    )
    reason = "; ".join(
        [
            *(why.format(name) for name in (names[0], names[1], names[3])),
            f'and the same kind of trouble with "{names[2]}"',
            *(f"before that, daemun found: {name}: cannot be looked up; check the name servers" for name in names),
        ]
    )
    status = dataclasses.replace(failing(names[0], reason=reason, attempt=None), names=tuple(names))
    certificate = json_values.certificate_json(status)
    note = certificate_table.row_of(certificate, NOW)[-1]
    assert note.startswith('cannot validate "n.example.com": the CA finds no address for it in DNS; make an A or AAAA')
    assert '; also with "a.example.com", "b.example.com" and "c.example.com"' in note
    assert "`daemun certs show n.example.com` tells all" in note
    assert "acme-challenge" not in note
    assert len(note) < 400
    shown = [value for _, value in certificate_table.detail_of(certificate, NOW)]
    assert sum("could not resolve" in value for value in shown) == 3


def test_a_short_reason_is_the_whole_note() -> None:
    certificate = json_values.certificate_json(failing("a.test", reason="cannot read x; correct it", attempt=None))
    assert certificate_table.row_of(certificate, NOW)[-1] == "cannot read x; correct it"
