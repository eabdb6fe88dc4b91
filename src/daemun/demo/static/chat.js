// The chat page. What others wrote reaches the page only through textContent, never as markup.

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
const HISTORY = 50; // the server keeps as many; more would only grow the page

const byId = (id) => document.getElementById(id);
const [status, present, presentNoun, scroll, empty, messages, problem, form, name, text, send] = [
  "status", "present", "present-noun", "scroll", "empty", "messages", "problem", "compose", "name", "text", "send",
].map(byId);

const mine = new Set(); // the tokens the server gave this page's connections
let socket = null;
let failures = 0;
let retryTimer = 0;

function show(state, words) {
  status.dataset.state = state;
  status.textContent = words;
  send.disabled = state !== "open";
}

function connect() {
  clearTimeout(retryTimer);
  show("connecting", failures ? "Reconnecting…" : "Connecting…");
  const address = new URL("websocket/", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(address);
  socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  socket.addEventListener("close", retry);
}

function retry() {
  socket = null;
  // A random share of the wait keeps all pages from coming back in the same instant.
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
  const wait = longest * (0.5 + Math.random() / 2);
  failures += 1;
  show("closed", `Connection lost, trying again in ${Math.ceil(wait / 1000)} s`);
  retryTimer = setTimeout(connect, wait);
}

function receive(event) {
  switch (event.type) {
    case "welcome":
      failures = 0;
      mine.add(event.you);
      messages.replaceChildren(...event.history.map((said) => entry(said)));
      empty.hidden = event.history.length > 0;
      scroll.scrollTop = scroll.scrollHeight;
      show("open", `Connected to ${location.host}`);
      break;
    case "present":
      present.textContent = event.count;
      presentNoun.textContent = event.count === 1 ? "person" : "people";
      break;
    case "said":
      append(event);
      break;
    case "refused":
      problem.textContent = event.reason;
      problem.hidden = false;
      break;
  }
}

function append(said) {
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const item = entry(said);
  item.classList.add("new");
  messages.append(item);
  while (messages.childElementCount > HISTORY) messages.firstElementChild.remove();
  empty.hidden = true;
  problem.hidden = true;
  if (atEnd || mine.has(said.from)) scroll.scrollTop = scroll.scrollHeight;
}

function entry(said) {
  const who = element("b", said.name);
  who.style.setProperty("--hue", hue(said.name));
  const at = new Date(said.at);
  const time = element("time", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = said.at;
  const head = element("p");
  head.className = "who";
  head.append(who, time);
  const body = element("p", said.text);
  body.className = "said";
  const item = element("li");
  item.className = mine.has(said.from) ? "message mine" : "message";
  item.append(head, body);
  return item;
}

function element(tag, content = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  made.dir = "auto";
  return made;
}

function hue(words) {
  let sum = 0;
  for (const letter of words) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN || !text.value.trim()) return;
  socket.send(JSON.stringify({ name: name.value, text: text.value }));
  text.value = "";
  text.focus();
});

name.value = localStorage.getItem("name") ?? `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
name.addEventListener("change", () => localStorage.setItem("name", name.value));
window.addEventListener("online", () => { if (socket === null) connect(); });
connect();
