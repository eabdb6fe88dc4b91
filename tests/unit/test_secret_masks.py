"""No secret of daemun.yaml is in its masked text, and with the secrets it is the file again."""

import pytest

from daemun.core.options import secret_fields
from daemun.sources.history import secret_masks

FILE = """\
# ours
# old client_secret: "in-a-comment-1"
listen: 80
x-keys: {cf: &cf anchored-secret-1}
acme:
  email: me@example.com
  eab: {kid: abc, hmac_key: zzz}
  dns: {provider: cloudflare, auth_token: *cf}
alerts:
  webhook: https://hooks.example.com/T/in-a-url
  ntfy: [{url: "https://ntfy.sh/private-topic", token: {env: NTFY}}]
  smtp: {server: mail.example.com, user: me, password: "${SMTP}", from: a@b.example, to: d@e.example}
crowdsec: {url: http://127.0.0.1:8080, key: file:/run/x}
login:
  host: auth.example.com
  providers: [{oidc: https://a.example, client_id: me, client_secret: 'it''s-a-secret'}]
sites:
  login: http://x:1
  a.test:
    tls: {certificate: a.pem, key: k.pem}
    access: {basic_auth: {users: {alice: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA"}}}
    request_headers: {Authorization: Bearer abcdefghi, X-Own: plain}
    nginx: |
      proxy_set_header X-Api-Key "nginx secret";
      location /x { return 200; }
    routes: {/: http://a:1}
  b.test:
    access:
      basic_auth:
        users: |
          bob:$2y$05$abcdefghijk
          eve:{SHA}abc=
    to: http://b:1  # ?token=query-secret
"""
SECRETS = (
    "in-a-comment-1",
    "anchored-secret-1",
    "zzz",
    "in-a-url",
    "private-topic",
    "a-secret",
    "aGFzaA",
    "abcdefghi",
    "nginx secret",
    "abcdefghijk",
    "{SHA}",
    "query-secret",
)
KEPT = (
    "${SMTP}",
    "env: NTFY",
    "file:/run/x",
    "k.pem",
    "http://x:1",
    "X-Own: plain",
    "provider: cloudflare",
    "client_id: me",
    "*cf",
)


def mask(text: str) -> secret_masks.Masked:
    found = secret_masks.mask(text.encode())
    assert found is not None
    return found


def test_no_secret_is_left_and_all_else_is() -> None:
    found = mask(FILE)
    assert [one for one in SECRETS if one in found.text] == []
    assert [one for one in SECRETS if any(one in secret.path for secret in found.secrets)] == []
    assert [one for one in KEPT if one not in found.text] == []


@pytest.mark.parametrize(
    "content",
    [
        FILE.encode(),
        b"\xef\xbb\xbf" + FILE.encode(),
        FILE.replace("\n", "\r\n").encode(),
        FILE.replace("sites:", "\N{GRINNING FACE}: {secret: \N{GRINNING FACE}x}\nsites:").encode(),
        b"",
        b"# only a comment\n",
        b"sites: {a.test: http://a:1}",
        b"crowdsec:\n  key: >-\n    folded\n    text\n\nsites: {}\n",
        b"token: x",
        b"token: |\n  x\n",
    ],
)
def test_the_file_comes_back_byte_for_byte(content: bytes) -> None:
    found = secret_masks.mask(content)
    assert found is not None
    assert secret_masks.fill(found.text, [one.written for one in found.secrets]).encode() == content


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfea", b"a: 'x", b"{" * 2000, b"a: \x00x"])
def test_what_is_no_yaml_is_not_kept(content: bytes) -> None:
    assert secret_masks.mask(content) is None


def test_long_files_are_read_where_they_may_have_secrets() -> None:
    plain = "".join(f"  s{number}.test:\n    to: http://10.0.0.1:{number}\n" for number in range(400))
    guarded = "  t.test:\n    access: {basic_auth: {users: {eve: hashed-so}}}\n    to: http://a:1\n"
    text = f"sites:\n{plain}{guarded}{plain.replace('  s', '  u')}crowdsec: {{url: http://x, key: crowd}}\n"
    found = mask(text)
    assert {one.path: one.written for one in found.secrets} == {
        "sites.t.test.access.basic_auth.users.eve": "hashed-so",
        "crowdsec.key": "crowd",
    }
    assert secret_masks.fill(found.text, [one.written for one in found.secrets]) == text


def test_a_secret_is_hidden_wherever_else_it_stands() -> None:
    text = "# was Tr0ub4dor&3 before\ncrowdsec: {url: http://x, key: 'Tr0ub4dor&3'}\nsites: {a.test: http://a:1}\n"
    assert "Tr0ub4dor" not in mask(text).text


def test_a_name_that_is_a_secret_elsewhere_stays() -> None:
    text = "acme: {dns: {provider: x, zone: example.com}}\nsites: {shop.example.com: http://a:1}\n"
    assert "shop.example.com" in mask(text).text


def test_messages_are_without_secrets() -> None:
    message = 'invalid "Bearer abcdefghi" at http://me:pass-1@x and own-secret-1'
    hidden = secret_masks.hide(message, ["'own-secret-1'"])
    assert [one for one in ("abcdefghi", "pass-1", "own-secret-1") if one in hidden] == []
    assert secret_masks.hide("plain: daemun.yaml:3:1", []) == "plain: daemun.yaml:3:1"


def test_every_secret_of_the_options_is_known() -> None:
    """A new option with a `Secret` is found by its form."""

    def walk(field: secret_fields.Field, path: tuple[str, ...]) -> list[str]:
        own = [".".join(path)] if field.is_secret else []
        below = [*field.keys.items(), *([("*", field.others)] if field.others is not None else [])]
        return [*own, *(one for key, child in below for one in walk(child, (*path, key)))]

    found = {one for name, field in secret_fields.find_all().items() for one in walk(field, (name,))}
    assert found >= {
        "acme.dns.*",
        "acme.eab.hmac_key",
        "acme.directory.eab.hmac_key",
        "tls.dns.*",
        "tls.directory.eab.hmac_key",
        "alerts.webhook.url",
        "alerts.ntfy.token",
        "alerts.smtp.password",
        "crowdsec.key",
        "login.providers.client_secret",
        "access.basic_auth.users",
    }
