"""`daemun users`: who can sign in (`login`)."""

import dataclasses
import datetime
import secrets
import typing

import typer

from daemun import errors, settings
from daemun.cli import (
    command_groups,
    common_options,
    daemon_state,
    json_answer,
    lifetimes,
    output,
    password_input,
    tables,
)
from daemun.core.access import login_users, user_edits
from daemun.core.texts import durations

Name = typing.Annotated[str, typer.Argument(metavar="NAME", help="What the user signs in with.")]
Groups = typing.Annotated[
    list[str] | None, typer.Option("--group", metavar="GROUP", help="A group of the user; may be given several times.")
]
Email = typing.Annotated[str | None, typer.Option("--email", help="The user's e-mail address.")]
Display = typing.Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The user's full name.")]


def show(chosen: settings.Settings, *, as_json: bool) -> None:
    """Who can sign in, a line each. Needs no daemon."""
    _show(chosen, "", as_json=as_json)


def list_(
    chosen: settings.Settings,
    search: typing.Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Only with this in a name, an e-mail address or a group.")
    ] = "",
    as_json: common_options.AsJson = False,
) -> None:
    """The same as `daemun users`, of those that are looked for. Needs no daemon."""
    _show(chosen, search, as_json=as_json)


def _show(chosen: settings.Settings, search: str, *, as_json: bool) -> None:
    from daemun.wiring.offline import offline_users

    found = [one for one in offline_users.list_users(chosen) if user_edits.holds(one, search)]
    if as_json:
        json_answer.print_json({"users": [_json(user) for user in found]})
    elif found:
        rows = [(user.name, user.display, user.email, " ".join(user.groups), *_describe(user)) for user in found]
        tables.print_table(("USER", "NAME", "E-MAIL", "GROUPS", "ONE-TIME CODES", "PASSKEYS", "STATE"), rows)
    elif search:
        output.print_line("there is no such user; `daemun users` lists all")
    else:
        output.print_line(
            "there are no users; `daemun users add NAME` adds one, `daemun users invite NAME` invites one"
        )


group = command_groups.make_group("users", show, about="The users of daemun's own sign-in (`login`).", lists=list_)


@group.command()
@common_options.with_settings
def add(
    chosen: settings.Settings,
    name: Name,
    groups: Groups = None,
    email: Email = None,
    display: Display = None,
) -> None:
    """Add a user, with a password that is typed twice; it is the first line of a standard input that is no
    terminal. Needs no daemon.
    """
    from daemun.wiring.offline import offline_users

    name, facts = user_edits.read_name(name), _facts(groups, email, display)
    with offline_users.editing(chosen) as users:
        if name in users:
            raise errors.ConfigError(f"cannot add the user {name!r}: there is one; see `daemun users passwd` and `set`")
        added = user_edits.make(name, facts, stamp=offline_users.draw_stamp())
        users[name] = dataclasses.replace(added, hashed=password_input.read_hash())
    json_answer.note(user=name)
    output.print_line(f"{name} can sign in")


@group.command()
@common_options.with_settings
def invite(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    name: Name,
    groups: Groups = None,
    email: Email = None,
    display: Display = None,
    expires: typing.Annotated[
        str, typer.Option("--expires", metavar="TIME", help="After how long the invitation ends: 12h, 3d.")
    ] = "3d",
) -> None:
    """Invite a user: prints a link, this once, behind which the password is chosen. It is good once. Again for the same
    name: another link instead of the one before. Needs no daemon.
    """
    from daemun.wiring.offline import offline_users

    name, facts = user_edits.read_name(name), _facts(groups, email, display)
    lifetime_s = lifetimes.read(expires, "let an invitation end")
    page = offline_users.find_page(daemon_state.with_daemons_file(chosen))
    secret = secrets.token_urlsafe(32)
    ends_s = datetime.datetime.now(datetime.UTC).timestamp() + lifetime_s
    with offline_users.editing(chosen) as users:
        invited = user_edits.make(name, facts, stamp=offline_users.draw_stamp())
        users[name] = user_edits.invite(users, invited, secret, ends_s)
    link = user_edits.write_invitation(page, secret)
    json_answer.note(user=name, link=link, ends=durations.instant_of(ends_s))
    output.print_line(f"{name} is invited, until {lifetimes.moment(ends_s)}, by this link:")
    output.print_line(f"  {link}")
    output.print_line("it is shown this once, and good once; whoever has it can become this user")


@group.command("set")
@common_options.with_settings
def set_(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    name: Name,
    groups: Groups = None,
    email: Email = None,
    display: Display = None,
    no_groups: typing.Annotated[bool, typer.Option("--no-groups", help="The user is in no group any more.")] = False,
) -> None:
    """Change groups, e-mail address or full name; --group replaces the groups there were. Holds for who is signed in,
    too, within ten seconds.
    """
    from daemun.wiring.offline import offline_users

    facts = _facts([] if no_groups and groups is None else groups, email, display)
    with offline_users.editing(chosen) as users:
        user = user_edits.find(users, name)
        users[user.name] = user_edits.change(user, facts)
    json_answer.note(user=user.name)
    output.print_line(f"{user.name} is changed")


@group.command()
@common_options.with_settings
def rm(chosen: settings.Settings, name: Name) -> None:
    """Remove a user, or withdraw an invitation. All sessions and tokens of the user end within ten seconds."""
    from daemun.wiring.offline import offline_users

    with offline_users.editing(chosen) as users:
        user = user_edits.find(users, name)
        del users[user.name]
    json_answer.note(user=user.name)
    output.print_line(f"{user.name} cannot sign in any more")


@group.command()
@common_options.with_settings
def disable(chosen: settings.Settings, name: Name) -> None:
    """Keep a user out, and lose nothing of the account: all sessions end within ten seconds, tokens open nothing."""
    _switch(chosen, name, is_disabled=True)


@group.command()
@common_options.with_settings
def enable(chosen: settings.Settings, name: Name) -> None:
    """Let a user in again, with the same password, groups and tokens."""
    _switch(chosen, name, is_disabled=False)


def _switch(chosen: settings.Settings, name: str, *, is_disabled: bool) -> None:
    from daemun.wiring.offline import offline_users

    with offline_users.editing(chosen) as users:
        user = user_edits.find(users, name)
        users[user.name] = dataclasses.replace(user, is_disabled=is_disabled)
    json_answer.note(user=user.name)
    undo = f"is kept out; `daemun users enable {user.name}` lets the user in again"
    output.print_line(f"{user.name} {undo if is_disabled else 'is let in again'}")


@group.command()
@common_options.with_settings
def passwd(chosen: settings.Settings, name: Name) -> None:
    """Give a user another password, as `add` does. All sessions of the user end within ten seconds."""
    from daemun.wiring.offline import offline_users

    user_edits.find({one.name: one for one in offline_users.list_users(chosen)}, name)
    # What the user changes while the password is typed is not overwritten.
    hashed = password_input.read_hash()
    with offline_users.editing(chosen) as users:
        user = user_edits.find(users, name)
        users[user.name] = dataclasses.replace(user, hashed=hashed, stamp=offline_users.draw_stamp(), invitation=None)
    json_answer.note(user=user.name)
    output.print_line(f"{user.name} signs in with the new password")


@group.command()
@common_options.with_settings
def totp(
    chosen: settings.Settings,
    name: Name,
    off: typing.Annotated[bool, typer.Option("--off", help="The password is enough again.")] = False,
) -> None:
    """Let a user need one-time codes (TOTP) beside the password: prints a secret for an app, and recovery codes, each
    of which can stand in once. Both are shown this once. All sessions of the user end within ten seconds.
    """
    from daemun.judge import one_time_codes
    from daemun.wiring.offline import offline_users

    secret, codes = one_time_codes.draw_secret(), one_time_codes.draw_recovery()
    with offline_users.editing(chosen) as users:
        user = user_edits.find(users, name)
        if user.invitation is not None:
            raise errors.ConfigError(f"{user.name} is invited, and sets up one-time codes on the page of the account")
        digests = tuple(login_users.digest_recovery(code) for code in codes)
        users[user.name] = dataclasses.replace(
            user,
            totp=None if off else secret,
            recovery=() if off else digests,
            stamp=offline_users.draw_stamp(),
        )
    json_answer.note(user=user.name)
    if off:
        output.print_line(f"{user.name} signs in with the password alone")
        return
    address = one_time_codes.make_address(secret, user.name, "daemun")
    json_answer.note(secret=secret, uri=address, recovery=list(codes))
    output.print_line(f"for the app: {secret}\n{address}\nrecovery codes, each good once:")
    output.print_line("\n".join(f"  {code}" for code in codes))


@group.command()
@common_options.with_settings
def passkeys(
    chosen: settings.Settings,
    name: Name,
    off: typing.Annotated[
        bool, typer.Option("--off", help="Remove all of them, and end all sessions of the user.")
    ] = False,
) -> None:
    """The passkeys of a user, who adds them on the page of the account."""
    from daemun.wiring.offline import offline_users

    user = user_edits.find({one.name: one for one in offline_users.list_users(chosen)}, name)
    if off:
        with offline_users.editing(chosen) as users:
            user = user_edits.find(users, name)
            users[user.name] = dataclasses.replace(user, passkeys=(), stamp=offline_users.draw_stamp())
        json_answer.note(user=user.name, removed=[one.name for one in user.passkeys])
        output.print_line(f"{user.name} has no passkeys any more")
    elif user.passkeys:
        json_answer.note(user=user.name, passkeys=[one.name for one in user.passkeys])
        tables.print_table(("PASSKEY", "SINCE"), [(one.name, lifetimes.moment(one.created_s)) for one in user.passkeys])
    else:
        json_answer.note(user=user.name, passkeys=[])
        output.print_line(f"{user.name} has no passkeys")


def _json(user: login_users.User) -> dict[str, object]:
    return {
        "name": user.name,
        "display": user.display,
        "email": user.email,
        "groups": list(user.groups),
        "totp": user.totp is not None,
        "passkeys": [one.name for one in user.passkeys],
        "disabled": user.is_disabled,
        "invited_until": None if user.invitation is None else durations.instant_of(user.invitation.ends_s),
    }


def _describe(user: login_users.User) -> tuple[str, str, str]:
    """Whether codes are needed, how many passkeys there are, and what is missing."""
    if user.is_disabled:
        return ("yes" if user.totp else "no", str(len(user.passkeys)), "disabled")
    if user.invitation is None:
        return ("yes" if user.totp else "no", str(len(user.passkeys)), "can sign in")
    if user.invitation.is_over(datetime.datetime.now(datetime.UTC).timestamp()):
        return ("no", "0", "the invitation is over")
    return ("no", "0", f"invited until {lifetimes.moment(user.invitation.ends_s)}")


def _facts(groups: list[str] | None, email: str | None, display: str | None) -> user_edits.UserFacts:
    """Raises: ConfigError."""
    facts = user_edits.UserFacts(groups=None if groups is None else tuple(groups), email=email, display=display)
    user_edits.check(facts)
    return facts
