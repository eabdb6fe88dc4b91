"""Records by dynamic update (RFC 2136), signed with a key that the zone's primary server knows (TSIG, RFC 8945)."""

import base64
import binascii
import dataclasses
import socket

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tsig
import dns.update

from daemun import errors
from daemun.certs.dns01 import txt_records
from daemun.core import validate_dns
from daemun.core.texts import words

TTL_S = 60
TIMEOUT_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """server: name or address. zone: None: as found in DNS. key: None: updates are not signed."""

    server: str
    port: int = 53
    zone: str | None = None
    key: dns.tsig.Key | None = dataclasses.field(default=None, repr=False)

    def create(self, record: txt_records.Record) -> None:
        update = self._begin(record)
        update.add(dns.name.from_text(record.name), TTL_S, _content(record))
        self._send(update, record)

    def remove(self, record: txt_records.Record) -> None:
        update = self._begin(record)
        update.delete(dns.name.from_text(record.name), _content(record))
        self._send(update, record)

    def _begin(self, record: txt_records.Record) -> dns.update.UpdateMessage:
        zone = dns.name.from_text(self.zone or record.zone)
        if not dns.name.from_text(record.name).is_subdomain(zone):
            raise errors.ConfigError(
                f'cannot make a record at {record.name}: it is not in the zone "{self.zone}"; correct `zone` of '
                "`provider: rfc2136`, or leave it out"
            )
        return dns.update.UpdateMessage(zone, keyring=self.key)

    def _send(self, update: dns.update.UpdateMessage, record: txt_records.Record) -> None:
        """Raises: RetryableError in words."""
        zone = self.zone or record.zone
        failed = f'cannot change the zone "{zone}" at {self.server}'
        try:
            answer = self._exchange(update, failed)
        except dns.tsig.PeerBadKey:
            raise errors.RetryableError(f"{failed}: {self._unknown_key()}") from None
        except (dns.tsig.PeerBadSignature, dns.tsig.PeerBadTruncation, dns.tsig.BadSignature):
            raise errors.RetryableError(
                f"{failed}: the signature is not accepted (BADSIG): the secret of the key {self._key_name} differs "
                "from the server's; correct `key_secret`, and `key_algorithm` if the server's is another"
            ) from None
        except (dns.tsig.PeerBadTime, dns.tsig.BadTime):
            raise errors.RetryableError(
                f"{failed}: the clocks differ by more than five minutes (BADTIME); set the clock of this machine, or "
                "of the server"
            ) from None
        except dns.exception.DNSException as error:
            # A server refuses without a signature what it does not serve, and then the library hides its answer.
            if not self._is_served(zone):
                cause = _elsewhere("NOTAUTH")
            elif "TSIG" in str(error):
                cause = self._unknown_key()
            else:
                cause = f"its answer cannot be read ({type(error).__name__}); check `server` and `port`"
            raise errors.RetryableError(f"{failed}: {cause}") from None
        code = answer.rcode()
        if code != dns.rcode.NOERROR:
            raise errors.RetryableError(f"{failed}: {self._explain(code, zone)}")

    def _exchange(self, update: dns.update.UpdateMessage, failed: str) -> dns.message.Message:
        """By UDP, and by TCP where that does not go. Doing it twice is as doing it once."""
        cause = "its name has no address"
        for address in self._addresses(failed):
            for send in (dns.query.udp, dns.query.tcp):
                try:
                    return send(update, address, timeout=TIMEOUT_S, port=self.port)
                except dns.message.Truncated:
                    continue
                except dns.exception.Timeout:
                    cause = f"{address} does not answer within {TIMEOUT_S:.0f} s"
                except (OSError, EOFError) as error:
                    cause = f"{address}: {(getattr(error, 'strerror', None) or str(error) or 'no answer').lower()}"
        raise errors.RetryableError(
            f"{failed}: {cause} (port {self.port}, UDP and TCP); check `server`, `port` and the firewalls between"
        )

    def _addresses(self, failed: str) -> list[str]:
        if dns.inet.is_address(self.server):
            return [self.server]
        try:
            rows = socket.getaddrinfo(self.server, self.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            cause = (getattr(error, "strerror", None) or str(error)).lower()
            raise errors.RetryableError(f"{failed}: its name has no address ({cause}); correct `server`") from None
        return list(dict.fromkeys(str(address[0]) for *_, address in rows))

    def _explain(self, code: dns.rcode.Rcode, zone: str) -> str:
        if code == dns.rcode.REFUSED:
            who = f"the key {self._key_name}" if self.key else "this address, without a key,"
            return (
                f"it refuses (REFUSED): {who} may not change this name; allow updates of TXT records under "
                f'"{zone}" there (BIND: `update-policy`, Knot: `acl` with `action: update`)'
            )
        if code == dns.rcode.NOTAUTH and self.key is None and self._is_served(zone):
            return "it wants a key (NOTAUTH); give `key_name` and `key_secret` of one that may change this zone"
        if code in {dns.rcode.NOTAUTH, dns.rcode.NOTZONE, dns.rcode.NXDOMAIN}:
            return _elsewhere(dns.rcode.to_text(code))
        if code == dns.rcode.NOTIMP:
            return "it does not know dynamic updates (NOTIMP); use another `provider`"
        return f"it answers {dns.rcode.to_text(code)}; the log of that server says why"

    def _is_served(self, zone: str) -> bool:
        """Whether the server itself has the zone; True also when it does not answer."""
        query = dns.message.make_query(zone, "SOA")
        try:
            answer = dns.query.udp(query, next(iter(self._addresses("")), ""), timeout=TIMEOUT_S, port=self.port)
        except (dns.exception.DNSException, errors.RetryableError, OSError, ValueError):
            return True
        return bool(answer.flags & dns.flags.AA and answer.answer)

    def _unknown_key(self) -> str:
        return (
            f"it does not accept the key {self._key_name}: it does not know a key of this name and algorithm, "
            "or the key may not change this zone; correct `key_name` and `key_algorithm`, or allow it there"
        )

    @property
    def _key_name(self) -> str:
        return words.quoted(self.key.name.to_text(omit_final_dot=True)) if self.key else "(none)"


def make(options: dict[str, str]) -> Update:
    """Of options as `validate_dns` lets them pass, which now hold their secrets. Raises: ConfigError."""
    return Update(
        server=options["server"],
        port=_parse_port(options.get("port", "53")),
        zone=options["zone"].rstrip(".").lower() if "zone" in options else None,
        key=_make_key(options) if "key_name" in options else None,
    )


def _parse_port(given: str) -> int:
    if given.isascii() and given.isdecimal() and 1 <= int(given) <= 65535:
        return int(given)
    raise errors.ConfigError(f"cannot use {words.quoted(given)} as `port` of `provider: rfc2136`: expected 1 to 65535")


def _make_key(options: dict[str, str]) -> dns.tsig.Key:
    algorithm = options.get("key_algorithm", "hmac-sha256").lower()
    if algorithm not in validate_dns.RFC2136_ALGORITHMS:
        raise errors.ConfigError(
            f"cannot use {words.quoted(algorithm)} as `key_algorithm` of `provider: rfc2136`; "
            f"expected {words.listed(validate_dns.RFC2136_ALGORITHMS)}"
        )
    try:
        raw = base64.b64decode(options["key_secret"], validate=True)
    except (binascii.Error, ValueError):
        raise errors.ConfigError(
            "cannot use `key_secret` of `provider: rfc2136`: it is not base64; give it as the key file of the DNS "
            "server does"
        ) from None
    name = "hmac-md5.sig-alg.reg.int" if algorithm == "hmac-md5" else algorithm
    return dns.tsig.Key(dns.name.from_text(options["key_name"]), raw, name)


def _elsewhere(code: str) -> str:
    return (
        f"it is not the primary server of that zone ({code}); name the primary as `server`, or the zone that it serves "
        "as `zone`"
    )


def _content(record: txt_records.Record) -> dns.rdata.Rdata:
    if record.kind != "TXT":
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(record.kind), record.value)
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, [record.value.encode()])
