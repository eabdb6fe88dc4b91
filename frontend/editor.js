// <yaml-editor>: CodeMirror 6 around a textarea, which stays part of its form and is all there is without scripts.
//   check     where its form is posted to be checked; answered by {"problems": [{severity, message, line, column}]}
//   schema    where the schema of completion.py is
//   problems  the same list, known when the page was made
//   line      the line to go to
//   phrases   CodeMirror's words in the page's language
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { forceLinting, lintGutter, lintKeymap, linter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { makeSource } from "./completion.js";

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", border: "1px solid var(--edge)", borderRadius: "var(--round)" },
  "&.cm-focused": { outline: "3px solid var(--accent)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "0.875rem", lineHeight: "1.5", maxHeight: "70vh" },
  ".cm-content, .cm-gutter": { minHeight: "14rem" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--muted)", borderColor: "var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent-ground) 45%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "var(--warning-ground)", outline: "1px solid var(--warning)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-ground)" },
  ".cm-panels": { backgroundColor: "var(--ground)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panel button, .cm-panel input": { minHeight: "2rem" },
  ".cm-panel.cm-search [name=close], .cm-panel.cm-panel-lint [name=close]": { minWidth: "2rem", minHeight: "2rem" },
  ".cm-panel.cm-search input[type=checkbox]": { minHeight: "1.15rem", margin: "0 0.3rem 0 0", verticalAlign: "middle" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", minHeight: "2rem" },
  ".cm-panel.cm-search": { padding: "0.5rem 2.5rem 0.5rem 0.5rem" },
  ".cm-textfield": { backgroundColor: "var(--surface)", borderColor: "var(--edge)", color: "inherit" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface)", borderColor: "var(--edge)", color: "inherit" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "14rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionInfo": { maxWidth: "22rem", padding: "0.5rem" },
  "@media (width <= 30rem)": { ".cm-completionInfo": { display: "none" } },
  ".cm-diagnosticText": { whiteSpace: "pre-wrap", maxWidth: "40rem", display: "inline-block" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--accent-ground)", borderColor: "var(--line)", color: "var(--text)" },
  ".tok-propertyName": { color: "var(--line-1)" },
  ".tok-string, .tok-string2": { color: "var(--line-3)" },
  ".tok-comment, .tok-meta": { color: "var(--muted)", fontStyle: "italic" },
  ".tok-keyword, .tok-bool, .tok-number, .tok-atom, .tok-labelName": { color: "var(--line-2)" },
  ".tok-invalid": { color: "var(--bad)" },
});

class YamlEditor extends HTMLElement {
  connectedCallback() {
    this.area = this.querySelector("textarea");
    if (!this.area || this.view) return;
    const label = this.area.labels[0];
    label?.addEventListener("click", () => this.view.focus());
    this.view = new EditorView({
      state: EditorState.create({ doc: this.area.value, extensions: this.extensions(label) }),
    });
    this.area.before(this.view.dom);
    this.area.hidden = true;
    const known = this.read("problems");
    if (known) this.view.dispatch(setDiagnostics(this.view.state, this.diagnostics(known)));
    const line = Number(this.getAttribute("line"));
    if (line) this.goTo(line);
    // For tests, and for links to lines.
    this.dispatchEvent(new CustomEvent("daemun:editor", { bubbles: true }));
  }

  disconnectedCallback() {
    this.view?.destroy();
    this.view = null;
    if (this.area) this.area.hidden = false;
  }

  read(name) {
    return JSON.parse(this.getAttribute(name) || "null");
  }

  extensions(label) {
    const nonce = document.querySelector("script[nonce]")?.nonce ?? "";
    const described = this.area.getAttribute("aria-describedby");
    // With a tabindex axe-core knows that what scrolls beside long lines can be reached by keys.
    const content = { "aria-label": label?.textContent.trim() ?? this.area.name, tabindex: "0", ...(described && { "aria-describedby": described }) };
    return [
      EditorView.cspNonce.of(nonce),
      EditorState.phrases.of(this.read("phrases") ?? {}),
      EditorView.contentAttributes.of(content),
      EditorState.readOnly.of(this.area.readOnly),
      EditorState.tabSize.of(2),
      indentUnit.of("  "),
      lineNumbers(),
      foldGutter(),
      history(),
      drawSelection(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      search({ top: true }),
      syntaxHighlighting(classHighlighter),
      yaml(),
      look,
      autocompletion({ icons: false, override: [makeSource(() => this.schema())] }),
      this.getAttribute("check") ? [linter((view) => this.check(view), { delay: 700 }), lintGutter()] : lintGutter(),
      keymap.of([
        { key: "Mod-s", run: () => this.send() },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...lintKeymap,
        ...defaultKeymap,
        indentWithTab,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) {
          this.area.value = update.state.doc.toString();
          this.area.dispatchEvent(new Event("input", { bubbles: true }));
        }
      }),
    ];
  }

  /** The schema, fetched once and when it is needed first. */
  schema() {
    const address = this.getAttribute("schema");
    this.known ??= address
      ? fetch(address, { headers: { Accept: "application/json" } })
          .then((answer) => (answer.ok ? answer.json() : null))
          .catch(() => null)
      : Promise.resolve(null);
    return this.known;
  }

  /** What the server finds of the text. */
  async check(view) {
    const form = this.area.form;
    const body = form ? new URLSearchParams(new FormData(form)) : new URLSearchParams({ [this.area.name]: view.state.doc.toString() });
    try {
      const answer = await fetch(this.getAttribute("check"), { method: "POST", body, headers: { Accept: "application/json" } });
      const found = await answer.json();
      return this.diagnostics(found.problems ?? []);
    } catch {
      // The form is checked again when it is sent.
      return [];
    }
  }

  diagnostics(problems) {
    const text = this.view.state.doc;
    return problems.map((one) => {
      const line = text.line(Math.min(Math.max(one.line ?? 1, 1), text.lines));
      const start = Math.min(line.from + Math.max((one.column ?? 1) - 1, 0), line.to);
      const word = /^[^\s:#,{}[\]]+/.exec(text.sliceString(start, line.to));
      const from = word ? start : line.from + /^\s*/.exec(line.text)[0].length;
      const to = word ? start + word[0].length : line.to;
      return { from: Math.min(from, to), to, severity: one.severity === "warning" ? "warning" : "error", message: one.message };
    });
  }

  goTo(line) {
    const text = this.view.state.doc;
    const place = text.line(Math.min(Math.max(line, 1), text.lines)).from;
    this.view.dispatch({ selection: { anchor: place }, effects: EditorView.scrollIntoView(place, { y: "center" }) });
    this.view.focus();
  }

  checkNow() {
    forceLinting(this.view);
  }

  send() {
    const form = this.area.form;
    form?.requestSubmit(form.querySelector("button.main"));
    return Boolean(form);
  }
}

customElements.define("yaml-editor", YamlEditor);
