"""What pages of the sign-in show of identity providers, in English and Korean. Pure."""

import collections.abc
import html
import urllib.parse

from daemun.core.access import login_providers
from daemun.judge import login_pages
from daemun.judge.providers import provider_error

_ENGLISH = {
    "with": "Sign in with {name}",
    "to_provider": "Going on to {name}.",
    "failed": "Sign-in with {name} failed",
    "away": "{name} cannot be reached, or does not answer as it should. Try again in a moment.",
    "settings": "{name} refuses this gate. Whoever runs it can see why in its status.",
    "refused": "{name} did not sign you in.",
    "unproven": "What {name} answered does not prove who you are. Please try again.",
    "cause": "Cause: {cause}",
    "redirect_uri": "The redirect URI that {name} must know: {uri}",
    "stranger": "You are signed in with {name} as {user}, but no site here lets this account in.",
}
_KOREAN = {
    "with": "{name}(으)로 로그인",
    "to_provider": "{name}(으)로 이동합니다.",
    "failed": "{name}(으)로 로그인하지 못했습니다",
    "away": "{name}에 연결할 수 없거나 응답이 올바르지 않습니다. 잠시 뒤에 다시 시도하세요.",
    "settings": "{name}이(가) 이 게이트의 요청을 거부합니다. 소유자는 상태에서 원인을 볼 수 있습니다.",
    "refused": "{name}에서 로그인되지 않았습니다.",
    "unproven": "{name}의 응답으로는 누구인지 확인할 수 없습니다. 다시 시도하세요.",
    "cause": "원인: {cause}",
    "redirect_uri": "{name}에 등록해야 하는 리디렉션 URI: {uri}",
    "stranger": "{name}에 {user}(으)로 로그인했지만, 이 계정이 들어갈 수 있는 사이트가 여기에 없습니다.",
}
_WORDS = {"en": _ENGLISH, "ko": _KOREAN}


def find_text(words: login_pages.Words, which: str, **parts: str) -> str:
    return _WORDS[words["language"]][which].format(**parts)


def buttons(
    words: login_pages.Words,
    hidden: dict[str, str],
    providers: collections.abc.Iterable[login_providers.Provider],
) -> str:
    """A form for each. hidden: as of the page's own form. "": there are no providers."""
    return "".join(
        login_pages.form("/begin", find_text(words, "with", name=one.name), {**hidden, "provider": one.key})
        for one in providers
    )


def leaving(words: login_pages.Words, *, url: str, name: str) -> str:
    """As `login_pages.going`, for the same reason."""
    there, text = html.escape(url), html.escape(find_text(words, "to_provider", name=name))
    return login_pages.document(
        words,
        words["title"],
        f'<p>{text} <a href="{there}">{html.escape(words["home"])}</a></p>',
        head=f'<meta http-equiv="refresh" content="0;url={there}">\n',
    )


def failed(words: login_pages.Words, *, name: str, error: provider_error.ProviderError, uri: str, again: str) -> str:
    """uri: where the provider sends visitors back to. again: where the page of the sign-in is."""
    parts = [
        login_pages.warning(find_text(words, error.fault.value, name=name)),
        f"<p><small>{html.escape(find_text(words, 'cause', cause=error.cause))}</small></p>",
    ]
    if error.fault is provider_error.ProviderFault.SETTINGS:
        parts.append(f"<p><small>{html.escape(find_text(words, 'redirect_uri', name=name, uri=uri))}</small></p>")
    return login_pages.document(words, find_text(words, "failed", name=name), *parts, _link(words, again))


def stranger(words: login_pages.Words, *, name: str, user: str, again: str) -> str:
    text = find_text(words, "stranger", name=name, user=user)
    return login_pages.document(
        words, find_text(words, "failed", name=name), login_pages.warning(text), _link(words, again)
    )


def find_again(given: dict[str, str]) -> str:
    """The page of the sign-in with the same goal."""
    return f"/?{urllib.parse.urlencode(given)}" if any(given.values()) else "/"


def _link(words: login_pages.Words, there: str) -> str:
    return f'<p><a href="{html.escape(there)}">{html.escape(words["home"])}</a></p>'
