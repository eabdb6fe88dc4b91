"""The dashboard's pages, in a process of their own: they know the API alone, and decide nothing.

dashboard_process  in the daemon: the socket for visitors, and the process behind it while there are any
__main__           the process: reads all it needs, gives up its rights, serves, and ends without visitors
page_application   the pages as one application: addresses, assets, headers
pages_app          what holds for all pages: who looks, where changes may come from, what is shown when something fails
visit              one request, as a page handles it: the API in the visitor's name, and the answers there are
api_client         the API in the daemon, over its socket
page_messages      what came of a change, for the next page
page_warm_up       what is imported and read before the rights are given up
static_assets      what pages load, in memory
pages              the pages, an area in a module each
page_texts         texts of pages in English and Korean, out of texts/LANGUAGE/AREA.toml
page_frame         what the frame around every page shows: who looks, the entry, messages, the command line
page_environment   Jinja with all that templates use: filters, addresses of assets
page_commands      the command line that shows the same as a page
list_view          a sorted list in pages, with its state in the address
completion         what the editor of daemun.yaml completes, out of its JSON Schema
form_body          forms that a page sent back, and where they may lead
diff_parts         parts of a difference, with their lines as signs and texts
figures            numbers, times and lines as they are written and drawn; no I/O
static             the style, the scripts of our own, and those of others (static/vendor, built by scripts/frontend.py)

How to write a page
===================

A module `pages/AREA_pages.py` has `routes(pages)`, which gives `pages.page(path, handler)` for each address; a
handler gets a `visit.Visit` and returns what `one.render(template, ...)` or, after a change, `one.go_to(path,
message)` gives. `one.get("sites", host)` and `one.send("POST", "sites", host, "probe", body={...})` request the API;
what that refuses (`api_client.ApiError`) becomes a page by itself unless the handler catches it.

A template extends `base.html`, imports the components (`templates/macros.html` has a guide at its head), and fills the
blocks `title`, `content` and, for further files, `styles` and `scripts`:

    {% extends "base.html" %}
    {% import "macros.html" as ui with context %}
    {% block title %}{{ t("sites.title") }}{% endblock %}
    {% block content %}
    <h1>{{ t("sites.title") }}</h1>
    {% call ui.table(t("sites.title"), columns, list) %}
      {% for site in sites %}
      <tr>
        <th scope="row"><a href="/sites/{{ site.host|urlencode }}">{{ site.host }}</a></th>
        <td data-label="{{ t("sites.settings") }}">{{ ui.lamp(site.state) }}</td>
        <td data-label="{{ t("sites.requests") }}" class="number">{{ site.requests|number }}</td>
      </tr>
      {% endfor %}
    {% endcall %}
    {{ ui.pager(list) }}
    {% endblock %}
    {% block scripts %}{{ ui.script("sites.js") }}{% endblock %}

`page_environment.render(environment, "sites.html", page, list=..., sites=...)` renders it; `page` is a
`page_frame.Frame`. Templates have, beside their own values: `page`, `t` (page_texts), `nonce`, `now`, `asset(NAME)`,
and the filters `number`, `size`, `percent`, `seconds`, `moment`, `stamp` (figures).
`page_frame.content_security_policy` is the header that goes with the nonce of the page. The gallery in
tests/support/gallery uses every component.

- Nothing runs or looks by an attribute: no `style=`, no `on...=`, no script or style with text, no `hx-on`, no
  `[filter]` in `hx-trigger`, no `js:`. Hide with the attribute `hidden`, or a class of dashboard.css
  (`visually-hidden`).
- Every element with an attribute of htmx has `hx-nonce="{{ nonce }}"`. Without it htmx strips its attributes, so that
  what slipped into a page from outside can do nothing (hx-csp). What is swapped in has the nonce of its own answer's
  header. Server-sent events (`hx-sse:connect`) bring rows without attributes of htmx: events have no header.
- No filter that keeps Jinja from escaping. What comes from labels, logs, servers and certificates is hostile.
- Every form works without a script: `method="post"`, and a page or a redirect as the answer.
- Layout by classes: `grid`, `row`, `row spread`, `card`, `actions`, `toolbar`, `figures-row`, `muted`; buttons
  `main`, `quiet`, `danger`, links that look like buttons `button`.

tests/unit/test_dashboard_templates.py holds these rules for every template, and tests/unit/test_dashboard_texts.py that
every text that a template uses is there in both languages.
"""
