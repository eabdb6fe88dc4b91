"""QR codes as SVG within HTML. Takes some 4 MB: for gates with a sign-in only."""

import segno

_SCALE, _BORDER = 5, 4


def draw(text: str) -> str:
    """Dark on light, whatever the page has; without styles, which its policy would refuse. text: ASCII. Returns: "" for
    a text that is too long for one."""
    try:
        made = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        return ""
    return made.svg_inline(scale=_SCALE, border=_BORDER, light="#fff", svgclass=None, lineclass=None)


def warm_up() -> None:
    """What is imported late is imported now: the process may read nothing later."""
    draw("otpauth://totp/daemun:warm-up?secret=AAAA&issuer=daemun")
