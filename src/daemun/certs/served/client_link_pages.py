"""The page behind a link of `daemun clients add --link`: HTML without scripts, in English and Korean. Pure."""

import html

from daemun.core import visitor_page

HEADERS = {
    "Content-Type": visitor_page.FORMS["html"],
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # The address of the page has the secret, which no further request is to name.
    "Referrer-Policy": "no-referrer",
}

Words = dict[str, str]

_WORDS: dict[str, Words] = {
    "en": {
        "title": "Certificate for {name}",
        "hint": "Download it on the device that it is for, and install it with the password that you were given. This "
        "works once.",
        "button": "Download",
        "until": "Until {end} (UTC)",
        "over_title": "This link is over",
        "over": "It was used before, was withdrawn, or its time is over. Ask for another one.",
        "unsaved_title": "Not now",
        "unsaved": "The certificate could not be handed over. Please try again later.",
        "footer": "The gate's own page",
    },
    "ko": {
        "title": "{name} 인증서",
        "hint": "인증서를 쓸 기기에서 내려받은 뒤, 전달받은 비밀번호로 설치하세요. 한 번만 내려받을 수 있습니다.",
        "button": "내려받기",
        "until": "{end}(UTC)까지",
        "over_title": "만료된 링크입니다",
        "over": "이미 사용되었거나 폐기되었거나 기한이 지났습니다. 새 링크를 요청하세요.",
        "unsaved_title": "지금은 받을 수 없습니다",
        "unsaved": "인증서를 전달하지 못했습니다. 나중에 다시 시도하세요.",
        "footer": "게이트의 자체 페이지",
    },
}


def choose_words(accept_language: str) -> Words:
    language = visitor_page.choose_language(accept_language, tuple(_WORDS))
    return {"language": language, **_WORDS[language]}


def offer(words: Words, *, name: str, end: str) -> str:
    """The form goes to the address of the page: looking at it hands over nothing, as programs do that preview links."""
    button = f'<form method="post"><button type="submit">{html.escape(words["button"])}</button></form>'
    return visitor_page.html(
        title=html.escape(words["title"].format(name=name)),
        text=f"{html.escape(words['hint'])}</p>{button}<p>",
        footer=html.escape(words["until"].format(end=end)),
        language=words["language"],
    )


def over(words: Words) -> str:
    return _message(words, "over")


def unsaved(words: Words) -> str:
    return _message(words, "unsaved")


def _message(words: Words, key: str) -> str:
    return visitor_page.html(
        title=html.escape(words[f"{key}_title"]),
        text=html.escape(words[key]),
        footer=html.escape(words["footer"]),
        language=words["language"],
    )
