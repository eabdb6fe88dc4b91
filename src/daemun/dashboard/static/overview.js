// The first screen and the list of sites look again by themselves while somebody can see them; pages work without it.
"use strict";

const EVERY_MS = 5000;

/** Whether something in it is being read, written or marked: exchanging it then would disturb. */
function isInUse(part) {
  return (
    part.contains(document.activeElement) ||
    part.querySelector("details[open], input[type='checkbox']:checked") !== null ||
    !document.getSelection().isCollapsed
  );
}

function look() {
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-follow]")) {
    if (!isInUse(part)) part.dispatchEvent(new CustomEvent("daemun:look"));
  }
}

setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
