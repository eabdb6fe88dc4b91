"""Users and groups that `access: {login: ...}` names, compared with those that there are (`daemun users`).

Nobody comes in by a name that nobody has: these are warnings. Blocking, milliseconds.
"""

import collections.abc
import pathlib
import shlex

from daemun import regular_files
from daemun.core import layout, model, problem_report
from daemun.core.access import login_users
from daemun.core.options import access_option, catalogue, login_option, login_rule_form
from daemun.core.texts import account_names, words

_LARGEST_BYTES = 64 << 20


def find_file(snapshot: model.Snapshot, state: str | None) -> pathlib.Path | None:
    """Where the users are, which count for the snapshot; None: nobody can sign in."""
    login = None if snapshot.globals is None else login_option.OPTION.of(snapshot.globals)
    return None if login is None or state is None else pathlib.Path(layout.Layout(state).store, login_users.KEY)


def find_problems(snapshot: model.Snapshot, state: str | None) -> tuple[model.Problem, ...]:
    """state: the state directory; None: there is none, so nothing is known of users."""
    file = find_file(snapshot, state)
    if file is None or snapshot.globals is None:
        return ()
    try:
        users = login_users.decode(regular_files.read(str(file), _LARGEST_BYTES))
    except FileNotFoundError:
        if not file.parent.parent.is_dir():
            return ()  # of a gate that never ran here
        users = ()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()  # another account's, or damaged, which is reported where people sign in
    login = login_option.OPTION.of(snapshot.globals)
    return find_unknown(snapshot, users, has_providers=login is not None and bool(login.providers))


def find_unknown(
    snapshot: model.Snapshot, users: collections.abc.Collection[login_users.User], *, has_providers: bool
) -> tuple[model.Problem, ...]:
    """Each name once, where it stands first. Pure."""
    held = [
        (one, rule)
        for one in catalogue.find_values(snapshot, {access_option.OPTION.name})
        if (one.site is None or one.site.enabled) and (rule := _find_rule(one.value)) is not None
    ]
    if held and not users and not has_providers:
        first, _ = held[0]
        return (_warn(first, (), "there is no user yet, so nobody comes in; `daemun users add NAME` makes one"),)
    names = {one.name for one in users}
    groups = {group for one in users for group in one.groups}
    found: dict[tuple[str, str], model.Problem] = {}
    for one, rule in held:
        for kind, written in (("users", rule.users), ("groups", rule.groups)):
            known = names if kind == "users" else groups
            for index, name in enumerate(written):
                if name not in known and account_names.find_provider(name) is None and (kind, name) not in found:
                    found[kind, name] = _warn(one, (kind, index), _find_cause(kind, name, names, known))
    return tuple(found.values())


def _find_rule(access: object) -> login_rule_form.LoginRule | None:
    return access.login if isinstance(access, access_option.Access) else None


def _find_cause(
    kind: str, name: str, names: collections.abc.Container[str], known: collections.abc.Collection[str]
) -> str:
    quoted = words.quoted(name)
    if kind == "groups" and name in names:
        return (
            f"{quoted} is a user and no group that anybody has; write {{users: [{name if name.isalpha() else quoted}]}}"
        )
    guess = words.guess(name, known)
    if kind == "users":
        return f"there is no user {quoted}{guess or f'; `daemun users add {shlex.quote(name)}` makes one'}"
    cure = f"; `daemun users add NAME --group {shlex.quote(name)}` makes one who has it"
    return f"no user has the group {quoted}{guess or cure}"


def _warn(held: catalogue.SetOption, below: tuple[str | int, ...], cause: str) -> model.Problem:
    field = (*held.field, "login", *below)
    return problem_report.describe(held.site, field, cause, severity=model.Severity.WARNING)
