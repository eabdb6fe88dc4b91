"""Settings of the whole gate, and defaults for every host, from nginx-proxy's own environment. Pure."""

import collections.abc
import dataclasses
import enum
import re
import typing

from daemun.core import model, problem_report
from daemun.core.options import catalogue, hsts_option, logs_option, ordering_forms, redirect_status_option
from daemun.core.texts import rules, url_rules, variable_rules, words
from daemun.core.validation import validate_site
from daemun.sources.docker import container_filters, nginx_proxy_dns, nginx_proxy_folders, nginx_proxy_policies
from daemun.sources.docker import nginx_proxy_values as parse

JSON_LOG = (
    '{"time_local":"$time_iso8601","client_ip":"$http_x_forwarded_for","remote_addr":"$remote_addr",'
    '"request":"$request","status":"$status","body_bytes_sent":"$body_bytes_sent","request_time":"$request_time",'
    '"upstream_response_time":"$upstream_response_time","upstream_addr":"$upstream_addr",'
    '"http_referrer":"$http_referer","http_user_agent":"$http_user_agent","request_id":"$request_id"}'
)

_RIGHTS = "root and nginx's workers may read keys, nobody else; copy them from live/ in the state directory"

WITHOUT_EFFECT = {
    "RESOLVERS": "daemun resolves names as this machine does",
    "SHA1_UPSTREAM_NAME": "names of upstreams are daemun's own",
    "DHPARAM_BITS": "DHE is not offered without parameters, and no client of today needs it",
    "DHPARAM_SKIP": "DHE is not offered without parameters, and no client of today needs it",
    "DHPARAM_GENERATION": "DHE is not offered without parameters, and no client of today needs it",
    "NGINX_CONTAINER_LABEL": "nginx runs beside daemun, not in a container of its own",
    "ACME_RENEW_AFTER": "a certificate is renewed when its CA wants it, or when a third of its lifetime is left",
    "DEFAULT_RENEW": "a certificate is renewed when its CA wants it, or when a third of its lifetime is left",
    "CERTS_UPDATE_INTERVAL": "certificates are renewed when they are due",
    "RENEW_PRIVATE_KEYS": "every certificate has a new key",
    "ZEROSSL_API_KEY": "its account comes with ACME_EAB_KID and ACME_EAB_HMAC_KEY, which ZeroSSL's web page shows",
    "ACME_PRE_HOOK": "`acme.hook` of daemun.yaml runs a program after each new certificate",
    "ACME_POST_HOOK": "`acme.hook` of daemun.yaml runs a program after each new certificate",
    "RELOAD_NGINX_ONLY_ONCE": "a certificate never reloads nginx",
    "CREATE_DEFAULT_CERTIFICATE": "handshakes for unknown names are refused without one",
    "CA_BUNDLE": "name the CA in `acme.ca_file` of daemun.yaml",
    "ACME_STANDALONE_CERTS": "a certificate belongs to a site; make each of its hosts a site of daemun.yaml",
    "LETSENCRYPT_STANDALONE_CERTS": "a certificate belongs to a site; make each of its hosts a site of daemun.yaml",
    "FILES_UID": _RIGHTS,
    "FILES_GID": _RIGHTS,
    "FILES_PERMS": _RIGHTS,
    "FOLDERS_PERMS": _RIGHTS,
    "DEBUG": "`daemun up --verbose` logs more",
    "NGINX_PROXY_CONTAINER": "nginx runs beside daemun, and no companion has to find it",
    "NGINX_DOCKER_GEN_CONTAINER": "daemun watches the containers itself",
    "DOCKER_GEN_WAIT": "daemun waits a fraction of a second for what happens together",
}
"""Variables of nginx-proxy and acme-companion that have no effect on daemun, and why."""

_T = typing.TypeVar("_T")
_PROFILE = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class ChallengeLocation(enum.Enum):
    """Which hosts have the ACME challenge answered. LEGACY: those that HTTP leads to HTTPS."""

    ALWAYS = "true"
    NEVER = "false"
    LEGACY = "legacy"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NginxProxyDefaults:
    """Defaults for hosts whose containers set nothing else. None: not set."""

    method: str | None = None
    http_on_missing: bool = True
    hsts: hsts_option.Hsts | None = None
    other_redirect: int = redirect_status_option.OPTION.default
    trusts_default: bool = True
    challenge: ChallengeLocation = ChallengeLocation.ALWAYS
    otherwise: model.FixedAnswer = dataclasses.field(default_factory=model.FixedAnswer)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateEnvironment:
    """changes: to `model.Globals`, in the order of its fields; acme and logs beside them.

    notes: what of it is not done.

    prefers_ipv6: which address of a container is used. filters: which containers there are at all.
    """

    changes: tuple[tuple[str, object], ...] = ()
    acme: model.Acme = dataclasses.field(default_factory=model.Acme)
    logs: logs_option.Logs = dataclasses.field(default_factory=logs_option.Logs)
    defaults: NginxProxyDefaults = NginxProxyDefaults()
    filters: container_filters.Filters = ()
    prefers_ipv6: bool = False
    notes: tuple[str, ...] = ()

    def apply(self, settings: model.Globals, folders: nginx_proxy_folders.Folders) -> model.Globals:
        """The gate's settings. What the file says is not touched: only values that are still the usual ones are."""
        given = dict(self.changes)
        changed = _fill(settings, model.Globals(), given)
        listen = _fill(settings.listen, model.Listen(), _parts(given.get("listen", model.Listen())))
        changed["listen"] = dataclasses.replace(settings.listen, **listen)
        changed["acme"] = _fill_acme(settings.acme, self.acme)
        logs = logs_option.OPTION.of(settings)
        logs = dataclasses.replace(logs, **_fill(logs, logs_option.Logs(), _parts(self.logs)))
        changed["options"] = catalogue.with_value(settings.options, logs_option.OPTION, logs)
        settings = dataclasses.replace(settings, **changed)
        default = folders.certificate("default")
        if settings.default.certificate is None and default is not None:
            named = dataclasses.replace(settings.default, certificate=default.path, key=default.key)
            settings = dataclasses.replace(settings, default=named)
        if settings.default.page is None and folders.page is not None:
            settings = dataclasses.replace(settings, default=dataclasses.replace(settings.default, page=folders.page))
        if folders.web_root is not None:
            settings = dataclasses.replace(settings, challenge_files=folders.web_root)
        if folders.internal is not None:
            origin = model.Origin(source="docker", place=f"{folders.root}/{nginx_proxy_folders.INTERNAL}")
            settings = dataclasses.replace(settings, internal=folders.internal, internal_origin=origin)
        if folders.http:
            origin = settings.snippet_origin
            if origin == model.NOWHERE:
                origin = model.Origin(source="docker", place=f"{folders.root}/conf.d")
            snippet = (*settings.snippet, *(node for part in folders.http for node in part.snippet))
            settings = dataclasses.replace(settings, snippet=snippet, snippet_origin=origin, parts=folders.http)
        return settings


def _fill(written: object, default: object, given: collections.abc.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The fields in which an owner's value is only the usual one, as they are given."""
    return {name: value for name, value in given.items() if getattr(written, name) == getattr(default, name)}


def _fill_acme(written: model.Acme, given: model.Acme) -> model.Acme:
    """The file may name the roots of a CA and the environment its directory; who names several CAs names them all."""
    (default,), (other,) = model.Acme().authorities, given.authorities
    parts = _parts(other) if len(written.authorities) == 1 else {"email": other.email}
    filled = (dataclasses.replace(one, **_fill(one, default, parts)) for one in written.authorities)
    return dataclasses.replace(
        written,
        authorities=tuple(filled),
        challenge=written.challenge or given.challenge,
        dns=written.dns or given.dns,
        profile=written.profile or given.profile,
        key_type=written.key_type or given.key_type,
        preferred_chain=written.preferred_chain or given.preferred_chain,
    )


def _parts(value: typing.Any) -> dict[str, typing.Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


class _Environment:
    """Variables of the proxy. One that is wrong is a note, and counts as not set: the gate must start."""

    def __init__(self, environ: collections.abc.Mapping[str, str]) -> None:
        self._environ = environ
        self.notes: list[str] = []

    def text(self, name: str) -> str | None:
        value = self._environ.get(name, "").strip()
        return value or None

    def get(self, name: str, read: collections.abc.Callable[[str], _T], default: _T) -> _T:
        value = self.text(name)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as error:
            self.notes.append(f"{name}: {error}; it is not used")
            return default


def read_gate(environ: collections.abc.Mapping[str, str]) -> GateEnvironment:
    """What the environment of a container of nginx-proxy sets, with nginx-proxy's defaults."""
    env = _Environment(environ)
    changes = {
        "like_nginx_proxy": True,
        "listen": _read_listen(env),
        "believes_clients": _read_trust(env),
        "proxy_protocol": env.get("ENABLE_PROXY_PROTOCOL", parse.truth, False),
        "challenges_unknown": env.get("ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST", parse.truth, False),
        "http2": env.get("ENABLE_HTTP2", parse.truth, True),
        "tls_policy": env.get("SSL_POLICY", read_policy, None),
        "default": _read_default(env),
    }
    defaults = NginxProxyDefaults(
        method=env.get("HTTPS_METHOD", lambda text: parse.one_of(text, parse.METHODS), None),
        http_on_missing=env.get("ENABLE_HTTP_ON_MISSING_CERT", parse.truth, True),
        hsts=_read_hsts(env),
        other_redirect=env.get("NON_GET_REDIRECT", read_other_redirect, 301),
        trusts_default=env.get("TRUST_DEFAULT_CERT", parse.truth, True),
        challenge=env.get("ACME_HTTP_CHALLENGE_LOCATION", read_challenge, ChallengeLocation.ALWAYS),
        otherwise=env.get("DEFAULT_ROOT", _read_root, model.FixedAnswer()),
    )
    filters: container_filters.Filters = env.get("DOCKER_CONTAINER_FILTERS", container_filters.read_filters, ())
    prefers_ipv6 = env.get("PREFER_IPV6_NETWORK", parse.truth, False)
    _note_unsupported(env)
    return GateEnvironment(
        changes=tuple(changes.items()),
        acme=_read_acme(env),
        logs=_read_logs(env),
        defaults=defaults,
        filters=filters,
        prefers_ipv6=prefers_ipv6,
        notes=tuple(env.notes),
    )


def _read_listen(env: _Environment) -> model.Listen:
    host = None if env.get("ENABLE_IPV6", parse.truth, False) else "0.0.0.0"  # noqa: S104 as nginx-proxy listens
    http, https = env.get("HTTP_PORT", parse.port, 80), env.get("HTTPS_PORT", parse.port, 443)
    if http == https:
        env.notes.append(f"HTTPS_PORT: {https} is the port of HTTP, too; it is not used")
        https = 443 if http != 443 else 8443
    return model.Listen(http=(model.Address(port=http, host=host),), https=(model.Address(port=https, host=host),))


def _read_trust(env: _Environment) -> bool:
    believed = env.get("TRUST_DOWNSTREAM_PROXY", parse.truth, True)
    if believed:
        env.notes.append(
            "TRUST_DOWNSTREAM_PROXY is on: the X-Forwarded-* headers of every client are passed on; "
            "set it to false unless another proxy stands before this one"
        )
    return believed


def _read_logs(env: _Environment) -> logs_option.Logs:
    is_json = env.get("LOG_JSON", parse.truth, False)
    escape = env.get(
        "LOG_FORMAT_ESCAPE",
        lambda text: parse.one_of(text, ("default", "json", "none")),
        "json" if is_json else "default",
    )
    return logs_option.Logs(
        access=not env.get("DISABLE_ACCESS_LOGS", parse.truth, False),
        format=env.get("LOG_FORMAT", _read_log_format, JSON_LOG if is_json else None),
        escape=escape,
    )


def _read_log_format(text: str) -> str:
    cause = variable_rules.check_log_format(text)
    if cause is not None:
        raise ValueError(cause)
    return text


def _read_default(env: _Environment) -> model.Default:
    """Unknown hosts get 503, or the site of DEFAULT_HOST."""
    origin = model.Origin(source="docker", place="DEFAULT_HOST")
    host = env.get("DEFAULT_HOST", _read_host, None)
    if host is None:
        return model.Default(status=503)
    return model.Default(status=503, kind=model.DefaultKind.SITE, host=host, origin=origin)


def _read_host(text: str) -> str:
    host = parse.host(text)
    cause = rules.check_host(host, with_patterns=True)
    if cause is not None:
        raise ValueError(cause)
    return host


def _read_acme(env: _Environment) -> model.Acme:
    directory = env.get("ACME_CA_URI", read_directory, model.LETS_ENCRYPT)
    staging = ordering_forms.STAGINGS.get(directory)
    email = env.get("DEFAULT_EMAIL", read_email, None)
    challenge: model.Challenge | None = env.get("ACME_CHALLENGE", nginx_proxy_dns.read_challenge, None)
    dns: model.Dns | None = env.get(nginx_proxy_dns.NAME, nginx_proxy_dns.read, None)
    if challenge is model.Challenge.DNS_01 and dns is None:
        env.notes.append(f"ACME_CHALLENGE: DNS-01 needs {nginx_proxy_dns.NAME}; it is not used")
        challenge = None
    authority = model.Authority(directory=directory, email=email, staging=staging, eab=_read_eab(env))
    profile: str | None = env.get("ACME_CERT_PROFILE", read_profile, None)
    key_type: model.KeyType | None = env.get("DEFAULT_KEY_SIZE", parse.key_type, None)
    chain: str | None = env.get("ACME_PREFERRED_CHAIN", parse.chain, None)
    return model.Acme(
        authorities=(authority,),
        challenge=challenge,
        dns=dns,
        profile=profile,
        key_type=key_type,
        preferred_chain=chain,
    )


def _read_eab(env: _Environment) -> model.Eab | None:
    """The key stays in the environment until it is used."""
    key_id, has_key = env.text("ACME_EAB_KID"), env.text("ACME_EAB_HMAC_KEY") is not None
    if (key_id is not None) != has_key:
        env.notes.append("ACME_EAB_KID and ACME_EAB_HMAC_KEY belong together; neither is used")
    return model.Eab(key_id=key_id, hmac_key=model.Secret(variable="ACME_EAB_HMAC_KEY")) if key_id and has_key else None


def read_profile(text: str) -> str:
    if not _PROFILE.match(text):
        raise ValueError(f"{words.quoted(text)} is not the name of a profile, such as shortlived")
    return text


def read_directory(text: str) -> str:
    cause = url_rules.check_directory(text)
    if cause is not None:
        raise ValueError(f"{words.quoted(text)} {cause}")
    return text


def read_email(text: str) -> str:
    cause = rules.check_email(text)
    if cause is not None:
        raise ValueError(f"{words.quoted(text)} {cause}")
    return text


def read_policy(text: str) -> model.TlsPolicy | None:
    parse.one_of(text, tuple(nginx_proxy_policies.POLICIES))
    return nginx_proxy_policies.POLICIES[text]


def read_other_redirect(text: str) -> int:
    return int(parse.one_of(text, tuple(str(status) for status in redirect_status_option.STATUSES)))


def read_challenge(text: str) -> ChallengeLocation:
    return (
        ChallengeLocation.LEGACY
        if text == "legacy"
        else ChallengeLocation.ALWAYS
        if parse.truth(text)
        else ChallengeLocation.NEVER
    )


def _read_hsts(env: _Environment) -> hsts_option.Hsts | None:
    default: hsts_option.Hsts | None = hsts_option.Hsts()
    return env.get("HSTS", parse.parse_hsts, default)


def _read_root(text: str) -> model.FixedAnswer:
    answer = parse.answer(text)
    if answer is None:  # "none": an owner's own `location /` is taken where there is one, and else nothing is there
        return model.FixedAnswer()
    report = problem_report.ProblemReport(host=None, origin=model.NOWHERE)
    validate_site.check_answer(answer, report, "DEFAULT_ROOT")
    if report.problems:
        raise ValueError(report.problems[0].message.removeprefix("DEFAULT_ROOT: "))
    return answer


def _note_unsupported(env: _Environment) -> None:
    for name, reason in WITHOUT_EFFECT.items():
        if env.text(name) is not None:
            env.notes.append(f"{name} has no effect: {reason}")
    if env.get("ENABLE_HTTP3", parse.truth, False):
        env.notes.append("ENABLE_HTTP3 is not supported: this nginx does not speak HTTP/3")
    if env.text("DEBUG_ENDPOINT") is not None and env.get("DEBUG_ENDPOINT", parse.truth, False):
        env.notes.append(
            "DEBUG_ENDPOINT is not supported, because it shows the configuration to strangers; "
            "`daemun status --json` shows it to you"
        )


# --- which containers there are --------------------------------------------------------------------------------
