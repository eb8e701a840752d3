// A room follows what happens: the server says which rooms changed, and the page
// fetches itself anew and swaps the parts marked data-live. What a person is
// typing into stays. Without this the room works; one reloads it.
const topics = new Set([...document.querySelectorAll("[data-topics]")].flatMap((e) => e.dataset.topics.split(" ").filter(Boolean)));
const states = () => document.querySelectorAll("[data-live-state]");
const title = document.title;
const said = Object.assign(document.createElement("p"), { className: "hush" });
said.setAttribute("role", "status");
document.getElementById("main").append(said);

let frozen = false, due = 0, stale = false, waitingFor = 0, counting = false;

const served = new WeakMap(); // element -> what the server sent of it
// The words about the stream change here, not on the server.
const remember = (root) => root.querySelectorAll("[data-live] > *, [data-live]").forEach((e) => served.set(e, e.outerHTML));
remember(document);

document.addEventListener("input", (e) => {
  for (let part = e.target; part; part = part.parentElement) if (part.parentElement?.dataset.live === "list") part.dataset.dirty = "";
});

// busy says that somebody works in a part: it is left alone unless it is another thing now.
const busy = (part, next) => (part.contains(document.activeElement) || "dirty" in part.dataset) && part.dataset.rev === next?.dataset.rev;

function replace(part, next) {
  const html = next.outerHTML;
  if (served.get(part) === html || busy(part, next)) return;
  for (const open of part.querySelectorAll("details[id]")) {
    const same = next.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = open.open;
  }
  const focused = part.contains(document.activeElement) && document.activeElement.id;
  part.replaceWith(next);
  served.set(next, html);
  remember(next);
  if (focused) document.getElementById(focused)?.focus();
}

function reconcile(list, next) {
  const now = new Map([...list.children].map((e) => [e.id, e]));
  let before = null;
  for (const fresh of [...next.children]) {
    const old = now.get(fresh.id);
    now.delete(fresh.id);
    let at = old;
    if (!old) {
      at = fresh;
      served.set(at, at.outerHTML);
      at.classList.add("fresh");
      before ? before.after(at) : list.prepend(at);
      remember(at);
    } else {
      replace(old, fresh);
      at = document.getElementById(fresh.id);
      if (before ? before.nextElementSibling !== at : list.firstElementChild !== at) before ? before.after(at) : list.prepend(at);
    }
    before = at;
  }
  for (const gone of now.values()) gone.remove();
}

function take(page) {
  const before = [...document.querySelectorAll("[data-say]")].map((e) => e.textContent).join(" ");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = part.id && page.getElementById(part.id);
    if (!next || !part.isConnected) continue;
    const deep = part.dataset.live === "deep";
    if (part.dataset.live === "list") reconcile(part, next);
    else if (deep && part.querySelector("[data-live=list]") && next.querySelector("[data-live=list]")) continue; // its list does it
    else replace(part, next);
  }
  const nav = document.querySelector(".nav nav"), nextNav = page.querySelector(".nav nav");
  if (nav && nextNav && nav.innerHTML !== nextNav.innerHTML && !nav.contains(document.activeElement)) nav.replaceWith(nextNav);
  badge(counted(page)); // also after news that was missed
  const now = [...document.querySelectorAll("[data-say]")].map((e) => e.textContent).join(" ");
  if (now !== before) said.textContent = now;
  tell("whenLive");
  document.dispatchEvent(new CustomEvent("live"));
}

async function fetchAnew() {
  due = 0;
  if (document.hidden || frozen) { stale = true; return; }
  stale = false;
  try {
    const answer = await fetch(location.href, { headers: { "X-Cadenas-Live": "1" }, credentials: "same-origin" });
    if (answer.status === 401) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) take(page);
    if (answer.status === 503) sound(page.querySelector("[data-sentence]")?.textContent);
  } catch { tell("whenLost"); }
}

// The store is away: the room stays as it was, and says so.
function sound(words) {
  const siren = document.getElementById("siren"), text = siren?.querySelector(".txt");
  if (!text || !words || text.textContent === words && !siren.hidden) return;
  text.textContent = words;
  siren.hidden = false;
  served.delete(siren); // it is not what the server sent: the next page that comes replaces it
}

const soon = (wait = 150) => { due ||= setTimeout(fetchAnew, wait); };

function tell(state) {
  for (const e of states()) {
    e.hidden = false;
    const words = e.dataset[state], shown = e.querySelector(".txt");
    if (shown.textContent !== words) shown.textContent = words;
  }
}

function counted(page) { return parseInt(page.querySelector("[data-count]")?.textContent.replace(/\D/g, ""), 10) || 0; }

// A sound when somebody new waits, where this browser was asked for one. It is
// made here: nothing is fetched.
const wanted = () => localStorage.getItem("cadenas-sound") === "on";
let audio = null;
function ring() {
  try {
    audio ??= new AudioContext();
    audio.resume();
    for (const [at, pitch] of [[0, 659], [0.16, 880]]) {
      const tone = audio.createOscillator(), loud = audio.createGain(), from = audio.currentTime + at;
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(0.0001, from);
      loud.gain.exponentialRampToValueAtTime(0.15, from + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.0001, from + 0.35);
      tone.connect(loud).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.4);
    }
    document.documentElement.dataset.rang = String(Number(document.documentElement.dataset.rang ?? 0) + 1);
  } catch { /* no sound in this browser */ }
}
for (const button of document.querySelectorAll("[data-sound]")) {
  const words = button.querySelector("span"), show = () => {
    words.textContent = wanted() ? button.dataset.on : button.dataset.off;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    localStorage.setItem("cadenas-sound", wanted() ? "off" : "on");
    if (wanted()) ring();
    show();
  });
  show();
}

function badge(n) {
  if (n > waitingFor && counting && wanted()) ring();
  counting = true;
  document.title = n ? `(${n}) ${title}` : title;
  if (n !== waitingFor && "setAppBadge" in navigator) (n ? navigator.setAppBadge(n) : navigator.clearAppBadge()).catch(() => {});
  waitingFor = n;
  const shown = document.querySelector("[data-count]")?.firstChild;
  if (shown && n) shown.textContent = String(n);
}
badge(counted(document));

// A stream that was refused is not begun again by the browser: we do it, until
// the gate is back.
let source;
function connect() {
  source = new EventSource("/events");
  source.addEventListener("open", () => { tell("whenLive"); if (stale) soon(); });
  source.addEventListener("error", () => {
    stale = true;
    tell("whenLost");
    if (source.readyState === EventSource.CLOSED) { soon(); setTimeout(connect, 5_000); }
  });
  source.addEventListener("news", (e) => {
    const news = JSON.parse(e.data);
    badge(news.waiting);
    if (!!news.waiting !== !!document.querySelector("[data-count]")) soon();
    if (news.topics.some((t) => topics.has(t))) soon(news.topics.includes("requests") ? 50 : 400);
  });
}
connect();
document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) soon(); });
setInterval(() => { if (topics.size && !document.hidden) soon(); }, 60_000); // "2 min ago" grows
addEventListener("pagehide", () => source.close());

for (const button of document.querySelectorAll("[data-freeze]")) {
  button.hidden = false;
  const words = button.textContent;
  button.addEventListener("click", () => {
    frozen = !frozen;
    button.setAttribute("aria-pressed", String(frozen));
    button.textContent = frozen ? button.dataset.again : words;
    tell(frozen ? "whenFrozen" : "whenLive");
    if (!frozen && stale) soon();
  });
}
for (const select of document.querySelectorAll("select[data-submit]")) {
  // By keyboard each arrow changes the choice: then the button beside it sends.
  let keys = false;
  select.addEventListener("keydown", () => { keys = true; });
  select.addEventListener("pointerdown", () => { keys = false; });
  select.addEventListener("change", () => { if (!keys) select.form.requestSubmit(); });
}

// Times are said in the server's zone: who is in another one is told.
const zone = document.getElementById("zone");
if (zone) zone.hidden = Number(zone.dataset.offset) === -new Date().getTimezoneOffset();

// Assets are kept by a service worker, so that the console opens quickly and can
// be installed; it keeps nothing else.
if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/worker.js").catch(() => {});
