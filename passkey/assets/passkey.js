// Makes and uses passkeys. A form with data-passkey ("add" or "use") has its
// options fetched from data-options; what the person's device answers goes into
// its field "answer", and the form is sent as any other. Without script the
// form is not shown: the page says what else there is.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const named = (list) => (list ?? []).map((c) => ({ ...c, id: bytes(c.id) }));

// plain is a credential as JSON; toJSON is not everywhere yet.
function plain(credential) {
  const r = credential.response;
  const response = { clientDataJSON: text(r.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (r[part]) response[part] = text(r[part]);
  }
  if (r.getTransports) response.transports = r.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
    clientExtensionResults: {}, authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
  });
}

const make = (o, more) => navigator.credentials.create({
  publicKey: { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: named(o.excludeCredentials) }, ...more,
});
const use = (o, more) => navigator.credentials.get({
  publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: named(o.allowCredentials) }, ...more,
});

// quiet is the request that waits in the browser's own list of names; only one
// may be open at a time.
let quiet = null;

for (const form of document.querySelectorAll("form[data-passkey]")) begin(form);

function begin(form) {
  const said = document.querySelector("[data-passkey-said]");
  const say = (words) => { if (said) said.textContent = words ?? ""; };
  const show = (yes) => {
    form.hidden = !yes;
    for (const part of document.querySelectorAll("[data-passkey-part]")) part.hidden = !yes;
  };
  if (!window.PublicKeyCredential || !window.isSecureContext) {
    show(false);
    if (form.dataset.passkey === "add") say(form.dataset.unable);
    return;
  }
  show(true);
  const act = form.dataset.passkey === "add" ? make : use;

  const options = async () => {
    const answer = await fetch(form.dataset.options, {
      method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "error", headers: { Accept: "application/json" },
    });
    if (answer.ok) return answer.json();
    throw new Error(answer.headers.get("Content-Type")?.startsWith("text/plain") ? await answer.text() : form.dataset.failed);
  };
  const send = (credential) => {
    form.elements.answer.value = plain(credential);
    form.submit();
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    say(form.dataset.asking);
    try {
      quiet?.abort();
      quiet = null;
      send(await act(await options(), {}));
    } catch (error) {
      button.disabled = false;
      switch (error.name) {
        case "NotAllowedError": say(form.dataset.stopped); break; // the person said no, or nothing was found
        case "InvalidStateError": say(form.dataset.there); break; // this device has one already
        case "Error": say(error.message); break;
        default: say(form.dataset.failed);
      }
    }
  });

  if ("autofill" in form.dataset) offer(options, send);
}

// offer puts passkeys into the list that the browser shows at the e-mail field.
async function offer(options, send) {
  if (!await window.PublicKeyCredential.isConditionalMediationAvailable?.()) return;
  const mine = new AbortController();
  quiet = mine;
  try {
    const asked = await options();
    if (!mine.signal.aborted) send(await use(asked, { mediation: "conditional", signal: mine.signal }));
  } catch {
    // Aborted, or nothing chosen: the button is there.
  }
}
