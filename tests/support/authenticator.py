"""An authenticator in software (w3.org/TR/webauthn-3): makes passkeys and signs, also what a real one would not."""

import dataclasses
import hashlib
import json
import secrets

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

USER_PRESENT, USER_VERIFIED, _WITH_KEY = 0x01, 0x04, 0x40


@dataclasses.dataclass(slots=True)
class Authenticator:
    """One passkey. counter: of its signatures; 0: it has none. handle: of the user, as it was told."""

    origin: str
    host: str = "auth.test"
    counter: int = 1
    id: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(16))
    handle: str = ""
    flags: int = USER_PRESENT | USER_VERIFIED
    key: ec.EllipticCurvePrivateKey = dataclasses.field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str) -> str:
        """As a browser sends it. options: of the page."""
        wanted = json.loads(options)
        self.handle = wanted["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        data = self._data(self.flags | _WITH_KEY) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", wanted["challenge"])
        return self._sent(clientDataJSON=client, attestationObject=attestation)

    def use(self, options: str) -> str:
        """The same, to sign in."""
        client = self._client("webauthn.get", json.loads(options)["challenge"])
        self.counter += 1 if self.counter else 0
        data = self._data(self.flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = base64url_to_bytes(self.handle)
        return self._sent(clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=handle)

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _sent(self, **response: bytes) -> str:
        number = bytes_to_base64url(self.id)
        written = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": number, "rawId": number, "type": "public-key", "response": written})
