// The waiting page: hears of the outcome, shows how long one waits, sends the
// note without leaving. What to show is the server's to say: on news the page
// loads itself again, and an approved page opens what was asked for.
import { tellDevice } from "./device.js";

const wait = document.querySelector("[data-wait]");
const { state, here, events, poll } = wait.dataset;
const loaded = performance.now();
const nbsp = "\u00a0";

const open = wait.querySelector("[data-open]");
if (open) {
  // The form fetches the held answer from the login's own address; the link
  // goes where one wanted to go.
  if (open instanceof HTMLFormElement) open.submit();
  else location.replace(open.href);
} else if (state === "waiting") {
  listen();
  clock();
  note();
}
tellDevice(wait.dataset.device).then((changed) => { if (changed) again(); });

// A page that is news to itself would load for ever; twice a second is enough.
function again() {
  const left = 400 - (performance.now() - loaded);
  setTimeout(() => location.replace(here), Math.max(0, left));
}

let over = false;
function heard(now) {
  if (over || !now || now === state || now === "deciding") return;
  over = true;
  const words = wait.dataset["told" + now[0].toUpperCase() + now.slice(1)];
  if (words) {
    say(words);
    document.title = words;
  }
  again();
}

function say(words) {
  const status = wait.querySelector("[data-status]");
  if (status && status.textContent !== words) status.textContent = words;
}

function listen() {
  let timer, pause = 1000, source;
  const line = wait.querySelector("[data-keep]");
  const keep = line?.textContent;

  const told = (up) => {
    if (!line) return;
    line.textContent = up ? keep : wait.dataset.toldLost;
  };
  async function ask() {
    clearTimeout(timer);
    if (over) return;
    try {
      const answer = await fetch(poll, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.ok) {
        pause = 1000;
        told(true);
        heard((await answer.json()).state);
      } else {
        pause = Math.min(pause * 2, 15000);
      }
    } catch {
      told(false);
      pause = Math.min(pause * 2, 15000);
    }
    if (!source || source.readyState !== EventSource.OPEN) timer = setTimeout(ask, pause);
  }
  function connect() {
    source = new EventSource(events);
    source.addEventListener("state", (event) => {
      try {
        heard(JSON.parse(event.data).state);
      } catch {
        ask();
      }
    });
    source.addEventListener("open", () => { clearTimeout(timer); told(true); });
    // The browser connects again by itself unless the stream was refused;
    // meanwhile, and then for good, the page asks.
    source.addEventListener("error", () => { clearTimeout(timer); timer = setTimeout(ask, 1000); });
  }
  connect();
  // A phone stops the stream of a page it hides.
  const back = () => {
    if (document.hidden || over) return;
    if (source.readyState === EventSource.CLOSED) connect();
    ask();
  };
  addEventListener("visibilitychange", back);
  addEventListener("online", back);
  addEventListener("pageshow", (event) => { if (event.persisted) back(); });
  addEventListener("pagehide", () => source.close());
}

// The clock is not in a live region: nobody wants to hear every second.
function clock() {
  const shown = wait.querySelector("[data-clock]");
  if (!shown) return;
  const began = performance.now() - Number(shown.dataset.clock) * 1000;
  const two = (n) => String(n).padStart(2, "0");
  const tick = () => {
    const s = Math.round((performance.now() - began) / 1000);
    if (s >= 86400) return; // days are said by the server
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    if (h) shown.textContent = [h, "h", m, "min"].join(nbsp);
    else if (m) shown.textContent = [m, "min", two(s % 60), "s"].join(nbsp);
    else shown.textContent = [s, "s"].join(nbsp);
  };
  setInterval(tick, 1000);
}

function note() {
  const form = wait.querySelector("[data-note]");
  if (!form) return;
  const said = form.querySelector("[data-note-said]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!form.elements.note.value.trim()) {
      said.textContent = form.dataset.empty;
      form.elements.note.focus();
      return;
    }
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual", headers: { Accept: "application/json" },
      });
      // Without script the answer is a redirect back to the page.
      said.textContent = answer.ok || answer.type === "opaqueredirect" ? form.dataset.sent : form.dataset.failed;
    } catch {
      said.textContent = form.dataset.failed;
    }
  });
}
