"""What a webhook, ntfy and a mail server are sent, and what is said when they do not take it."""

import collections.abc
import pathlib
import socket
import ssl

import pytest

from daemun.alerts import alert_message, alert_targets, mail, webhooks
from daemun.core import model
from daemun.core.alerts import alert_ledger
from daemun.core.alerts.alert_ledger import AlertEvent, Danger
from daemun.core.options import alerts_option
from daemun.errors import DaemunError, RetryableError
from tests.support import ports, receivers
from tests.support.standings import DAY, HOUR, NOW, failing, served

SECRET = "T0Ps3cret"


def notice(event: AlertEvent = AlertEvent.FAILING, *statuses: model.CertificateStatus) -> alert_ledger.Notice:
    found = statuses or (failing(reason="the CA said 아니요", attempt=NOW + HOUR),)
    danger = Danger.EXPIRING if event is AlertEvent.EXPIRING else Danger.FAILING
    items = (
        alert_ledger.Item(
            alert=alert_ledger.Alert(
                danger=danger,
                name=one.name,
                host=one.host,
                names=one.names,
                raised_at=NOW - HOUR,
                solved_at=NOW if event is AlertEvent.SOLVED else None,
            ),
            status=one,
        )
        for one in found
    )
    return alert_ledger.Notice(event=event, items=() if event is AlertEvent.TEST else tuple(items))


def told(event: AlertEvent = AlertEvent.FAILING, *statuses: model.CertificateStatus) -> alert_message.AlertMessage:
    return alert_message.AlertMessage(notice=notice(event, *statuses), machine="gate1", version="1.2.3", at=NOW)


async def deliver(
    alerts: alerts_option.Alerts, what: alert_message.AlertMessage, context: ssl.SSLContext | None = None
) -> str | None:
    (target,) = alert_targets.make_targets(alerts)
    assert SECRET not in target.name + target.key
    return await target.deliver(what, context or alert_targets.make_context())


async def refusal(alerts: alerts_option.Alerts, context: ssl.SSLContext | None = None) -> DaemunError:
    with pytest.raises(DaemunError) as caught:
        await deliver(alerts, told(), context)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)
    return caught.value


def webhook(url: str) -> alerts_option.Alerts:
    return alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(text=url)),))


def topic(url: str, token: model.Secret | None = None) -> alerts_option.Alerts:
    return alerts_option.Alerts(ntfy=(alerts_option.Ntfy(url=model.Secret(text=url), token=token),))


@pytest.fixture
def receiver() -> collections.abc.Iterator[receivers.Receiver]:
    with receivers.receiving() as found:
        yield found


# --- webhook ---------------------------------------------------------------------------------------------------


async def test_the_body_of_a_webhook(receiver: receivers.Receiver) -> None:
    await deliver(webhook(f"{receiver.url}/hooks/{SECRET}"), told())
    (post,) = receiver.posts
    assert post.path == f"/hooks/{SECRET}"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["user-agent"] == "daemun/1.2.3"
    text = post.json.pop("text")
    assert "the CA said 아니요" in text
    body = post.json
    del body["text"]
    assert body == {
        "version": 1,
        "event": "failing",
        "summary": "cannot get a certificate for a.test",
        "sent_at": "2026-05-01T12:00:00Z",
        "daemun": {"version": "1.2.3", "machine": "gate1"},
        "certificates": [
            {
                "danger": "failing",
                "host": "a.test",
                "names": ["a.test"],
                "since": "2026-05-01T11:00:00Z",
                "solved_at": None,
                "reason": "the CA said 아니요",
                "next_attempt": "2026-05-01T13:00:00Z",
                "issuer": "daemun local CA",
                "not_after": "2026-07-30T12:00:00Z",
                "days_left": 90,
                "trusted": False,
            }
        ],
        "sites": [],
        "folders": [],
        "gate": [],
    }


async def test_the_body_of_an_end_and_of_a_test(receiver: receivers.Receiver) -> None:
    await deliver(webhook(receiver.url), told(AlertEvent.SOLVED, served()))
    await deliver(webhook(receiver.url), told(AlertEvent.TEST))
    solved, test = (post.json for post in receiver.posts)
    assert (solved["event"], solved["certificates"][0]["danger"]) == ("solved", "failing")
    assert solved["certificates"][0]["solved_at"] == "2026-05-01T12:00:00Z"
    assert solved["certificates"][0]["trusted"] is True
    assert (test["event"], test["certificates"]) == ("test", [])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "HTTP status 500 (Internal Server Error), expected 200 to 299"),
        (404, "check the URL"),
        (401, "check the token"),
        (302, "name the address that it redirects to"),
        (599, "HTTP status 599, expected"),
    ],
)
async def test_a_status_that_is_no_success(receiver: receivers.Receiver, status: int, said: str) -> None:
    receiver.statuses.append(status)
    receiver.headers["Location"] = f"{receiver.url}/elsewhere"
    assert said in str(await refusal(webhook(f"{receiver.url}/{SECRET}")))
    assert len(receiver.posts) == 1, "a redirect is not followed: it would lose the body"


@pytest.mark.parametrize(
    ("header", "waits_s"),
    [("120", 120.0), ("Fri, 01 May 2026 12:05:00 GMT", 300.0), ("soon", None), ("9" * 400, 999999999.0)],
)
async def test_the_wait_that_is_asked_for(receiver: receivers.Receiver, header: str, waits_s: float | None) -> None:
    receiver.statuses.append(429)
    receiver.headers["Retry-After"] = header
    error = await refusal(webhook(receiver.url))
    assert isinstance(error, RetryableError)
    assert error.retry_after_s == waits_s


async def test_nobody_there() -> None:
    error = await refusal(webhook(f"http://127.0.0.1:{ports.free_port()}/{SECRET}"))
    assert str(error) == "connection refused; check that it runs and can be reached from here"


async def test_a_name_that_does_not_resolve() -> None:
    assert "its name does not resolve" in str(await refusal(webhook(f"http://nothing.invalid/{SECRET}")))


async def test_one_that_does_not_answer(receiver: receivers.Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WITHIN_S", 0.3)
    receiver.answers.clear()
    assert "no answer within 0.3 s" in str(await refusal(webhook(f"{receiver.url}/{SECRET}")))


async def test_a_url_from_a_file_that_is_none(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "url"
    alerts = alerts_option.Alerts(webhooks=(alerts_option.Webhook(url=model.Secret(file=str(path))),))
    assert "cannot read the secret in" in str(await refusal(alerts))
    path.write_text(f"hooks.example.com/{SECRET}\n")
    assert str(await refusal(alerts)) == f"cannot use the URL in {path}: it is not an http or https URL"


# --- ntfy ------------------------------------------------------------------------------------------------------


async def test_what_ntfy_is_sent(receiver: receivers.Receiver, tmp_path: pathlib.Path) -> None:
    """The headers of docs.ntfy.sh/publish."""
    (tmp_path / "token").write_text(f"tk_{SECRET}\n")
    token = model.Secret(file=str(tmp_path / "token"))
    await deliver(topic(f"{receiver.url}/my-topic", token), told())
    (post,) = receiver.posts
    assert post.path == "/my-topic"
    assert post.headers["authorization"] == f"Bearer tk_{SECRET}"
    assert post.headers["title"] == "gate1: cannot get a certificate for a.test"
    assert (post.headers["priority"], post.headers["tags"]) == ("5", "warning"), "visitors are warned"
    assert "the CA said 아니요" in post.body.decode()


@pytest.mark.parametrize(
    ("what", "priority", "tags"),
    [
        (told(AlertEvent.FAILING, failing(kind=model.CertificateKind.PUBLIC)), "3", "warning"),
        (told(AlertEvent.EXPIRING, served(left=DAY)), "4", "hourglass_flowing_sand"),
        (told(AlertEvent.EXPIRING, served(left=-DAY)), "5", "hourglass_flowing_sand"),
        (told(AlertEvent.SOLVED, served()), "2", "white_check_mark"),
        (told(AlertEvent.TEST), "3", "test_tube"),
    ],
)
async def test_how_loud_ntfy_is(
    receiver: receivers.Receiver, what: alert_message.AlertMessage, priority: str, tags: str
) -> None:
    await deliver(topic(f"{receiver.url}/t"), what)
    (post,) = receiver.posts
    assert (post.headers["priority"], post.headers["tags"]) == (priority, tags)
    assert "authorization" not in post.headers


async def test_a_long_message_stays_a_message(receiver: receivers.Receiver) -> None:
    """ntfy makes a file of what is longer than 4,096 bytes."""
    many = [failing(f"{number}.test", reason=f"cause {number} " + "ü" * 300) for number in range(30)]
    await deliver(topic(f"{receiver.url}/t"), told(AlertEvent.FAILING, *many))
    (post,) = receiver.posts
    assert len(post.body) < 4096
    assert post.body.decode().endswith("…")


async def test_a_token_that_cannot_be_one(receiver: receivers.Receiver) -> None:
    error = await refusal(topic(receiver.url, model.Secret(text=f"{SECRET}\nX: y")))
    assert "it holds characters that no token has" in str(error)
    assert receiver.posts == []


# --- mail ------------------------------------------------------------------------------------------------------


def smtp(server: receivers.MailServer, **changes: object) -> alerts_option.Alerts:
    values: dict[str, object] = {
        "server": server.host,
        "port": server.port,
        "sender": "gate@example.com",
        "recipients": ("me@example.com", "you@example.com"),
        **changes,
    }
    return alerts_option.Alerts(mails=(alerts_option.Mail(**values),))  # type: ignore[arg-type]


LOGIN = {"user": "gate", "password": model.Secret(text=SECRET)}


def trusting(server: receivers.MailServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca)


async def test_mail_over_starttls_with_a_password(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, user="gate", password=SECRET) as server:
        remark = await deliver(smtp(server, **LOGIN), told(), trusting(server))
    (got,) = server.mails
    assert remark is None
    assert server.over_tls == [True]
    assert server.recipients == [("me@example.com", "you@example.com")]
    assert got["From"] == "gate@example.com"
    assert got["To"] == "me@example.com, you@example.com"
    assert got["Subject"] == "[daemun on gate1] cannot get a certificate for a.test"
    assert got["Date"].datetime == NOW
    assert got["Message-ID"].endswith("@example.com>")
    assert got["Auto-Submitted"] == "auto-generated"
    assert (got.get_content_type(), got.get_content_charset()) == ("text/plain", "utf-8")
    assert "the CA said 아니요" in got.get_content()


async def test_mail_over_tls_from_the_first_byte(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, offers_starttls=False, implicit_tls=True) as server:
        await deliver(smtp(server, security=alerts_option.MailSecurity.TLS), told(), trusting(server))
    assert len(server.mails) == 1


async def test_mail_in_clear_where_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, offers_starttls=False) as server:
        await deliver(smtp(server, security=alerts_option.MailSecurity.NONE), told())
    assert server.over_tls == [False]


async def test_nothing_is_sent_to_a_server_that_cannot_prove_its_name(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, user="gate", password=SECRET) as server:
        error = await refusal(smtp(server, **LOGIN))
    assert "its certificate is refused" in str(error)
    assert server.mails == []


async def test_nothing_is_sent_in_clear_to_a_server_without_starttls(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, offers_starttls=False) as server:
        error = await refusal(smtp(server), trusting(server))
    assert "STARTTLS" in str(error)
    assert server.mails == []


async def test_a_wrong_password(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path, user="gate", password="another") as server:
        error = await refusal(smtp(server, **LOGIN), trusting(server))
    assert "refuses user and password: 535 5.7.8 wrong: …" in str(error)


async def test_recipients_that_are_refused(tmp_path: pathlib.Path) -> None:
    with receivers.mail_server(tmp_path) as server:
        server.refused = {"you@example.com"}
        remark = await deliver(smtp(server), told(), trusting(server))
        assert remark == "you@example.com is refused: 550 5.1.1 nobody of that name"
        server.refused.add("me@example.com")
        error = await refusal(smtp(server), trusting(server))
    assert "refuses every recipient: me@example.com (550 5.1.1 nobody of that name)" in str(error)
    assert len(server.mails) == 1


async def test_no_mail_server_there(tmp_path: pathlib.Path) -> None:
    server = receivers.MailServer(host="127.0.0.1", port=ports.free_port(), ca=tmp_path)
    assert f"no connection to 127.0.0.1 port {server.port}: connection refused" in str(await refusal(smtp(server)))


async def test_a_mail_server_that_says_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "WITHIN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = receivers.MailServer(host="127.0.0.1", port=silent.getsockname()[1], ca=tmp_path)
        error = await refusal(smtp(server))
    assert "within 0.3 s" in str(error)


# --- all of them -----------------------------------------------------------------------------------------------


def test_what_tells_targets_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://x.test")
    url = model.Secret(text=f"https://hooks.test/{SECRET}")
    alerts = alerts_option.Alerts(
        webhooks=(
            alerts_option.Webhook(url=url),
            alerts_option.Webhook(url=url),
            alerts_option.Webhook(url=model.Secret(variable="HOOK")),
        ),
        ntfy=(alerts_option.Ntfy(url=url),),
        mails=(alerts_option.Mail(server="mail.test", sender="a@b.test", recipients=("c@d.test",)),),
    )
    found = alert_targets.make_targets(alerts)
    assert [target.name for target in found] == [
        "webhook at hooks.test",
        "webhook in the environment variable HOOK",
        "ntfy at hooks.test",
        "mail to c@d.test",
    ]
    assert len({target.key for target in found}) == 4
    assert [target.key for target in found] == [target.key for target in alert_targets.make_targets(alerts)]
