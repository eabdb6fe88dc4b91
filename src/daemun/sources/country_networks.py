"""The networks of countries and autonomous systems, from database files (`access.countries`).

A database has a record for each network, 700,000 of them, of which only those that are named are kept, neighbours
together. One pass takes seconds, so what was found is remembered until the file changes, and goes on while the file is
missing or damaged. Blocking.

Records differ by maker: `{"country": {"iso_code": "KR"}}` and `{"autonomous_system_number": 4766}` (MaxMind, DB-IP),
`{"country_code": "KR", "asn": "AS4766"}` or `{"country": "KR"}` (IPinfo).
"""

import dataclasses
import hashlib
import ipaddress
import os
import threading

from daemun import regular_files
from daemun.core import model, problem_report
from daemun.core.options import access_option, catalogue, country_forms, when_option
from daemun.core.validation import route_lists

_Key = tuple[str, tuple[str, ...]]
_Fingerprint = tuple[int, ...]
_MOST_REMEMBERED = 64
_CODE_LENGTH = 2
_lock = threading.Lock()
_remembered: dict[_Key, tuple[_Fingerprint, country_forms.FoundNetworks]] = {}


class DatabaseError(Exception):
    """What is wrong with a database. cure: what to do."""

    def __init__(self, message: str, *, cure: str) -> None:
        super().__init__(message)
        self.cure = cure


def with_networks(snapshot: model.Snapshot) -> tuple[model.Snapshot, list[model.Problem]]:
    """The same with the networks of what it names, and the databases that cannot be used. What was read of those last
    goes on; where nothing was, there are no networks, and nobody comes in."""
    if not find_databases(snapshot):
        return snapshot, []
    problems: list[model.Problem] = []
    settings = snapshot.globals
    if settings is not None:
        settings = dataclasses.replace(settings, options=_filled(settings.options, None, (), problems))
    gate = settings or model.Globals()
    sites = tuple(_of_site(site, gate, problems) if site.enabled else site for site in snapshot.sites)
    return dataclasses.replace(snapshot, globals=settings, sites=sites), problems


def find_databases(snapshot: model.Snapshot) -> frozenset[str]:
    """Their paths."""
    values = catalogue.find_values(snapshot, {access_option.OPTION.name})
    named = {one.database.path for held in values if held.value is not None for one in held.value.countries}
    conditions = catalogue.find_values(snapshot, {when_option.OPTION.name})
    own = (held.value.country.database for held in conditions if held.value is not None and held.value.country)
    return frozenset(named | {one.path for one in own if one is not None})


def _of_site(site: model.Site, settings: model.Globals, problems: list[model.Problem]) -> model.Site:
    filled = (
        dataclasses.replace(route, options=_filled(route.options, site, route.field, problems)) for route in site.routes
    )
    routes = tuple(_with_condition(route, site, settings, problems) for route in filled)
    options = _filled(site.options, site, (), problems)
    if (options, routes) == (site.options, site.routes):
        return site
    return dataclasses.replace(site, options=options, routes=routes)


def _filled(
    options: model.OptionValues, site: model.Site | None, field: problem_report.Field, problems: list[model.Problem]
) -> model.OptionValues:
    access = dict(options).get(access_option.OPTION.name)
    if not isinstance(access, access_option.Access) or not access.countries:
        return options
    filled = []
    for index, one in enumerate(access.countries):
        place = _Place(site=site, field=(*field, access_option.OPTION.name, "countries", index, "database"))
        found = _find(one.database.path, one.codes, place, problems, otherwise="nobody comes in")
        filled.append(dataclasses.replace(one, database=found))
    changed = dataclasses.replace(access, countries=tuple(filled))
    return catalogue.with_value(options, access_option.OPTION, changed)


def _with_condition(
    route: model.Route, site: model.Site, settings: model.Globals, problems: list[model.Problem]
) -> model.Route:
    """The same with the networks of the countries that its `when` names."""
    value = when_option.OPTION.of(route)
    path = route_lists.find_database(route, site, settings)
    if value is None or value.country is None or path is None:
        return route
    country = value.country
    place = _Place(site=site, field=(*route.field, when_option.OPTION.name, "country"))
    database = _find(path, country.any_of, place, problems, otherwise="nobody is in these countries")
    changed = dataclasses.replace(value, country=dataclasses.replace(country, database=database))
    return dataclasses.replace(route, options=catalogue.with_value(route.options, when_option.OPTION, changed))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a database is named."""

    site: model.Site | None
    field: problem_report.Field


def _find(
    path: str, codes: tuple[str, ...], place: _Place, problems: list[model.Problem], *, otherwise: str
) -> country_forms.CountryDatabase:
    """otherwise: what is so while nothing of the file is known."""
    found: country_forms.FoundNetworks | None
    try:
        found = find_networks(path, codes)
    except DatabaseError as error:
        found = _find_last(path, codes)
        until = otherwise if found is None else "what was read of it last goes on"
        cure = f"{error.cure}; until then {until}"
        # Another content of the file lets the next round succeed.
        problems.append(problem_report.describe(place.site, place.field, str(error), cure=cure, file=path))
    except OSError:  # reported of every file that is named
        found = _find_last(path, codes)
    if found is not None and found.missing:
        cause = f"{path} has no network of {', '.join(found.missing)}"
        problems.append(problem_report.describe(place.site, place.field, cause, severity=model.Severity.WARNING))
    return country_forms.CountryDatabase(path=path, found=found)


def _find_last(path: str, codes: tuple[str, ...]) -> country_forms.FoundNetworks | None:
    with _lock:
        remembered = _remembered.get((path, codes))
    return None if remembered is None else remembered[1]


def find_networks(path: str, codes: tuple[str, ...]) -> country_forms.FoundNetworks:
    """Raises: OSError; DatabaseError."""
    regular_files.check(path)
    found = os.stat(path)  # noqa: PTH116 - all of it is compared
    fingerprint = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    with _lock:
        remembered = _remembered.get((path, codes))
        if remembered is not None and remembered[0] == fingerprint:
            return remembered[1]
        networks = _read(path, frozenset(codes))
        while len(_remembered) >= _MOST_REMEMBERED:
            del _remembered[next(iter(_remembered))]
        _remembered[path, codes] = (fingerprint, networks)
    return networks


def _read(path: str, codes: frozenset[str]) -> country_forms.FoundNetworks:
    import maxminddb  # noqa: PLC0415 - few gates have a database, and it brings multiprocessing along

    merging = _Merging()
    seen: set[str] = set()
    knows_any = False
    try:
        # Held in memory: a file that is written over while it is mapped would end the process.
        with maxminddb.open_database(path, maxminddb.MODE_MEMORY) as reader:
            for network, record in reader:
                here = find_codes(record)
                knows_any = knows_any or bool(here)
                if named := codes.intersection(here):
                    seen |= named
                    merging.add(network)
    except OSError:
        raise
    except Exception as error:  # of a damaged file the library raises whatever comes of it, RecursionError too
        cause = str(error) or type(error).__name__
        raise DatabaseError(f"{path} is no whole database ({cause})", cure="fetch it again") from error
    if not knows_any:
        raise DatabaseError(
            f"{path} has neither countries nor autonomous systems",
            cure="name a database that has, such as GeoLite2-Country",
        )
    networks = merging.found
    digest = hashlib.sha256("\n".join(networks).encode()).hexdigest()
    return country_forms.FoundNetworks(digest=digest, networks=networks, missing=tuple(sorted(codes - seen)))


def find_codes(record: object) -> tuple[str, ...]:
    """The country and the autonomous system of a record."""
    if not isinstance(record, dict):
        return ()
    country, number = record.get("country"), record.get("autonomous_system_number", record.get("asn"))
    if isinstance(country, dict):
        country = country.get("iso_code")
    country = record.get("country_code", country)
    found = [country.upper()] if isinstance(country, str) and len(country) == _CODE_LENGTH else []
    digits = str(number).upper().removeprefix("AS")
    return (*found, f"AS{int(digits)}") if digits.isdigit() else tuple(found)


class _Merging:
    """Networks in the order of their addresses; two halves of one become that."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, int, int]] = []

    def add(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
        version, length, address = network.version, network.prefixlen, int(network.network_address)
        while length and self._stack:
            half = 1 << (network.max_prefixlen - length)
            if not address & half or self._stack[-1] != (version, length, address - half):
                break
            self._stack.pop()
            address, length = address - half, length - 1
        self._stack.append((version, length, address))

    @property
    def found(self) -> tuple[str, ...]:
        make = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
        return tuple(f"{make[version](address)}/{length}" for version, length, address in self._stack)
