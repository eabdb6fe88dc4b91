"""A page as a browser reads it."""

import html.parser


class Elements(html.parser.HTMLParser):
    """Every element of a page with its attributes, and its text, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def addresses(self) -> set[str]:
        """Where links and forms lead."""
        every = (pair for _, attributes in self.found for pair in attributes.items())
        return {str(value) for name, value in every if name in {"href", "action"}}

    def faults(self) -> list[str]:
        """What no page of the dashboard may hold, and ids that are there twice or lead nowhere."""
        ids = [str(attributes["id"]) for _, attributes in self.found if "id" in attributes]
        found = [f"the id {one} twice" for one in set(ids) if ids.count(one) > 1]
        for tag, attributes in self.found:
            if tag in {"img", "iframe", "object", "embed", "base", "style"}:
                found.append(tag)
            found += [f"{tag} {name}" for name in attributes if name.startswith("on") or name == "style"]
            if tag == "script" and not (attributes.get("nonce") and attributes.get("src")):
                found.append("a script of its own")
            for name in ("for", "aria-labelledby", "aria-describedby"):
                found += [f"{name} {one}" for one in (attributes.get(name) or "").split() if one not in ids]
        return found
