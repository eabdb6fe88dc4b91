"""The page behind an invitation's link, as those of the sign-in: HTML without scripts, in English and Korean. Pure."""

import html

from daemun.core.access import login_users
from daemun.judge import account, account_pages, account_words, login_pages

HEADERS = {"Referrer-Policy": "strict-origin"}
"""The address of the page has the secret, which no further request is to name."""

_WORDS = {
    "en": {
        "invitation_title": "You are invited",
        "invitation_hint": "Choose the password to sign in with. One-time codes can be set up afterwards.",
        "invitation_end": "Set the password and sign in",
        "no_invitation_title": "This invitation is over",
        "no_invitation": "It was used before, was withdrawn, or its time is over. Ask for another one.",
    },
    "ko": {
        "invitation_title": "초대받으셨습니다",
        "invitation_hint": "앞으로 로그인할 때 사용할 비밀번호를 정하세요. 일회용 코드는 그다음에 설정할 수 있습니다.",
        "invitation_end": "비밀번호를 정하고 로그인",
        "no_invitation_title": "만료된 초대입니다",
        "no_invitation": "이미 사용되었거나 폐기되었거나 기한이 지났습니다. 새 초대를 요청하세요.",
    },
}


def extend(words: login_pages.Words) -> login_pages.Words:
    """With those of the sign-in and the account, in the same language."""
    return {**account_words.extend(words), **_WORDS[words["language"]]}


def invitation(words: login_pages.Words, *, user: login_users.User, hidden: dict[str, str], problem: str = "") -> str:
    fields = (
        f'<label>{html.escape(words["user"])}<input value="{html.escape(user.name)}" readonly '
        'autocomplete="username"></label>',
        account_pages.password_field(
            words["new"].format(least=account.SHORTEST_PASSWORD), "new", least=account.SHORTEST_PASSWORD
        ),
        account_pages.password_field(words["new_again"], "again", least=account.SHORTEST_PASSWORD),
    )
    return login_pages.document(
        words,
        words["invitation_title"],
        login_pages.warning(problem),
        f"<p>{html.escape(words['invitation_hint'])}</p>",
        login_pages.form("/invitation", words["invitation_end"], hidden, *fields),
    )
