// Puts the secret of a link, which stands behind the "#", into the form; a press on the button sends it.
"use strict";
const secret = location.hash.slice(1);
if (secret) {
  document.getElementById("link").value = secret;
  document.getElementById("paste").hidden = true;
  document.getElementById("came").hidden = false;
  history.replaceState(null, "", location.pathname + location.search);
  document.querySelector("#enter button").focus();
}
