// The editor of daemun.yaml: CodeMirror 6 in a custom element around a textarea. Bundled by scripts/frontend.py.
export {};
