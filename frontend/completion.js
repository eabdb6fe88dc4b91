// Where the cursor is in YAML, and what may stand there (src/daemun/dashboard/completion.py has the form of the schema).
// By lines and their indentation, so that it works while a line is being written and the file cannot be parsed.

const KEY = /^(\s*)((?:-\s+)*)("[^"]*"|'[^']*'|[^\s#'"{[][^:#]*?)\s*:(?=\s|$)/;

function unquote(key) {
  return key.replace(/^(["'])(.*)\1$/, "$2");
}

/** {indent, key} of a line; a key behind "- " stands where its first sign is. */
function readLine(text) {
  const found = KEY.exec(text);
  if (!found) return null;
  return { indent: found[1].length + found[2].length, key: unquote(found[3]), rest: text.slice(found[0].length) };
}

/** The keys above a line that stand less deep than `indent`, from the outermost. */
function keysAbove(lines, number, indent) {
  const path = [];
  for (let line = number - 1; line >= 0 && indent > 0; line -= 1) {
    const found = readLine(lines[line]);
    if (found && found.indent < indent) {
      path.unshift(found.key);
      indent = found.indent;
    }
  }
  return path;
}

/** The keys around the end of an unfinished flow mapping such as "{a: {b: 1, c", and what is being written in it. */
function readFlow(text) {
  const path = [];
  let word = "";
  let key = null;
  let quote = null;
  for (const sign of text) {
    if (quote) {
      if (sign === quote) quote = null;
      word += sign;
    } else if (sign === '"' || sign === "'") {
      quote = sign;
      word += sign;
    } else if (sign === "{" || sign === "[") {
      path.push(key);
      key = null;
      word = "";
    } else if (sign === "}" || sign === "]") {
      path.pop();
      key = null;
      word = "";
    } else if (sign === ",") {
      key = null;
      word = "";
    } else if (sign === ":" && key === null) {
      key = unquote(word.trim());
      word = "";
    } else word += sign;
  }
  return { path: path.filter((one) => one !== null), key, word: word.trimStart() };
}

/**
 * Where the end of `before` is: {path, word, isValue}. path: the keys around it; word: what is written of a key or a value.
 * null within a comment.
 */
export function findPlace(before) {
  const lines = before.split("\n");
  const number = lines.length - 1;
  const text = lines[number];
  if (/(^|\s)#/.test(text)) return null;
  const line = readLine(text);
  const dashes = /^(\s*)((?:-\s+)*)/.exec(text);
  const indent = dashes[1].length + dashes[2].length;
  if (!line) {
    const rest = text.slice(indent);
    const above = keysAbove(lines, number, indent);
    if (rest.startsWith("{") || rest.startsWith("[")) {
      const flow = readFlow(rest);
      return flow.key === null
        ? { path: [...above, ...flow.path], word: flow.word, isValue: rest.lastIndexOf("[") > rest.lastIndexOf("{") }
        : { path: [...above, ...flow.path, flow.key], word: flow.word, isValue: true };
    }
    return { path: above, word: rest, isValue: false };
  }
  const path = [...keysAbove(lines, number, line.indent), line.key];
  const rest = line.rest.trimStart();
  if (rest.startsWith("{") || rest.startsWith("[")) {
    const flow = readFlow(rest);
    if (flow.key !== null) return { path: [...path, ...flow.path, flow.key], word: flow.word, isValue: true };
    const inList = rest.lastIndexOf("[") > rest.lastIndexOf("{");
    return { path: [...path, ...flow.path], word: flow.word, isValue: inList };
  }
  return { path, word: rest, isValue: true };
}

/** The node of the schema behind keys; undefined where it knows none. */
export function findNode(schema, path) {
  let number = schema.root;
  for (const key of path) {
    const node = schema.nodes[number];
    number = node?.keys?.[key]?.[1] ?? node?.any;
    if (number === undefined) return undefined;
  }
  return schema.nodes[number];
}

/** CodeMirror's source of completions. load: gives the schema, or null while there is none. */
export function makeSource(load) {
  return async (context) => {
    const place = findPlace(context.state.doc.sliceString(0, context.pos));
    if (!place || (!place.word && !context.explicit)) return null;
    const schema = await load();
    const node = schema && findNode(schema, place.path);
    if (!node || context.aborted) return null;
    const from = context.pos - place.word.length;
    const values = (node.values ?? []).map((label) => ({ label, type: "constant" }));
    // A value that is a mapping begins on the next line.
    const keys = place.isValue
      ? []
      : Object.entries(node.keys ?? {}).map(([label, [info, behind]]) => ({
          label,
          type: "property",
          info: info || undefined,
          apply: label + (isMapping(schema.nodes[behind]) ? ":" : ": "),
        }));
    const options = [...keys, ...values];
    return options.length ? { from, options, validFor: /^[\w.\/~=-]*$/ } : null;
  };
}

function isMapping(node) {
  return Boolean(node?.keys || node?.any !== undefined) && !node.values;
}
