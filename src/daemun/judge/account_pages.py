"""The pages of a user's own account, as those of the sign-in (`login_pages`): HTML without scripts. Pure."""

import collections.abc
import dataclasses
import datetime
import html

from daemun.core.access import login_users
from daemun.core.texts import browser_names
from daemun.judge import login_pages, login_session

Words = login_pages.Words
_AUTOCOMPLETE = {"present": "current-password", "password": "current-password", "new": "new-password"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownAccount:
    """sessions: the first is the browser's own. is_recent: whether the password was entered a moment ago. form: the
    secret that forms repeat. done, problem: what came of the last form, as text."""

    user: login_users.User
    sessions: collections.abc.Sequence[login_session.Session]
    is_recent: bool
    form: str = dataclasses.field(repr=False)
    least: int
    done: str = ""
    problem: str = ""


def account(words: Words, shown: ShownAccount, *sections: str) -> str:
    """sections: further ones, as HTML."""
    user, hidden = shown.user, {"form": shown.form}
    names = (user.display, user.email, words["groups"].format(groups=", ".join(user.groups)) if user.groups else "")
    about = "<br>".join(html.escape(name) for name in names if name)
    return login_pages.document(
        words,
        words["account"],
        f"<p>{html.escape(words['as'].format(user=user.name))}</p>",
        f"<p><small>{about}</small></p>" if about else "",
        f'<p class="done" role="status">{html.escape(shown.done)}</p>' if shown.done else "",
        login_pages.warning(shown.problem),
        *_sessions(words, shown, hidden),
        *_password(words, shown, hidden),
        *_codes(words, shown, hidden),
        *sections,
        login_pages.form("/sign-out", words["leave"], hidden),
    )


def _sessions(words: Words, shown: ShownAccount, hidden: dict[str, str]) -> tuple[str, ...]:
    others = len(shown.sessions) > 1
    return (
        _heading(words["sessions"]),
        f"<ul>{''.join(_session(words, one, hidden, is_own=not n) for n, one in enumerate(shown.sessions))}</ul>",
        login_pages.form("/account/sessions", words["end_others"], {**hidden, "others": "yes"}) if others else "",
    )


def _session(words: Words, session: login_session.Session, hidden: dict[str, str], *, is_own: bool) -> str:
    name = browser_names.find_name(session.agent) or words["unknown_browser"]
    times = words["times"].format(
        address=session.address or "-", since=_time(session.created_s), seen=_time(session.seen_s)
    )
    own = f" ({html.escape(words['here'])})" if is_own else ""
    end = login_pages.form("/account/sessions", words["end"], {**hidden, "id": session.number})
    return f"<li>{html.escape(name)}{own}<br><small>{html.escape(times)}</small>{'' if is_own else end}</li>"


def _password(words: Words, shown: ShownAccount, hidden: dict[str, str]) -> tuple[str, ...]:
    if not shown.user.hashed:
        return (_heading(words["password_section"]), _text(words["no_password"]))
    fields = (
        _user(shown.user),
        password_field(words["present"], "present"),
        password_field(words["new"].format(least=shown.least), "new", least=shown.least),
        password_field(words["new_again"], "again", least=shown.least),
    )
    form = login_pages.form("/account/password", words["change_password"], hidden, *fields)
    return (_heading(words["password_section"]), form, f"<p><small>{html.escape(words['password_hint'])}</small></p>")


def _codes(words: Words, shown: ShownAccount, hidden: dict[str, str]) -> tuple[str, ...]:
    has_codes = shown.user.totp is not None
    if not shown.user.hashed:
        return ()
    state = (_heading(words["codes_section"]), _text(words["codes_on" if has_codes else "codes_off"]))
    if not shown.is_recent:
        fields = (_user(shown.user), password_field(words["password"], "password"))
        form = login_pages.form("/account/confirm", words["confirm"], hidden, *fields)
        return (*state, _text(words["confirm_hint"]), form)
    setup = login_pages.form("/account/totp", words["replace" if has_codes else "setup"], hidden)
    if not has_codes:
        return (*state, setup)
    renew = login_pages.form("/account/recovery", words["renew"], hidden)
    return (*state, renew, setup, login_pages.form("/account/totp/remove", words["remove"], hidden))


def setup(words: Words, *, form: str, secret: str, address: str, picture: str = "", problem: str = "") -> str:
    """secret: for an app. address: the same as an otpauth: URL. picture: of it, as HTML."""
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    link = f'<p><a href="{html.escape(address)}">{html.escape(words["setup_link"])}</a></p>'
    field = (
        f'<label>{html.escape(words["setup_code"])}<input name="code" required maxlength="64" inputmode="numeric" '
        'autocomplete="one-time-code" autofocus></label>'
    )
    end = login_pages.form("/account/totp/finish", words["setup_end"], {"form": form}, field)
    hint = _text(words["setup_hint"])
    code = f'<p role="img" aria-label="{html.escape(words["setup_picture"])}">{picture}</p>' if picture else ""
    shown = f"<p><code>{html.escape(spaced)}</code></p>"
    return login_pages.document(
        words, words["setup_title"], login_pages.warning(problem), hint, code, shown, link, end, _back(words)
    )


def recovery(words: Words, codes: collections.abc.Iterable[str]) -> str:
    listed = "".join(f"<li><code>{html.escape(one)}</code></li>" for one in codes)
    return login_pages.document(
        words, words["recovery_title"], _text(words["recovery_hint"]), f"<ul>{listed}</ul>", _back(words)
    )


def password_field(label: str, name: str, *, least: int = 0) -> str:
    shortest = f' minlength="{least}"' if least else ""
    return (
        f'<label>{html.escape(label)}<input name="{name}" type="password" required{shortest} maxlength="1024" '
        f'autocomplete="{_AUTOCOMPLETE.get(name, "new-password")}"></label>'
    )


def _user(user: login_users.User) -> str:
    """For what keeps passwords: whose it is."""
    return f'<input hidden autocomplete="username" value="{html.escape(user.name)}">'


def _heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def _text(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _back(words: Words) -> str:
    return f'<p><a href="/account">{html.escape(words["back"])}</a></p>'


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
