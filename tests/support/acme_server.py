"""An ACME server (RFC 8555, RFC 9773, profiles) over HTTPS that lives in the time of a clock that a test moves.

Pebble's certificates live in real time; these live as long as the clock says, so that 400 days pass in a minute. It is
a CA as bad as they come: down for whole days, slow to validate, with refused nonces and rate limits, and it counts what
it is asked, to be compared with what a CA allows. It validates for real, with HTTP requests to `http_port`.
"""

import base64
import collections.abc
import contextlib
import dataclasses
import datetime
import http.client
import http.server
import json
import pathlib
import random
import socket
import ssl
import threading
import typing
import urllib.parse

from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, types
from josepy import jwk

from daemun.certs.acme import renewal_info
from daemun.certs.served import bundle
from tests.support import clock as clock_
from tests.support import pebble, serving

Json = dict[str, typing.Any]
DAY = datetime.timedelta(days=1)
VALIDATION = datetime.timedelta(seconds=30)


@dataclasses.dataclass(kw_only=True)
class Behaviour:
    """How bad the CA is. Fractions are from 0 to 1.

    is_down: whether it answers at a moment. profiles: name -> lifetime, the first one is its usual one.
    limited: how many orders it refuses for its rate limit, with a Retry-After. refused_nonces: how many good ones.
    unproved: names whose proofs it does not see. unreplaceable: status and problem for an order that replaces.
    """

    profiles: dict[str, datetime.timedelta]
    is_down: collections.abc.Callable[[datetime.datetime], bool] = lambda _: False
    limited: float = 0.0
    refused_nonces: float = 0.0
    unproved: set[str] = dataclasses.field(default_factory=set)
    unreplaceable: tuple[int, str] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a CA counts. at: when it came. hosts: of the order. algorithm: of the key that was signed."""

    at: datetime.datetime
    hosts: tuple[str, ...]
    replaces: bool = False
    algorithm: str = ""


@dataclasses.dataclass(kw_only=True)
class _Order:
    hosts: tuple[str, ...]
    lifetime: datetime.timedelta
    replaces: str | None
    validated_at: datetime.datetime | None = None
    status: str = "pending"
    chain_pem: str = ""


class Authority:
    """One directory of the server, with accounts, orders and counts of its own."""

    def __init__(
        self, name: str, clock: clock_.FakeClock, rng: random.Random, behaviour: Behaviour, http_port: int
    ) -> None:
        self.name = name
        self.behaviour = behaviour
        self.orders: list[Event] = []
        self.issued: list[Event] = []
        self.failed: list[Event] = []
        self.limited = self.refused_nonces = self.polls = 0
        self.windows: dict[str, tuple[datetime.datetime, datetime.datetime]] = {}
        """When which certificate (`renewal_info.identify`) is to be renewed, where it is not the usual time."""
        self._clock = clock
        self._rng = rng
        self._http_port = http_port
        self._nonces: set[str] = set()
        self._keys: dict[str, jwk.JWK] = {}
        self._open: dict[str, _Order] = {}
        self._leaves: dict[str, x509.Certificate] = {}
        self._replaced: set[str] = set()
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = clock.now()
        self.issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Simulated CA {name}")])
        self._certificate = (
            x509.CertificateBuilder(
                self.issuer, self.issuer, self._key.public_key(), 1, now - DAY, now + datetime.timedelta(days=3650)
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def latest(self, host: str) -> x509.Certificate:
        """The certificate that was issued last for a name."""
        return next(leaf for leaf in reversed(self._leaves.values()) if host in _hosts(leaf))

    # --- answers: (status, headers, body) --------------------------------------------------------------------------

    def get(self, base: str, path: str) -> tuple[int, dict[str, str], Json]:
        if path == "dir":
            names = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order", "renewalInfo": "renewal"}
            urls: Json = {name: f"{base}/{part}" for name, part in (*names.items(), ("revokeCert", "revoke"))}
            meta = {"profiles": {name: f"{life}" for name, life in self.behaviour.profiles.items()}}
            return 200, {}, {**urls, "meta": meta}
        if path == "nonce":
            return 200, {}, {}
        self.polls += 1
        identifier = path.removeprefix("renewal/")
        leaf = self._leaves.get(identifier)
        if leaf is None:
            return 404, {}, _problem("malformed", "no such certificate")
        start, end = self.windows.get(identifier) or usual_window(leaf)
        window = {"start": start.isoformat(), "end": end.isoformat()}
        return 200, {"Retry-After": "86400"}, {"suggestedWindow": window}

    def post(self, base: str, path: str, body: bytes) -> tuple[int, dict[str, str], Json | str]:
        signed = jws.JWS.from_json(json.loads(body))
        header = signed.signature.combined
        nonce = base64.urlsafe_b64encode(header.nonce).rstrip(b"=").decode()
        if nonce not in self._nonces:
            return 400, {}, _problem("badNonce", "unknown nonce")
        self._nonces.discard(nonce)
        if self._rng.random() < self.behaviour.refused_nonces:
            self.refused_nonces += 1
            return 400, {}, _problem("badNonce", "this one is not liked")
        key = header.jwk or self._keys[header.kid]
        if header.url != f"{base}/{path}" or not signed.verify(key):
            return 403, {}, _problem("unauthorized", "the signature is wrong")
        value = json.loads(signed.payload) if signed.payload else {}
        if path == "account":
            return self._account(base, key)
        if path == "order":
            return self._new_order(base, value)
        kind, _, number = path.partition("/")
        order = self._open[number.partition("/")[0]]
        if kind == "finalize":
            self._issue(order, base64.urlsafe_b64decode(value["csr"] + "=="))
        if kind == "challenge" and order.validated_at is None:
            order.validated_at = self._clock.now() + VALIDATION
        if kind == "challenge" or kind == "authorization":
            self._validate(order, key)
            found = self._authorization(base, number, order)
            headers = {"Retry-After": "10", "Link": f'<{base}/authorization/{number}>;rel="up"'}
            return 200, headers, found if kind == "authorization" else found["challenges"][0]
        if kind == "certificate":
            return 200, {}, order.chain_pem
        self._validate(order, key)
        return 200, {"Retry-After": "10"}, self._order(base, number, order)

    def new_nonce(self) -> str:
        nonce = base64.urlsafe_b64encode(self._rng.randbytes(12)).decode()
        self._nonces.add(nonce)
        return nonce

    def _account(self, base: str, key: jwk.JWK) -> tuple[int, dict[str, str], Json]:
        url = f"{base}/account/{key.thumbprint().hex()}"
        status = 200 if url in self._keys else 201
        self._keys[url] = key
        return status, {"Location": url}, {"status": "valid"}

    def _new_order(self, base: str, value: Json) -> tuple[int, dict[str, str], Json]:
        hosts = tuple(identifier["value"] for identifier in value["identifiers"])
        replaces = value.get("replaces")
        if self._rng.random() < self.behaviour.limited:
            self.limited += 1
            wait_s = self._rng.choice([300, 1800, 7200])
            return 429, {"Retry-After": str(wait_s)}, _problem("rateLimited", f"too busy, come back in {wait_s} s")
        if replaces is not None and self.behaviour.unreplaceable is not None:
            status, problem = self.behaviour.unreplaceable
            return status, {}, _problem(problem, "that one cannot be replaced")
        if replaces in self._replaced:
            return 409, {}, _problem("alreadyReplaced", "replaced before")
        if replaces is not None and replaces not in self._leaves:
            return 400, {}, _problem("malformed", "replaces what this CA did not issue")
        profile = value.get("profile") or next(iter(self.behaviour.profiles))
        order = _Order(hosts=hosts, lifetime=self.behaviour.profiles[profile], replaces=replaces)
        self.orders.append(Event(at=self._clock.now(), hosts=hosts, replaces=replaces is not None))
        number = str(len(self.orders))
        self._open[number] = order
        return 201, {"Location": f"{base}/orders/{number}"}, self._order(base, number, order)

    def _order(self, base: str, number: str, order: _Order) -> Json:
        urls = [f"{base}/authorization/{number}/{index}" for index in range(len(order.hosts))]
        found: Json = {
            "status": order.status,
            "identifiers": [{"type": "dns", "value": host} for host in order.hosts],
            "authorizations": urls,
            "finalize": f"{base}/finalize/{number}",
        }
        return found | ({"certificate": f"{base}/certificate/{number}"} if order.status == "valid" else {})

    def _authorization(self, base: str, number: str, order: _Order) -> Json:
        index = int(number.partition("/")[2])
        host = order.hosts[index]
        status = {"pending": "pending", "invalid": "invalid"}.get(order.status, "valid")
        challenge: Json = {
            "type": "http-01",
            "status": "processing" if order.validated_at and status == "pending" else status,
            "url": f"{base}/challenge/{number}",
            "token": _token(self.name, number),
        }
        if status == "invalid" and host in self.behaviour.unproved:
            challenge["error"] = _problem("unauthorized", "404")
        return {"status": status, "identifier": {"type": "dns", "value": host}, "challenges": [challenge]}

    def _validate(self, order: _Order, key: jwk.JWK) -> None:
        """What it takes half a minute to find out."""
        now = self._clock.now()
        if order.status != "pending" or order.validated_at is None or now < order.validated_at:
            return
        thumbprint = base64.urlsafe_b64encode(key.thumbprint()).rstrip(b"=").decode()
        bad = [host for host in order.hosts if host in self.behaviour.unproved or not self._sees(host, thumbprint)]
        self.failed += [Event(at=now, hosts=(host,)) for host in bad]
        order.status = "invalid" if bad else "ready"

    def _sees(self, host: str, thumbprint: str) -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=60)) as connection:
            connection.request("GET", "/.well-known/acme-challenge/token", headers={"Host": host})
            return connection.getresponse().read() == f"token.{thumbprint}".encode()

    def _issue(self, order: _Order, csr_der: bytes) -> None:
        csr, now = x509.load_der_x509_csr(csr_der), self._clock.now()
        if order.status != "ready" or set(_hosts(csr)) != set(order.hosts):
            order.status = "invalid"
            return
        leaf, order.chain_pem = self.sign(order.hosts, csr.public_key(), now, order.lifetime)
        order.status = "valid"
        identifier = renewal_info.identify(leaf)
        assert identifier is not None
        self._leaves[identifier] = leaf
        is_exempt = False
        if order.replaces is not None:
            self._replaced.add(order.replaces)
            is_exempt = set(_hosts(self._leaves[order.replaces])) == set(order.hosts)
        algorithm = bundle.read_facts(leaf).algorithm
        self.issued.append(Event(at=now, hosts=order.hosts, replaces=is_exempt, algorithm=algorithm))

    def sign(
        self,
        hosts: collections.abc.Iterable[str],
        key: types.CertificatePublicKeyTypes,
        begins: datetime.datetime,
        lifetime: datetime.timedelta,
    ) -> tuple[x509.Certificate, str]:
        """The certificate, and its chain as PEM."""
        leaf = (
            x509.CertificateBuilder(
                self.issuer, x509.Name([]), key, x509.random_serial_number(), begins, begins + lifetime
            )
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        return leaf, (leaf.public_bytes(pem) + self._certificate.public_bytes(pem)).decode()


def usual_window(leaf: x509.Certificate) -> tuple[datetime.datetime, datetime.datetime]:
    """As Let's Encrypt's: when a third of the lifetime is left, half of a short one, for two hundredths of it."""
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    start = leaf.not_valid_before_utc + lifetime * (1 / 2 if lifetime < 10 * DAY else 2 / 3)
    return start, start + lifetime / 50


@contextlib.contextmanager
def running(
    folder: pathlib.Path, clock: clock_.FakeClock, authorities: collections.abc.Sequence[Authority]
) -> collections.abc.Iterator[tuple[str, pathlib.Path]]:
    """Yields: the URL under which each authority has its directory at /NAME/dir, and the roots to trust for it."""
    pebble.write_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    known = {authority.name: authority for authority in authorities}
    answering = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.answer(b"")

        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(self, body: bytes) -> None:
            name, _, path = urllib.parse.unquote(self.path).lstrip("/").partition("/")
            authority, base = known[name], f"https://{self.headers['Host']}/{name}"
            with answering:
                if authority.behaviour.is_down(clock.now()):
                    self.close_connection = True
                    return
                if self.command == "POST":
                    status, headers, value = authority.post(base, path, body)
                else:
                    status, headers, value = authority.get(base, path)
                nonce = authority.new_nonce()
            content = value.encode() if isinstance(value, str) else json.dumps(value).encode()
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_response(status)
            self.send_header("Content-Type", "application/pem-certificate-chain" if isinstance(value, str) else kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Replay-Nonce", nonce)
            for header, text in headers.items():
                self.send_header(header, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, typing.Any]:
            connection, address = super().get_request()
            # The handshake is made by the connection's own thread.
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that went away

    with serving.in_thread(Server(("127.0.0.1", 0), Handler)) as server:
        yield f"https://127.0.0.1:{server.server_port}", folder / "ca.pem"


def _token(name: str, number: str) -> str:
    return base64.urlsafe_b64encode(f"{name}-{number}".encode().rjust(32, b"-")).rstrip(b"=").decode()


def _hosts(carrier: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, ...]:
    found = carrier.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(found.get_values_for_type(x509.DNSName))


def _problem(code: str, detail: str) -> Json:
    return {"type": f"urn:ietf:params:acme:error:{code}", "detail": detail}
