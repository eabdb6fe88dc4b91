"""The variables and labels that nginx-proxy and acme-companion read from containers become requests for routes. Pure.

Strangers write them, as they do `container_labels`: each sets what it names and nothing else, and a mistake refuses its
container alone. Containers of one host complete each other, as in nginx-proxy: what one of them sets holds for all.
Where two set different values the oldest decides, and the others get a remark.
"""

import collections.abc
import difflib
import re
import typing

from daemun.core import model
from daemun.core.texts import words
from daemun.sources.docker import (
    container_filters,
    container_labels,
    containers,
    nginx_proxy_gate,
    nginx_proxy_multiports,
    nginx_proxy_unused,
    route_requests,
)
from daemun.sources.docker import nginx_proxy_sites as sites
from daemun.sources.docker import nginx_proxy_values as parse

PREFIX = "com.github.nginx-proxy.nginx-proxy."
MAX_VALUE_CHARACTERS = 4096

_EAB = "the gate has the account: its own ACME_EAB_KID and ACME_EAB_HMAC_KEY, or `eab` of daemun.yaml"

_HOOK = "a container cannot have programs run; `acme.hook` of daemun.yaml runs one after each new certificate"

WITHOUT_EFFECT = {
    "ACME_CHALLENGE": "the gate says it for all: its own ACME_CHALLENGE, or daemun.yaml",
    "ACMESH_DNS_API_CONFIG": "the gate says it for all: its own ACMESH_DNS_API_CONFIG, or `acme.dns` of daemun.yaml",
    "ACME_RENEW_AFTER": "a certificate is renewed when its CA wants it, or when a third of its lifetime is left",
    "ACME_MIN_VALIDITY": "a certificate is renewed when its CA wants it, or when a third of its lifetime is left",
    "ACME_RENEW_PRIVATE_KEYS": "every certificate has a new key",
    "ACME_EAB_KID": _EAB,
    "ACME_EAB_HMAC_KEY": _EAB,
    "ZEROSSL_API_KEY": _EAB,
    "ACME_PRE_HOOK": _HOOK,
    "ACME_POST_HOOK": _HOOK,
    "ACME_RESTART_CONTAINER": "no container is restarted",
    "ACME_OCSP": "certificate authorities ended OCSP",
}
"""Also as LETSENCRYPT_..., their older names."""


def make_dialect(compat: sites.Compat) -> route_requests.Dialect:
    """daemun's labels, and nginx-proxy's variables for containers that have none of them."""
    return route_requests.Dialect(
        read=lambda container: read_requests(container, compat),
        complete=lambda found: sites.complete(found, compat),
        merge_host=lambda host, variables: sites.merge_host(host, variables, compat),
        find_unused=lambda places: nginx_proxy_unused.find_unused(compat.folders, places),
    )


def read_requests(container: containers.EngineContainer, compat: sites.Compat) -> route_requests.ContainerRequests:
    """What the container requests; nothing when it has none of the variables, or is filtered out."""
    if not container_filters.is_wanted(compat.gate.filters, container):
        return route_requests.ContainerRequests()
    own = container_labels.read_requests(container)
    if own.requests or own.streams or own.faults:
        return own
    reader = _VariableReader(container, compat)
    try:
        found = tuple(reader.requests())
    except ValueError as error:
        fault = str(error)
        return route_requests.ContainerRequests(
            faults=(fault,), words="labels" if fault.startswith('label "') else "variables"
        )
    if len(found) > container_labels.MAX_ROUTES:
        cause = f"it asks for {len(found)} hosts and paths; at most {container_labels.MAX_ROUTES} are allowed"
        return route_requests.ContainerRequests(faults=(cause,), words="variables")
    faults = tuple(
        dict.fromkeys(fault for request in found for fault in container_labels.find_faults(request, with_patterns=True))
    )
    if faults:
        return route_requests.ContainerRequests(faults=faults, words="variables")
    return route_requests.ContainerRequests(requests=found, notes=(*own.notes, *reader.notes))


# --- one container ---------------------------------------------------------------------------------------------


class _VariableReader:
    """Reads the variables and labels of one container. notes: what of them has no effect."""

    def __init__(self, container: containers.EngineContainer, compat: sites.Compat) -> None:
        self._container = container
        self._compat = compat
        self._environment = dict(container.environment)
        self._labels = {name.removeprefix(PREFIX): value for name, value in container.labels if name.startswith(PREFIX)}
        self.notes: list[str] = []

    def requests(self) -> collections.abc.Iterator[route_requests.RouteRequest]:
        """Raises: ValueError that names the variable."""
        is_wanted = self._requests_routes()
        self._note_misspelt(_NAMES if is_wanted else _HOST_NAMES)
        if not is_wanted:
            return
        origin = model.Origin(source="docker", place=self._container.place)
        of_all, of_paths = self._read_host(), self._read_path()
        places = tuple(self._read_places())
        ordered = typing.cast(tuple[str, ...], of_all.get("ACME_HOST", ()))
        if ordered and not any(parse.find_ordered(place.host, ordered) for place in places):
            hosts = words.listed(
                (words.quoted(one) for one in dict.fromkeys(place.host for place in places)), last="and"
            )
            self.notes.append(
                f"ACME_HOST names {words.listed(map(words.quoted, ordered), last='and')} and not {hosts}, which it is "
                "reached by, so no certificate is ordered; name the same hosts there"
            )
        for place in places:
            host_variables = self._trusted({**of_all, **place.variables})
            for path in place.paths:
                path_variables = {**of_paths, **path.variables}
                yield route_requests.RouteRequest(
                    host=place.host,
                    route=sites.make_route(
                        place.host, path.path, path_variables, self._compat, origin, written=(path.written,)
                    ),
                    written=(path.written,),
                    port=path.port,
                    port_word="VIRTUAL_PORT",
                    path_variables=tuple(path_variables.items()),
                    host_variables=tuple(host_variables.items()),
                )

    def _requests_routes(self) -> bool:
        if self._text("VIRTUAL_HOST") or self._multiports():
            return True
        if self._text("ACME_HOST") or self._text("LETSENCRYPT_HOST"):
            cause = "asks for a certificate but for no VIRTUAL_HOST, so none is ordered"
            self.notes.append(f"{cause}; make its hosts sites of daemun.yaml")
        return False

    # --- values ---

    def _text(self, name: str, *, most: int = MAX_VALUE_CHARACTERS) -> str | None:
        """None when it is not set, or empty. Raises: ValueError that names the variable."""
        value = self._environment.get(name, "").strip()
        if len(value) > most:
            raise ValueError(f"{name} is too long: {len(value)} characters, at most {most}")
        return value or None

    def _multiports(self) -> str | None:
        """Raises: as `_text`."""
        return self._text(nginx_proxy_multiports.NAME, most=nginx_proxy_multiports.MAX_CHARACTERS)

    def _acme_text(self, name: str) -> str | None:
        """ACME_NAME, or LETSENCRYPT_NAME, its older form."""
        return self._text(f"ACME_{name}") or self._text(f"LETSENCRYPT_{name}")

    def _parse(self, name: str, value: str, read: collections.abc.Callable[[str], object]) -> object:
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _label(self, name: str) -> str | None:
        value = self._labels.get(name, "").strip()
        if len(value) > MAX_VALUE_CHARACTERS:
            raise ValueError(f'label "{PREFIX}{name}" is too long')
        return value or None

    # --- of a host ---

    def _read_host(self) -> dict[str, object]:
        """What concerns whole hosts. Raises: ValueError that names the variable."""
        variables: dict[str, object] = {}
        for name, read in HOST_VARIABLES.items():
            value = self._text(name)
            if value is not None:
                variables[name] = self._parse(name, value, read)
        for name, (variable, read) in HOST_LABELS.items():
            value = self._label(name)
            if value is not None:
                variables[variable] = self._parse(f'label "{PREFIX}{name}"', value, read)
        self._read_policy(variables)
        self._read_acme(variables)
        self._note_unsupported()
        return variables

    def _read_policy(self, variables: dict[str, object]) -> None:
        """An unknown one is ignored, as in nginx-proxy."""
        name = self._text("SSL_POLICY")
        if name is None:
            return
        try:
            variables["SSL_POLICY"] = nginx_proxy_gate.read_policy(name)
        except ValueError as error:
            self.notes.append(f"SSL_POLICY: {error}; the gate's own is used")

    def _read_acme(self, variables: dict[str, object]) -> None:
        hosts = self._acme_text("HOST")
        if hosts is not None:
            variables["ACME_HOST"] = self._parse("ACME_HOST", hosts, parse.ordered_hosts)
        email = self._acme_text("EMAIL")
        if email is not None:
            variables["ACME_EMAIL"] = self._parse("ACME_EMAIL", email, nginx_proxy_gate.read_email)
        for name in ("SINGLE_DOMAIN_CERTS", "TEST"):
            value = self._acme_text(name)
            if value is not None:
                variables[f"ACME_{name}"] = self._parse(f"ACME_{name}", value, parse.truth)
        self._read_or_note(variables, "KEYSIZE", parse.key_type)
        self._read_or_note(variables, "PREFERRED_CHAIN", parse.chain)
        profile = self._acme_text("CERT_PROFILE")
        if profile is not None:
            variables["ACME_CERT_PROFILE"] = self._parse("ACME_CERT_PROFILE", profile, nginx_proxy_gate.read_profile)
        directory = self._text("ACME_CA_URI")
        if directory is not None and self._compat.is_on:
            variables["ACME_CA_URI"] = self._parse("ACME_CA_URI", directory, nginx_proxy_gate.read_directory)
        elif directory is not None:
            self.notes.append("ACME_CA_URI has no effect without `compat: nginx-proxy`")

    def _read_or_note(
        self, variables: dict[str, object], name: str, read: collections.abc.Callable[[str], object]
    ) -> None:
        """As in nginx-proxy, a value that is none, or that daemun does not have, keeps no site from being served."""
        for written in (f"LETSENCRYPT_{name}", f"ACME_{name}"):
            value = self._text(written)
            if value is None:
                continue
            try:
                variables[f"ACME_{name}"] = read(value)
            except ValueError as error:
                self.notes.append(f"{written}: {error}; the gate's own is used")

    def _note_unsupported(self) -> None:
        for name, reason in WITHOUT_EFFECT.items():
            for written in (name, name.replace("ACME_", "LETSENCRYPT_", 1)):
                if self._text(written) is not None:
                    self.notes.append(f"{written} has no effect: {reason}")
        if self._is_true("http3.enable"):
            self.notes.append(f'label "{PREFIX}http3.enable" is not supported: this nginx does not speak HTTP/3')
        if self._is_true("debug-endpoint"):
            self.notes.append(
                f'label "{PREFIX}debug-endpoint" is not supported, because it shows the configuration to strangers'
            )
        known = {*HOST_LABELS, "http3.enable", "debug-endpoint", "keepalive", "loadbalance", "nginx"}
        for name in sorted(self._labels.keys() - known):
            self.notes.append(f"label {words.quoted(PREFIX + name)} is unknown{words.guess(name, known)}")

    def _note_misspelt(self, known: tuple[str, ...]) -> None:
        """A variable that is not read may have been meant to close a site, or to be one."""
        for name, value in self._environment.items():
            meant = _find_meant(name, known) if value else None
            if meant is not None:
                self.notes.append(f"the variable {words.quoted(name)} is not read; did you mean {words.quoted(meant)}?")

    def _is_true(self, label: str) -> bool:
        value = self._label(label)
        return value is not None and bool(self._parse(f'label "{PREFIX}{label}"', value, parse.truth))

    # --- of a path ---

    def _read_path(self) -> dict[str, object]:
        """What concerns every path of the container. Raises: ValueError that names the variable."""
        variables: dict[str, object] = {}
        access = self._text("NETWORK_ACCESS")
        if access is not None:
            variables["NETWORK_ACCESS"] = self._parse(
                "NETWORK_ACCESS", access, lambda text: parse.one_of(text, ("external", "internal"))
            )
        root = self._text("VIRTUAL_ROOT")
        if root is not None:
            variables["VIRTUAL_ROOT"] = root
        kept = self._label("keepalive")
        if kept is not None:
            variables["keepalive"] = self._parse(f'label "{PREFIX}keepalive"', kept, parse.keepalive)
        balance = self._label("loadbalance")
        if balance is not None:
            try:
                variables["loadbalance"] = parse.parse_balance(balance)
            except ValueError as error:
                self.notes.append(f'label "{PREFIX}loadbalance": {error}; requests go round')
        return variables

    def _read_places(self) -> collections.abc.Iterator[nginx_proxy_multiports.MultiportHost]:
        """Raises: ValueError that names the variable."""
        multiports = self._multiports()
        if multiports is not None:
            for place in nginx_proxy_multiports.read(multiports):
                where = f"{nginx_proxy_multiports.NAME}, {words.quoted(place.host)}"
                self.notes += [
                    f'{where}: {words.quoted(key)} is not used: a path starts with "/" or "~"' for key in place.unread
                ]
                yield place
            return
        path = nginx_proxy_multiports.Path(
            path=parse.path(self._text("VIRTUAL_PATH") or "/"),
            written=self._environment.get("VIRTUAL_PATH") or "/",
            port=self._read_port(),
            variables=self._read_protocol(),
        )
        hosts = self._parse("VIRTUAL_HOST", self._text("VIRTUAL_HOST") or "", parse.hosts)
        for host in typing.cast(tuple[str, ...], hosts):
            yield nginx_proxy_multiports.MultiportHost(host=host, variables={}, paths=(path,))

    def _read_port(self) -> int | None:
        text = self._text("VIRTUAL_PORT")
        return None if text is None else typing.cast(int, self._parse("VIRTUAL_PORT", text, parse.port))

    def _read_protocol(self) -> dict[str, object]:
        """The protocol of the container, and which path it expects."""
        variables: dict[str, object] = {}
        protocol = self._text("VIRTUAL_PROTO")
        if protocol is not None:
            variables["VIRTUAL_PROTO"] = self._parse("VIRTUAL_PROTO", protocol, nginx_proxy_multiports.protocol)
        destination = self._text("VIRTUAL_DEST")
        if destination is not None:
            variables["VIRTUAL_DEST"] = destination
        return variables

    def _trusted(self, variables: collections.abc.Mapping[str, object]) -> dict[str, object]:
        """Without ports of one's own where the owner does not trust containers: one that something else uses would
        keep every change of the gate from going live."""
        taken = {name for name in variables if name.startswith("EXTERNAL_") and not self._compat.is_on}
        self.notes += [f"{name} has no effect without `compat: nginx-proxy`" for name in sorted(taken)]
        return {name: value for name, value in variables.items() if name not in taken}


def _certificate_name(text: str) -> str:
    """The name of a file, never a way to one somewhere else."""
    if "/" in text or text.startswith(".") or not text.isprintable():
        raise ValueError(f"expected the name of a file without its ending, found {words.quoted(text)}")
    return text


HOST_VARIABLES: dict[str, collections.abc.Callable[[str], object]] = {
    "HTTPS_METHOD": lambda text: parse.one_of(text, parse.METHODS),
    "HSTS": parse.parse_hsts,
    "CERT_NAME": _certificate_name,
    "EXTERNAL_HTTP_PORT": parse.port,
    "EXTERNAL_HTTPS_PORT": parse.port,
    "SERVER_TOKENS": lambda text: parse.one_of(text, ("on", "off", "build")),
    "ENABLE_HTTP_ON_MISSING_CERT": parse.truth,
    "ACME_HTTP_CHALLENGE_LOCATION": nginx_proxy_gate.read_challenge,
}
HOST_LABELS: dict[str, tuple[str, collections.abc.Callable[[str], object]]] = {
    "http2.enable": ("http2", parse.truth),
    "non-get-redirect": ("NON_GET_REDIRECT", nginx_proxy_gate.read_other_redirect),
    "ssl_verify_client": ("ssl_verify_client", lambda text: parse.one_of(text, ("on", "off", "optional"))),
    "trust-default-cert": ("TRUST_DEFAULT_CERT", parse.truth),
}
_ACME_NAMES = ("HOST", "EMAIL", "SINGLE_DOMAIN_CERTS", "TEST", "KEYSIZE", "PREFERRED_CHAIN", "CERT_PROFILE")
_HOST_NAMES = ("VIRTUAL_HOST", nginx_proxy_multiports.NAME)
_NAMES = (
    *_HOST_NAMES,
    *("VIRTUAL_PORT", "VIRTUAL_PROTO", "VIRTUAL_PATH", "VIRTUAL_DEST", "VIRTUAL_ROOT", "NETWORK_ACCESS", "SSL_POLICY"),
    "ACME_CA_URI",
    *HOST_VARIABLES,
    *(f"{family}_{name}" for family in ("ACME", "LETSENCRYPT") for name in _ACME_NAMES),
)
"""Every variable that is read."""
_READ_NAMES = frozenset(
    (*_NAMES, *WITHOUT_EFFECT, *(one.replace("ACME_", "LETSENCRYPT_", 1) for one in WITHOUT_EFFECT))
)
_OF_OTHERS = re.compile(r"VIRTUAL_?ENV")
"""Python sets it in many images."""
_ALIKE = 0.87
"""Names of a family begin alike, so they are nearer to each other than words are."""


def _find_meant(name: str, known: tuple[str, ...]) -> str | None:
    """Which variable one that is not read was meant to be."""
    if name in _READ_NAMES or _OF_OTHERS.match(name):
        return None
    same = [one for one in known if words.letters(one) == words.letters(name)]
    near = same or difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    is_theirs = name.startswith(("VIRTUAL_", "LETSENCRYPT_", "NETWORK_ACCESS"))
    begun = [one for one in known if is_theirs and name.startswith(one)]
    return near[0] if near else max(begun, key=len, default=None)
