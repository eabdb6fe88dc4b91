"""What people call the browser that sent a `User-Agent`. Pure.

Browsers name others in it, so what is looked for first decides.
"""

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


def find_name(agent: str) -> str:
    """ "Firefox, Linux"; the beginning of what is no browser; "" for nothing."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), None)
    if browser is None:
        return agent[:_LONGEST]
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    return browser if system is None else f"{browser}, {system}"
