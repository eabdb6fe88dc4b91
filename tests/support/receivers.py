"""Those whom daemun tells: a web server that takes posts, and a mail server (aiosmtpd). Real ones, in threads."""

import collections.abc
import contextlib
import dataclasses
import email
import email.message
import email.policy
import json
import pathlib
import socket
import ssl
import threading
import typing

from aiosmtpd import controller, smtp
from starlette import applications, concurrency, requests, responses, routing

from daemun.certs.served import local_ca
from daemun.store import memory_store
from daemun.wiring import clock
from tests.support import ports, threaded_server

Json = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A request that came whole. answered: with which status."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: int

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.body)
        return found


@dataclasses.dataclass(slots=True, kw_only=True)
class Receiver:
    """A web server. statuses: of the next answers; then 200. answers: cleared: it reads, and does not answer."""

    url: str
    posts: list[Post] = dataclasses.field(default_factory=list)
    statuses: list[int] = dataclasses.field(default_factory=list)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    answers: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def taken(self) -> list[Json]:
        """The bodies that were taken."""
        return [post.json for post in self.posts if post.answered < 300]


@contextlib.contextmanager
def receiving(port: int = 0, *, tls: pathlib.Path | None = None) -> collections.abc.Iterator[Receiver]:
    """tls: over HTTPS, with a certificate for "localhost" that is made in this folder, beside `ca.pem` of its CA."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        at = listener.getsockname()[1]
        receiver = Receiver(url=f"http://127.0.0.1:{at}" if tls is None else f"https://localhost:{at}")
        receiver.answers.set()

        def take(request: requests.Request, body: bytes) -> responses.Response:
            assert receiver.answers.wait(60)
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            receiver.posts.append(
                Post(path=request.url.path, headers=dict(request.headers), body=body, answered=status)
            )
            return responses.PlainTextResponse("so", status, headers=receiver.headers)

        async def answer(request: requests.Request) -> responses.Response:
            return await concurrency.run_in_threadpool(take, request, await request.body())

        routes = [routing.Route("/{path:path}", answer, methods=["POST"])]
        app = applications.Starlette(routes=routes)
        with threaded_server.serving(app, listener, ws="none", **({} if tls is None else _make_certificate(tls))):
            try:
                yield receiver
            finally:
                receiver.answers.set()


# --- mail ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True, kw_only=True)
class MailServer:
    """host, port: where it listens. ca: who signed its certificate. refused: recipients that it does not take."""

    host: str
    port: int
    ca: pathlib.Path
    mails: list[email.message.EmailMessage] = dataclasses.field(default_factory=list)
    recipients: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    over_tls: list[bool] = dataclasses.field(default_factory=list)
    refused: set[str] = dataclasses.field(default_factory=set)

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, _: smtp.SMTP, __: smtp.Session, envelope: smtp.Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _: smtp.SMTP, session: smtp.Session, envelope: smtp.Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(
            email.message_from_bytes(content, _class=email.message.EmailMessage, policy=email.policy.SMTP)
        )
        self.recipients.append(tuple(envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        return "250 taken"


@contextlib.contextmanager
def mail_server(
    folder: pathlib.Path,
    *,
    user: str | None = None,
    password: str | None = None,
    offers_starttls: bool = True,
    implicit_tls: bool = False,
) -> collections.abc.Iterator[MailServer]:
    """A mail server for "localhost" with a certificate of its own CA. user, password: the only ones it takes."""
    context = _make_context(folder)
    server = MailServer(host="localhost", port=ports.free_port(), ca=folder / "mail-ca.pem")

    def check(_: object, __: object, ___: object, kind: str, data: object) -> smtp.AuthResult:
        assert isinstance(data, smtp.LoginPassword)
        is_good = (data.login, data.password) == (str(user).encode(), str(password).encode())
        # As careless servers do: the words repeat what came.
        refusal = f"535 5.7.8 wrong: {data.password.decode()}"
        return smtp.AuthResult(success=is_good, handled=False, message=None if is_good else refusal)

    options: dict[str, typing.Any] = {"tls_context": context, "require_starttls": True} if offers_starttls else {}
    if user is not None:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": not implicit_tls}
    running = controller.Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        ssl_context=context if implicit_tls else None,
        ready_timeout=20,
        **(options if not implicit_tls else {name: value for name, value in options.items() if "tls" not in name}),
    )
    running.start()
    try:
        yield server
    finally:
        running.stop()


def _make_context(folder: pathlib.Path) -> ssl.SSLContext:
    made = _make_certificate(folder, name="mail", ca_name="mail-ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made["ssl_certfile"], made["ssl_keyfile"])
    return context


def _make_certificate(folder: pathlib.Path, *, name: str = "server", ca_name: str = "ca") -> dict[str, typing.Any]:
    """For "localhost". Returns: the options of uvicorn."""
    now = clock.SystemClock().now()
    ca = local_ca.load_or_create(memory_store.MemoryStore(), now)
    made = ca.issue(["localhost"], now)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    (folder / f"{ca_name}.pem").write_bytes(ca.root_pem)
    certificate.write_bytes(made.fullchain_pem)
    key.write_bytes(made.key_pem)
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
