"""What the pages of the sign-in and of the account have for passkeys, in English and Korean. Pure but for the script,
which is read when this is imported."""

import datetime
import html
import importlib.resources

from daemun.core.access import login_passkeys, login_users
from daemun.judge import login_pages

Words = login_pages.Words
SCRIPT = importlib.resources.files(__package__).joinpath("passkeys.js").read_bytes()
SCRIPT_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}
_LOADED = '<script src="/passkeys.js" defer></script>'

_WORDS = {
    "en": {
        "passkey_enter": "Sign in with a passkey",
        "passkey_failed": "No passkey was used. Please try again.",
        "passkey_wrong": "This passkey is not known here, or was removed.",
        "passkeys": "Passkeys",
        "passkeys_hint": "A passkey signs you in without the password and without a code, by what unlocks this device.",
        "passkey_since": "since {since}",
        "passkey_name": "Name of the passkey",
        "passkey_add": "Add a passkey",
        "passkey_remove": "Remove",
        "passkey_refused": "This passkey could not be added. Please try again.",
        "passkeys_many": "There are as many passkeys as there may be. Remove one first.",
        "done_passkey": "The passkey is added.",
        "done_passkey_removed": "The passkey is removed, and all other browsers are signed out.",
    },
    "ko": {
        "passkey_enter": "패스키로 로그인",
        "passkey_failed": "패스키를 사용하지 못했습니다. 다시 시도하세요.",
        "passkey_wrong": "알 수 없거나 제거된 패스키입니다.",
        "passkeys": "패스키",
        "passkeys_hint": "패스키가 있으면 비밀번호와 코드 없이 기기의 잠금을 푸는 방법으로 로그인합니다.",
        "passkey_since": "등록 {since}",
        "passkey_name": "패스키 이름",
        "passkey_add": "패스키 추가",
        "passkey_remove": "제거",
        "passkey_refused": "이 패스키를 추가하지 못했습니다. 다시 시도하세요.",
        "passkeys_many": "패스키를 더 추가할 수 없습니다. 먼저 하나를 제거하세요.",
        "done_passkey": "패스키가 추가되었습니다.",
        "done_passkey_removed": "패스키가 제거되었고, 다른 모든 브라우저에서 로그아웃되었습니다.",
    },
}


def extend(words: Words) -> Words:
    """With those of the page, in the same language."""
    return {**words, **_WORDS[words["language"]]}


def button(words: Words, hidden: dict[str, str]) -> str:
    """Of the page of the sign-in. hidden: what comes back with the form."""
    words = extend(words)
    return _form(words, "/passkey", "get", words["passkey_enter"], hidden) + _LOADED


def section(words: Words, user: login_users.User, hidden: dict[str, str], *, is_recent: bool) -> tuple[str, ...]:
    """Of the page of the account. is_recent: whether the password was entered a moment ago."""
    if not user.hashed:
        return ()
    words = extend(words)
    listed = "".join(_passkey(words, one, hidden, is_recent=is_recent) for one in user.passkeys)
    parts = (
        f"<h2>{html.escape(words['passkeys'])}</h2>",
        f"<p>{html.escape(words['passkeys_hint'])}</p>",
        f"<ul>{listed}</ul>" if listed else "",
    )
    if not is_recent:
        return (*parts, f"<p>{html.escape(words['confirm_hint'])}</p>")
    if len(user.passkeys) >= login_passkeys.MOST_OF_A_USER:
        return (*parts, f"<p>{html.escape(words['passkeys_many'])}</p>")
    name = (
        f'<label>{html.escape(words["passkey_name"])}<input name="name" required '
        f'maxlength="{login_passkeys.LONGEST_NAME}"></label>'
    )
    where = ("/account/passkeys", "create", words["passkey_add"], hidden)
    return (*parts, _form(words, *where, name), _LOADED)


def _passkey(words: Words, passkey: login_passkeys.Passkey, hidden: dict[str, str], *, is_recent: bool) -> str:
    since = datetime.datetime.fromtimestamp(passkey.created_s, datetime.UTC).strftime("%Y-%m-%d")
    removal = {**hidden, "id": passkey.id}
    remove = login_pages.form("/account/passkeys/remove", words["passkey_remove"], removal) if is_recent else ""
    times = html.escape(words["passkey_since"].format(since=since))
    return f"<li>{html.escape(passkey.name)}<br><small>{times}</small>{remove}</li>"


def _form(words: Words, action: str, kind: str, button_: str, hidden: dict[str, str], *fields: str) -> str:
    """Shown by the script. kind: "create" or "get"."""
    problem = f'<p class="problem" role="alert" hidden>{html.escape(words["passkey_failed"])}</p>'
    attributes = f' data-passkey="{kind}" data-options="{action}/begin" hidden'
    return login_pages.form(action, button_, {**hidden, "credential": ""}, *fields, problem, attributes=attributes)
