// Subscribes this browser to pushes, on a click. Where the browser's push
// service does not answer, it says so instead of waiting for ever.
const card = document.querySelector("[data-push]");
const patience = 20000;

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const same = (a, b) => a && b && a.byteLength === b.byteLength && new Uint8Array(a).every((x, i) => x === b[i]);
const within = (promise) => Promise.race([
  promise,
  new Promise((_, refuse) => setTimeout(() => refuse(new DOMException("too late", "TimeoutError")), patience)),
]);

if (card) begin(card);

async function begin(card) {
  const on = card.querySelector("[data-push-on]"), off = card.querySelector("[data-push-off]");
  const said = card.querySelector("[data-push-said]");
  const token = card.querySelector("input[name=token]").value;
  const key = bytes(card.dataset.push);
  const say = (what) => { said.textContent = card.dataset[what] ?? ""; };
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    say("unable");
    return;
  }

  const post = (path, fields) => fetch(path, {
    method: "POST", body: new URLSearchParams({ token, ...fields }), headers: { "X-Cadenas-Live": "1" }, redirect: "manual",
  });
  const tell = async (s) => {
    const plain = s.toJSON();
    const answer = await post("/push/subscribe", { endpoint: s.endpoint, p256dh: plain.keys.p256dh, auth: plain.keys.auth });
    if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
  };
  const show = (subscribed) => { on.hidden = subscribed; off.hidden = !subscribed; };

  const worker = await within(navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready)).catch(() => null);
  if (!worker) {
    say("unable");
    return;
  }
  let subscription = await within(worker.pushManager.getSubscription()).catch(() => null);
  if (subscription && !same(subscription.options.applicationServerKey, key)) {
    // Subscribed under keys that are no more: it would get nothing.
    await subscription.unsubscribe().catch(() => {});
    subscription = Notification.permission === "granted"
      ? await within(worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).catch(() => null) : null;
  }
  if (subscription) tell(subscription).catch(() => {});
  show(Boolean(subscription));

  on.addEventListener("click", async () => {
    on.disabled = true;
    try {
      if (await Notification.requestPermission() !== "granted") {
        say("denied");
        return;
      }
      subscription = await within(worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
      await tell(subscription);
      show(true);
      say("on");
    } catch (error) {
      say(error.name === "TimeoutError" || error.name === "AbortError" ? "late" : "unable");
    } finally {
      on.disabled = false;
    }
  });
  off.addEventListener("click", async () => {
    if (!subscription) return;
    const { endpoint } = subscription;
    await subscription.unsubscribe().catch(() => {});
    await post("/push/unsubscribe", { endpoint }).catch(() => {});
    subscription = null;
    show(false);
    say("off");
  });
}
