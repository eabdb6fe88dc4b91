"use strict";

// Passkeys (w3.org/TR/webauthn-3) of the sign-in's pages: a form with data-passkey gets what it needs for the browser
// from the address in data-options, and sends what the authenticator signed. Without a script it is not shown.
(() => {
  const decode = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const encode = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  const read = (options) => {
    options.challenge = decode(options.challenge);
    if (options.user) options.user.id = decode(options.user.id);
    for (const list of [options.excludeCredentials, options.allowCredentials]) {
      for (const one of list || []) one.id = decode(one.id);
    }
    return { publicKey: options };
  };

  const write = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = encode(credential.response[name]);
    }
    return JSON.stringify({ id: credential.id, rawId: encode(credential.rawId), type: credential.type, response });
  };

  const sign = async (form) => {
    const body = new URLSearchParams({ form: form.elements.form.value });
    const answer = await fetch(form.dataset.options, { method: "POST", body });
    if (!answer.ok) return ""; // the page that the form leads to says why
    const options = read(await answer.json());
    const container = navigator.credentials;
    return write(await (form.dataset.passkey === "create" ? container.create(options) : container.get(options)));
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const problem = form.querySelector(".problem");
      problem.hidden = true;
      try {
        form.elements.credential.value = await sign(form);
      } catch {
        problem.hidden = false; // the person said no, or has none for this page
        return;
      }
      form.submit();
    });
  }
})();
