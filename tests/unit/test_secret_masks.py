"""No secret of daemun.yaml is in its masked text, and with the secrets it is the file again."""

import pytest

from daemun.core.options import secret_fields
from daemun.sources import yaml_positions
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


def mask(text: str) -> secret_masks.MaskedText:
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


@pytest.mark.parametrize(
    "pattern",
    [
        "# {}token",
        "# {}",
        "# -----\n{}",
        "# token{}",
        "# token:{}#",
        "-----BEGIN PRIVATE KEY-----{}",
        "x://{}",
        "$argon2{}",
        "x_set_header {}",
        "?{}",
    ],
)
@pytest.mark.parametrize(
    "repeated",
    [
        "x",
        "token",
        " ",
        "-",
        "# -----\n",
        "://a:b",
        "-----BEGIN PRIVATE KEY-----",
        "a_set_header token ",
        "$argon2a",
        ".",
    ],
)
def test_a_long_text_of_anything_is_searched_in_one_pass(pattern: str, repeated: str) -> None:
    """A search whose time grows with the square of the length would take most of an hour for all of them."""
    text = pattern.format(repeated * (200_000 // len(repeated)))
    assert secret_masks.hide(text, [])


def sites_of(count: int, secret: str = "header-secret") -> list[str]:
    return [
        f"  s{number}.test:\n    request_headers: {{Authorization: {secret}-{number}}}\n    to: http://a:{number}\n"
        for number in range(count)
    ]


def test_sites_that_did_not_change_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sites, read = sites_of(300), list[str]()
    compose = yaml_positions.compose

    def note(text: str) -> object:
        read.append(text)
        return compose(text)

    monkeypatch.setattr(yaml_positions, "compose", note)
    known = secret_masks.KnownSites()

    def look(sites: list[str]) -> secret_masks.MaskedText:
        content = ("crowdsec: {key: crowd}\nsites:\n" + "".join(sites) + "listen: 80\n").encode()
        found = secret_masks.mask(content, known)
        assert found is not None
        assert found == secret_masks.mask(content), "what is known has no effect on what is found"
        assert secret_masks.fill(found.text, [one.written for one in found.secrets]).encode() == content
        assert "header-secret" not in found.text
        return found

    assert len(look(sites).secrets) == 301
    sites[7] = sites[7].replace("header-secret", "header-secret-other")
    read.clear()
    assert "s7.test" in {one.path.split(".")[1] + ".test" for one in look(sites).secrets if one.path != "crowdsec.key"}
    assert [site in read[0] for site in sites[5:10]] == [False, False, True, False, False]
    moved = [*sites[100:], "  new.test: {to: http://a:1, x-token: fresh}\n", *sites[:100]]
    read.clear()
    assert {one.written for one in look(moved).secrets} >= {"fresh", "crowd"}
    assert ("new.test" in read[0], "s7.test" in read[0]) == (True, False)


@pytest.mark.parametrize(
    "odd",
    [
        "  o.test:\n    x-token: |\n      first\n      second\n\n",
        "  o.test:\n    x-token: reaches\n      further\n",
    ],
)
def test_a_site_of_an_odd_form_hides_as_much_as_in_a_short_file(odd: str) -> None:
    plain = [f"  s{number}.test: http://a:{number}\n" for number in range(500)]
    short, long = ("sites:\n" + "".join([*some, odd, "  z.test: http://a:1\n"]) for some in (plain[:2], plain))
    expected = [one.written for one in mask(short).secrets]
    assert len(expected) == 1
    assert [one.written for one in mask(long).secrets] == expected


@pytest.mark.parametrize(
    "line",
    [
        "fastcgi_param DB_PASSWORD {};",
        'uwsgi_param client_secret "{}";',
        "env APP_TOKEN={};",
        "set $auth_token {};",
        'secure_link_md5 "$secure_link_expires$uri {}";',
        'if ($http_x_secret != "{}") {{ return 403; }}',
        "if ($arg_key ~* {}) {{ return 403; }}",
        "proxy_pass http://a/?client_secret={}&x=1;",
        "proxy_pass http://a/?x=1&access_key={};",
        "proxy_pass http://a/?pwd={};",
        "proxy_pass https://{}@git.example.com;",
        "# password is {}",
    ],
)
def test_secrets_of_hand_written_nginx_are_hidden(line: str) -> None:
    secret = "s3cr3t-of-the-owner"
    masked = mask(f"nginx: |\n  {line.format(secret)}\nsites: {{}}\n")
    assert secret not in masked.text


@pytest.mark.parametrize(
    "line",
    ["set $design blue-and-green;", "if ($arg_page = seventeen) { return 404; }", "fastcgi_param HTTPS on-everywhere;"],
)
def test_other_hand_written_nginx_stays(line: str) -> None:
    assert line in mask(f"nginx: |\n  {line}\nsites: {{}}\n").text


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
