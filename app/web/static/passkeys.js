// Has a passkey made or asked, for any form with `data-passkey` ("create" or "get") and `data-options`.
// The form's fields go to the address of its options first; the browser's answer comes back in the form.
"use strict";

const fromBase64url = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const toBase64url = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const described = (list) => (list || []).map((one) => ({ ...one, id: fromBase64url(one.id) }));

function optionsOf(said) {
  const options = { ...said, challenge: fromBase64url(said.challenge) };
  if (said.user) options.user = { ...said.user, id: fromBase64url(said.user.id) };
  if (said.excludeCredentials) options.excludeCredentials = described(said.excludeCredentials);
  if (said.allowCredentials) options.allowCredentials = described(said.allowCredentials);
  return options;
}

function answerOf(made) {
  const response = { clientDataJSON: toBase64url(made.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = toBase64url(made.response[name]);
  }
  if (made.response.getTransports) response.transports = made.response.getTransports();
  return JSON.stringify({
    id: made.id, rawId: toBase64url(made.rawId), type: made.type, response, clientExtensionResults: {},
  });
}

function put(form, name, value) {
  let field = form.querySelector(`input[name="${name}"]`);
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    form.append(field);
  }
  field.value = value;
}

function say(form, text) {
  const place = form.querySelector("[data-says]");
  if (place) {
    place.textContent = text;
    place.hidden = !text;
  }
}

async function ask(form) {
  const body = new URLSearchParams(new FormData(form));
  const got = await fetch(form.dataset.options, { method: "POST", body, headers: { Accept: "application/json" } });
  const kind = got.headers.get("content-type") || "";
  if (!got.ok || !kind.startsWith("application/json")) {
    const shown = new DOMParser().parseFromString(await got.text(), "text/html").querySelector("[data-problem]");
    throw new Error(shown ? shown.textContent.trim() : "This could not be prepared. Open the page again.");
  }
  const { ceremony, publicKey } = await got.json();
  const options = { publicKey: optionsOf(publicKey) };
  const made = await (form.dataset.passkey === "create"
    ? navigator.credentials.create(options)
    : navigator.credentials.get(options));
  put(form, "ceremony", ceremony);
  put(form, "answer", answerOf(made));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.passkey || form.dataset.answered) return;
  event.preventDefault();
  const buttons = form.querySelectorAll("button");
  buttons.forEach((one) => { one.disabled = true; });
  say(form, "Waiting for your passkey …");
  try {
    await ask(form);
    form.dataset.answered = "yes";
    buttons.forEach((one) => { one.disabled = false; });
    form.submit();
  } catch (fault) {
    buttons.forEach((one) => { one.disabled = false; });
    say(form, fault.name === "NotAllowedError" ? "Nothing was signed: the passkey was not used." : fault.message);
  }
});

// An invitation's token stands after the `#`; it goes into the form and out of the address.
for (const field of document.querySelectorAll("input[data-from-fragment]")) {
  field.value = location.hash.slice(1);
  if (location.hash) history.replaceState(null, "", location.pathname);
}

// From here on a form is sent with a signature, so it may be sent.
for (const button of document.querySelectorAll("button[data-waits]")) button.disabled = false;
