"""The command line that shows the same as a page, with what the page filters by. Pure."""

import collections.abc
import shlex


def write(*words: str, **options: str | bool | None) -> str:
    """`daemun WORDS --OPTION VALUE`, as a shell takes it. options: by their names, with "_" for "-"; those that are
    None, "" or False are left out, and of True there is no value. A value that begins with "-" is none of an option."""
    found = ["daemun", *words]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            found.append(option)
        elif value:
            found += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return shlex.join(found)


def of_sites(kept: collections.abc.Mapping[str, str], *, sort: str = "", descending: bool = False) -> str:
    """kept: the filters of the list, as the API has them."""
    states = [one.strip() for one in kept.get("state", "").split(",") if one.strip()]
    only = [word for state in states for word in ("--only", state)]
    return write(
        "sites",
        "--numbers",
        *only,
        search=kept.get("q"),
        origin=kept.get("origin"),
        kind=kept.get("kind"),
        by_domain=kept.get("group") == "domain",
        sort=sort,
        reverse=descending,
    )


def of_log(host: str, query: collections.abc.Mapping[str, str]) -> str:
    """query: as the API has it."""
    path = query.get("path", "")
    place = f"{host}{path}" if path.startswith("/") else host
    return write(
        "logs",
        place,
        "-f",
        status=query.get("status"),
        slow=query.get("slow"),
        method=query.get("method"),
        grep=query.get("text"),
    )


def of_traffic(host: str, query: collections.abc.Mapping[str, str]) -> str:
    """query: as the API has it. A route that begins with no slash is no path (an expression): its site is shown."""
    since = {"hour": "1h", "day": "24h", "30d": "30d", "90d": "90d"}.get(query.get("span", ""), "24h")
    route = query.get("route", "")
    return write("traffic", f"{host}{route}" if route.startswith("/") and len(route) > 1 else host, since=since)


def of_certificates(*, text: str, lamp: str, days: int | None) -> str:
    """days: of the forecast, where it is for another time than usual; None: as usual."""
    if text.strip() or lamp:
        return write("certs", "list", search=text.strip(), only=lamp)
    return write("certs") if days is None else write("certs", "forecast", days=str(days))


def of_sessions(user: str) -> str:
    """user: of the sign-in; "": those of links."""
    return write("sessions", "list", user=user) if user else write("dashboard", "sessions")
