"""The pages of the sign-in, in English and Korean: HTML without scripts, and one style, named by its digest. Pure."""

import base64
import hashlib
import html

from daemun.core import visitor_page

_STYLE = """\
:root{color-scheme:light dark}
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:22rem;margin:15vh auto;padding:0 1rem}
label,button,input{display:block;width:100%;box-sizing:border-box;font:inherit}
label{margin-top:1rem}
input,button{padding:.5rem .6rem;margin-top:.25rem}
button{margin-top:1.5rem;cursor:pointer}
.problem{border-left:.25rem solid #c33;padding-left:.75rem}
small{opacity:.7}
h2{font-size:1.1rem;margin-top:2.5rem}
ul{list-style:none;padding:0}
li{margin-top:1rem}
li button{margin-top:.25rem}
code{overflow-wrap:anywhere}
.done{border-left:.25rem solid #393;padding-left:.75rem}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # With less, browsers send `Origin: null` beside a form.
    "Referrer-Policy": "same-origin",
}

WITH_SCRIPT = {
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
}
"""Of a page that uses a passkey: with the one script of this host."""

_ENGLISH = {
    "title": "Sign in",
    "to": "to go on to {host}",
    "user": "User",
    "password": "Password",
    "enter": "Sign in",
    "code_title": "One-time code",
    "code": "The six digits of your app, or a recovery code",
    "go_on": "Go on",
    "wrong": "User or password is wrong.",
    "wrong_code": "This code is wrong, or was used before.",
    "wait": "Too many attempts. Try again in {seconds} seconds.",
    "busy": "Many people sign in right now. Try again in a moment.",
    "again": "That took too long. Please sign in again.",
    "stale": "This page was too old, or did not come from here. Please try again.",
    "signed_in": "You are signed in",
    "as": "as {user}",
    "leave": "Sign out",
    "account": "Your account",
    "left": "You are signed out.",
    "left_unsaved": "You are signed out, but this could not be saved yet, which is tried again: a restart of the gate "
    "may undo it.",
    "unsaved": "This could not be saved now, and is not done. Please try again later.",
    "going": "You are signed in. Going on to {host}.",
    "foreign_title": "Unknown address",
    "foreign": "This page cannot lead back to where you came from: it is no site of this gate that people sign in to.",
    "over_title": "Please try again",
    "over": "This way in is over, or was begun in another browser.",
    "home": "Go on",
    "closed_title": "Nobody can sign in",
    "closed": "There is no sign-in here now.",
}
_KOREAN = {
    "title": "로그인",
    "to": "로그인하면 {host}(으)로 이동합니다",
    "user": "사용자",
    "password": "비밀번호",
    "enter": "로그인",
    "code_title": "일회용 코드",
    "code": "앱에 표시된 여섯 자리 숫자 또는 복구 코드",
    "go_on": "계속",
    "wrong": "사용자 또는 비밀번호가 올바르지 않습니다.",
    "wrong_code": "코드가 올바르지 않거나 이미 사용되었습니다.",
    "wait": "시도가 너무 많습니다. {seconds}초 뒤에 다시 시도하세요.",
    "busy": "지금 로그인하는 사람이 많습니다. 잠시 뒤에 다시 시도하세요.",
    "again": "시간이 너무 오래 걸렸습니다. 다시 로그인하세요.",
    "stale": "페이지가 너무 오래되었거나 다른 곳에서 온 요청입니다. 다시 시도하세요.",
    "signed_in": "로그인되어 있습니다",
    "as": "사용자: {user}",
    "leave": "로그아웃",
    "account": "내 계정",
    "left": "로그아웃되었습니다.",
    "left_unsaved": "로그아웃되었지만 아직 저장하지 못했습니다. 게이트가 다시 시작되면 되돌아갈 수 있습니다.",
    "unsaved": "지금은 저장할 수 없어 변경되지 않았습니다. 나중에 다시 시도하세요.",
    "going": "로그인되었습니다. {host}(으)로 이동합니다.",
    "foreign_title": "알 수 없는 주소",
    "foreign": "이 페이지에서 원래 주소로 돌아갈 수 없습니다. 이 게이트에서 로그인하는 사이트가 아닙니다.",
    "over_title": "다시 시도하세요",
    "over": "이 로그인은 만료되었거나 다른 브라우저에서 시작되었습니다.",
    "home": "계속",
    "closed_title": "로그인할 수 없습니다",
    "closed": "지금은 여기에서 로그인할 수 없습니다.",
}
_WORDS = {"en": _ENGLISH, "ko": _KOREAN}

Words = dict[str, str]


def choose_words(accept_language: str) -> Words:
    """Of the language that a browser prefers (RFC 9110 section 12.5.4); English where it names none that there is."""
    found = visitor_page.choose_language(accept_language, tuple(_WORDS))
    return {"language": found, **_WORDS[found]}


def document(words: Words, title: str, *parts: str, head: str = "") -> str:
    return (
        f'<!doctype html>\n<html lang="{words["language"]}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"{head}<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n{''.join(f'{part}{chr(10)}' for part in parts if part)}"
        "</main>\n</body>\n</html>\n"
    )


def warning(text: str) -> str:
    return f'<p class="problem" role="alert">{html.escape(text)}</p>' if text else ""


def form(action: str, button: str, hidden: dict[str, str], *fields: str, attributes: str = "") -> str:
    """attributes: further ones of the form, as HTML."""
    kept = (f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in hidden.items())
    return (
        f'<form method="post" action="{action}"{attributes}>{"".join(kept)}{"".join(fields)}'
        f'<button type="submit">{html.escape(button)}</button></form>'
    )


def sign_in(
    words: Words,
    *,
    hidden: dict[str, str],
    host: str,
    user: str = "",
    problem: str = "",
    below: str = "",
    has_form: bool = True,
) -> str:
    """hidden: what comes back with the form. host: where the visitor goes on to; "": nowhere. below: other ways to sign
    in. has_form: whether there is a password to type."""
    where = f"<p><small>{html.escape(words['to'].format(host=host))}</small></p>" if host else ""
    name_focus, password_focus = ("", " autofocus") if user else (" autofocus", "")
    fields = (
        f'<label>{html.escape(words["user"])}<input name="user" value="{html.escape(user)}" required maxlength="255" '
        f'autocomplete="username" autocapitalize="none" spellcheck="false"{name_focus}></label>',
        f'<label>{html.escape(words["password"])}<input name="password" type="password" required maxlength="1024" '
        f'autocomplete="current-password"{password_focus}></label>',
    )
    own = form("/", words["enter"], hidden, *fields) if has_form else ""
    return document(words, words["title"], where, warning(problem), own, below)


def code(words: Words, *, hidden: dict[str, str], problem: str = "") -> str:
    field = (
        f'<label>{html.escape(words["code"])}<input name="code" required maxlength="64" autocomplete="one-time-code" '
        'autocapitalize="none" spellcheck="false" autofocus></label>'
    )
    return document(words, words["code_title"], warning(problem), form("/", words["go_on"], hidden, field))


def signed_in(words: Words, *, hidden: dict[str, str], user: str) -> str:
    who = f"<p>{html.escape(words['as'].format(user=user))}</p>"
    account = f'<p><a href="/account">{html.escape(words["account"])}</a></p>'
    return document(words, words["signed_in"], who, account, form("/sign-out", words["leave"], hidden))


def going(words: Words, *, url: str, host: str) -> str:
    """Leads on by itself. Not a redirect: browsers hold those after a form to the policy for forms, however far they
    lead (w3.org/TR/CSP3, form-action)."""
    there = html.escape(url)
    text = f'<p>{html.escape(words["going"].format(host=host))} <a href="{there}">{html.escape(words["home"])}</a></p>'
    return document(words, words["title"], text, head=f'<meta http-equiv="refresh" content="0;url={there}">\n')


def message(words: Words, title: str, text: str, *, link: str = "") -> str:
    """title, text: of the words."""
    on = f'<p><a href="{html.escape(link)}">{html.escape(words["home"])}</a></p>' if link else ""
    return document(words, words[title], f"<p>{html.escape(words[text])}</p>", on)
