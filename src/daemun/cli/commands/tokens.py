"""`daemun tokens`: scripts that come into sites with `login` (RFC 6750)."""

import collections.abc
import datetime
import secrets
import typing

import typer

from daemun import errors, settings
from daemun.cli import command_groups, common_options, json_answer, lifetimes, output, tables
from daemun.core import model, password_hashes
from daemun.core.access import access_tokens
from daemun.core.texts import durations, patterns, rules, words

Users = collections.abc.Mapping[str, bool]
"""By name, whether each is disabled."""
_OF_USERS = {"no user": "its user is gone", "disabled": "its user is disabled"}

Name = typing.Annotated[str, typer.Argument(metavar="NAME", help="What the token is for: backup, phone.")]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Every token, a line each; none is shown itself. Needs no daemon."""
    from daemun.wiring.offline import offline_tokens

    found, users = offline_tokens.list_tokens(chosen), _list_users(chosen)
    now = datetime.datetime.now(datetime.UTC)
    if as_json:
        json_answer.print_json({"tokens": [_json(one, now, users) for one in found]})
    elif found:
        rows = [
            (
                one.name,
                one.user,
                _describe_sites(one),
                lifetimes.moment(one.created_s),
                _describe_state(one, now, users),
            )
            for one in found
        ]
        tables.print_table(("TOKEN", "USER", "SITES", "SINCE", "STATE"), rows)
    else:
        output.print_line("there are no tokens; `daemun tokens add NAME --site HOST` makes one")


group = command_groups.make_group("tokens", show, about="Tokens by which scripts come into sites with `login`.")


@group.command()
@common_options.with_settings
def add(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    name: Name,
    sites: typing.Annotated[
        list[str] | None,
        typer.Option("--site", metavar="HOST", help="A host that it is good for; may be given several times."),
    ] = None,
    all_sites: typing.Annotated[bool, typer.Option("--all-sites", help="It is good for every site.")] = False,
    user: typing.Annotated[
        str | None, typer.Option("--user", metavar="USER", help="As whom it comes in; left out: the user of its name.")
    ] = None,
    expires: typing.Annotated[
        str, typer.Option("--expires", metavar="TIME", help="After how long it ends: 12h, 30d, 365d.")
    ] = "30d",
) -> None:
    """Make a token, and show it this once: `Authorization: Bearer TOKEN` lets a script in where its user may come in.
    Needs no daemon.
    """
    from daemun.wiring.offline import offline_tokens

    if (cause := access_tokens.check_name(name)) is not None:
        raise errors.ConfigError(f"cannot name a token {words.quoted(name)}: it {cause}")
    hosts = _read_sites(sites or [], all_sites=all_sites)
    lifetime_s = lifetimes.read(expires, "let a token end")
    secret = access_tokens.make_secret(secrets.token_bytes(access_tokens.RANDOM_BYTES))
    now_s = datetime.datetime.now(datetime.UTC).timestamp()
    with offline_tokens.editing(chosen) as tokens:
        # A user who is removed loses tokens under the same lock.
        owner = _find_user(_list_users(chosen), user, name)
        if name in tokens:
            raise errors.ConfigError(f'there is a token "{name}"; `daemun tokens rm {name}` withdraws it')
        if len(tokens) >= access_tokens.MOST:
            raise errors.ConfigError(f"there are {len(tokens)} tokens, as many as there may be; remove one first")
        made = tokens[name] = access_tokens.Token(
            name=name,
            user=owner,
            sites=hosts,
            digest=access_tokens.digest(secret),
            created_s=now_s,
            ends_s=now_s + lifetime_s,
        )
    json_answer.note(token=secret, name=name, user=owner, sites=list(hosts), ends=durations.instant_of(made.ends_s))
    output.print_line(f"{name} comes in as {owner} at {_describe_sites(made)} until {lifetimes.moment(made.ends_s)}:")
    output.print_line(f"  Authorization: Bearer {secret}")
    output.print_line("it is shown this once")
    for cause in _find_useless(chosen, () if all_sites else hosts):
        output.complain(f"warning: {cause}")


@group.command()
@common_options.with_settings
def rm(chosen: settings.Settings, name: Name) -> None:
    """Withdraw a token. It opens nothing any more within ten seconds."""
    from daemun.wiring.offline import offline_tokens

    with offline_tokens.editing(chosen) as tokens:
        if tokens.pop(name, None) is None:
            raise errors.ConfigError(f"there is no token {words.quoted(name)}; `daemun tokens` lists them")
    json_answer.note(name=name)
    output.print_line(f"the token {name} is withdrawn")


def _read_sites(sites: list[str], *, all_sites: bool) -> tuple[str, ...]:
    if bool(sites) is all_sites:
        raise errors.ConfigError("cannot make a token: write `--site HOST` for each of its sites, or `--all-sites`")
    if all_sites:
        return (access_tokens.EVERY_SITE,)
    hosts = tuple(sorted({site.strip().lower() for site in sites}))
    for host in hosts:
        if (cause := rules.check_host(host)) is not None:
            raise errors.ConfigError(f"cannot make a token for the site {words.quoted(host)}: {cause}")
    return hosts


def _find_useless(chosen: settings.Settings, hosts: tuple[str, ...]) -> collections.abc.Iterator[str]:
    """Why a token opens nothing at a host. Sites of containers are not known here."""
    from daemun.wiring.offline import configuration

    desired = configuration.read_if_good(chosen)
    if desired is None or configuration.unseen(chosen, desired):
        return
    known = [name for site in desired.sites for name in site.names]
    for host in hosts:
        site = next((one for one in desired.sites if patterns.is_among(host, one.names)), None)
        if site is None:
            cure = words.guess(host, known) or "; `daemun status` lists them"
            yield f"there is no site {words.quoted(host)}, so the token opens nothing there{cure}"
        elif not _has_login(site, desired.globals):
            cure = "write `access: {login: true}` there"
            yield f"the site {words.quoted(host)} has no `login` in its `access`, so it needs no token; {cure}"


def _has_login(site: model.Site, gate: model.Globals) -> bool:
    from daemun.core.access import access_levels

    held = (access_levels.of_site(site, gate), *(access_levels.of_route(one, site, gate) for one in site.routes))
    return any(one.access.login is not None for one in held)


def _list_users(chosen: settings.Settings) -> dict[str, bool]:
    """Without those who are only invited; whether each is disabled."""
    from daemun.wiring.offline import offline_users

    return {one.name: one.is_disabled for one in offline_users.list_users(chosen) if one.invitation is None}


def _find_user(known: collections.abc.Collection[str], user: str | None, name: str) -> str:
    found = password_hashes.normalize((name if user is None else user).strip())
    if found in known:
        return found
    cure = "`--user USER` says as whom the token comes in; " if user is None else ""
    there = "`daemun users` lists them" if known else "there is none yet, and `daemun users add NAME` adds one"
    raise errors.ConfigError(f"there is no user {words.quoted(found)}; {cure}{there}")


def _describe_sites(token: access_tokens.Token) -> str:
    return "every site" if token.sites == (access_tokens.EVERY_SITE,) else " ".join(token.sites)


def _find_state(token: access_tokens.Token, now: datetime.datetime, users: Users) -> str:
    if users.get(token.user, True):
        return "disabled" if token.user in users else "no user"
    return "ended" if token.is_over(now.timestamp()) else "good"


def _describe_state(token: access_tokens.Token, now: datetime.datetime, users: Users) -> str:
    state = _find_state(token, now, users)
    if state in _OF_USERS:
        return _OF_USERS[state]
    return durations.left(datetime.datetime.fromtimestamp(token.ends_s, datetime.UTC), now)


def _json(token: access_tokens.Token, now: datetime.datetime, users: Users) -> dict[str, object]:
    return {
        "name": token.name,
        "user": token.user,
        "sites": list(token.sites),
        "created": durations.instant_of(token.created_s),
        "ends": durations.instant_of(token.ends_s),
        "state": _find_state(token, now, users),
    }
