// Four words, and the key that one's rhythm cuts. Keys are told to the gate
// with their times, once a line is right, and forgotten here at once. What is
// right and what follows is the server's to say; this page only shows it.
const bio = document.querySelector("[data-bio]");
const open = document.querySelector("[data-open]");
if (open) {
  // The form fetches the held answer; a verdict is read before it goes on.
  const go = () => (open instanceof HTMLFormElement ? open.submit() : location.replace(open.href));
  setTimeout(go, open.dataset.open === "skipped" ? 0 : 1400);
}
if (bio) typing();

function typing() {
  const at = (name) => bio.querySelector(`[data-${name}]`);
  const input = at("typed"), box = at("words"), say = at("say"), loud = at("loud"), alarm = at("alert");
  const { base } = bio.dataset;
  const told = bio.dataset;
  const draw = key(bio);

  let words = [], right = [], challenge = "", events = [], begun = null, busy = true, starts = 0, fresh = null, keyed = 0, sending = 0;
  const held = new Set();

  async function post(path, body) {
    const answer = await fetch(`${base}/${path}`, {
      method: "POST", body: JSON.stringify(body ?? {}), cache: "no-store",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
    });
    if (answer.status === 204) return {};
    if (answer.status >= 500) throw new Error("the gate is away");
    if (!(answer.headers.get("Content-Type") ?? "").includes("json")) return { state: "gone" };
    return answer.json();
  }

  /* ---- the words ---- */
  async function deal() {
    busy = true;
    clearTimeout(fresh);
    let line;
    try {
      line = await post("words");
    } catch {
      warn(told.lost);
      fresh = setTimeout(deal, 3000);
      return;
    }
    if (!line.words) {
      location.replace(base);
      return;
    }
    ({ words, challenge, starts } = line);
    right = words.map(() => false);
    events = [];
    held.clear();
    begun = null;
    keyed = 0;
    const shape = at("word");
    box.replaceChildren(...words.map((w) => {
      const one = shape.content.cloneNode(true);
      one.querySelector(".rest").textContent = w;
      return one;
    }));
    input.value = "";
    input.disabled = false;
    busy = false;
    draw.start(words.join(" ").length);
    if (line.line) lineOf(line.line, line.of);
    compare();
    if (matchMedia("(pointer: fine)").matches || sending) input.focus({ preventScroll: sending > 0 });
    // Words that nobody began are exchanged before they are over.
    fresh = setTimeout(function again() {
      if (begun) return;
      if (document.hidden) addEventListener("visibilitychange", again, { once: true });
      else deal();
    }, (starts - 8) * 1000);
  }

  function lineOf(n, of) {
    const number = at("line");
    if (!number) return;
    number.textContent = n;
    [...at("prints").children].forEach((pin, i) => {
      pin.className = i < n - 1 ? "done" : i === n - 1 ? "now" : "";
      pin.firstElementChild.textContent = [i + 1, i < n - 1 ? told.isDone : i === n - 1 ? told.isNow : ""].filter(Boolean).join(", ");
    });
    const left = told["left-" + (of - n + 1)] ?? told["left" + (of - n + 1)];
    if (left) at("left").textContent = left;
  }

  function compare() {
    const typed = input.value.replace(/ +$/, " ").split(" ");
    let heard = "";
    words.forEach((w, i) => {
      const el = box.children[i], t = typed[i] ?? "";
      const good = t === w, bad = t !== "" && !w.startsWith(t);
      const same = good ? w.length : bad ? 0 : t.length;
      el.classList.toggle("right", good);
      el.classList.toggle("wrong", bad);
      el.classList.toggle("now", i === typed.length - 1 && !good && !bad);
      el.querySelector(".typed").textContent = w.slice(0, same);
      el.querySelector(".rest").textContent = w.slice(same);
      if (good && !right[i]) heard = told.heardRight.replace("%", w);
      if (bad && !el.dataset.told) heard = told.heardWrong.replace("%", w);
      el.dataset.told = bad ? "1" : "";
      right[i] = good;
    });
    if (heard) loud.textContent = heard;
    return right.length > 0 && right.every(Boolean) && typed.filter(Boolean).length === words.length;
  }

  /* ---- what is seen of the keys ---- */
  const plain = (e) => e.key.length === 1 || ["Backspace", "Shift", "CapsLock", "Enter", "Tab"].includes(e.key);
  function note(type, e) {
    events.push({
      type, key: e.key?.slice(0, 32), code: e.code?.slice(0, 32), keyCode: e.keyCode, at: e.timeStamp, trusted: e.isTrusted,
      ...(e.repeat ? { repeat: true } : {}),
    });
  }
  input.addEventListener("keydown", (e) => {
    if (busy) return;
    const end = input.value.length;
    if (input.selectionStart !== end || input.selectionEnd !== end) input.setSelectionRange(end, end);
    if (e.keyCode === 229 || e.key === "Unidentified" || e.key === "Process") {
      hidden();
      return;
    }
    if (e.ctrlKey || e.metaKey || (e.key === "Tab" && !events.length)) return;
    if (!plain(e)) {
      if (/^(Arrow|Home|End|Delete|Page)/.test(e.key)) e.preventDefault();
      return;
    }
    if (!begun && (e.key === "Enter" || e.key === "Shift" || e.key === "CapsLock")) return;
    if (!begun) {
      quiet();
      begun = post("begin", { challenge }).then((a) => !a.why, () => false);
      clearTimeout(fresh);
    }
    note("down", e);
    held.add(e.code);
    keyed += 1;
    draw.down(e);
  });
  addEventListener("keyup", (e) => {
    if (busy && !held.has(e.code)) return;
    if (!begun || !held.delete(e.code)) return;
    note("up", e);
    draw.up(e);
  });
  addEventListener("blur", (e) => {
    if (begun && !busy) note("blur", e);
  });
  for (const kind of ["paste", "drop"]) {
    input.addEventListener(kind, (e) => {
      e.preventDefault();
      warn(told.pasted);
    });
  }
  input.addEventListener("compositionstart", hidden);
  input.addEventListener("input", (e) => {
    if (busy) return;
    // Text that no key brought: a touch keyboard, or something that fills in.
    if (e.inputType?.startsWith("insert") && !keyed) {
      input.value = "";
      if (e.inputType === "insertText" || e.inputType.startsWith("insertComposition")) hidden();
      else warn(told.pasted);
      return;
    }
    if (e.inputType?.startsWith("insert") && e.inputType !== "insertText") note("fill", e);
    if (compare()) finish();
  });
  at("form").addEventListener("submit", (e) => e.preventDefault());

  function hidden() {
    input.value = "";
    warn(told.hidden);
    at("ask")?.classList.add("btn-key");
  }
  function warn(words) {
    alarm.hidden = false;
    alarm.lastElementChild.textContent = words;
  }
  function quiet() { alarm.hidden = true; }

  /* ---- what follows ---- */
  async function finish() {
    busy = true;
    say.textContent = told.comparing;
    // The last key is still down: its release belongs to the rhythm.
    for (let i = 0; held.size && i < 40; i += 1) await new Promise((done) => setTimeout(done, 25));
    input.disabled = true;
    draw.end();
    let next;
    try {
      await begun;
      next = await post("typed", { challenge, events });
    } catch {
      next = { state: "refused", say: told.lost };
    }
    events = [];
    sending += 1;
    say.textContent = next.state === "line" ? told.kept : told.hint;
    if (next.state === "line" || next.state === "refused") {
      if (next.say) warn(next.say);
      if (next.other) at("ask")?.classList.add("btn-key");
      setTimeout(() => { say.textContent = told.hint; deal(); }, next.state === "line" ? 500 : 0);
      return;
    }
    location.replace(base + location.search);
  }
  // A page that comes back from memory holds words that are over.
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  deal();
}

/* ---- the key: depth is how long a key is held, distance the pause before it.
   Both are drawn in few steps, with a little chance: no picture of the key
   gives the rhythm away. ---- */
function key(bio) {
  const X0 = 112, TOP = 44, LOW = 76, STEPS = 4;
  const at = (name) => bio.querySelector(`[data-${name}]`);
  const still = matchMedia("(prefers-reduced-motion: reduce)"), narrow = matchMedia("(max-width: 43rem)");
  const clamp = (v, a, b) => Math.min(b, Math.max(a, v));
  const step = (v) => (Math.round(v * STEPS) + Math.random() * 0.5 - 0.25) / STEPS;
  let X1 = 936, tip = "", letters = 24, cuts = [], frame = 0, ended = false, lastUp = 0;
  const held = new Map();

  function blank() {
    X1 = narrow.matches ? 460 : 936;
    tip = `L${X1 + 8} ${TOP}L${X1 + 20} 60L${X1 + 8} ${LOW}H104Z`;
    at("key").setAttribute("viewBox", `28 16 ${X1 - 4} 88`);
    at("blank").setAttribute("d", `M104 ${TOP}${tip}`);
  }
  function places() {
    const one = (X1 - X0) / (letters + 1);
    let x = X0 + one * 0.6;
    const xs = cuts.map((c, i) => (i ? (x += one * c.gap) : x));
    const last = xs.at(-1) ?? X0, room = X1 - one * 0.5;
    const k = ended || last > room ? (room - X0) / Math.max(1, last - X0) : 1; // a finished key fills its blade
    return { xs: xs.map((v) => X0 + (v - X0) * k), half: one * 0.24 * Math.min(1, k + 0.2) };
  }
  function paint() {
    const { xs, half } = places();
    // The file leaves the lower of two neighbouring cuts, as on a real key.
    const edge = (x) => xs.reduce((y, cx, i) => Math.max(y, cuts[i].deep * clamp(1.5 - Math.abs(x - cx) / (half * 1.3), 0, 1)), 0);
    const hx = xs.at(-1) ?? X0, end = ended ? X1 + 8 : Math.max(104, hx + half * 2);
    let d = `M104 ${TOP}`;
    for (let x = 105; x < end; x += 1.5) d += `L${x.toFixed(1)} ${(TOP + edge(x)).toFixed(1)}`;
    d += ended ? tip : `V${LOW}H104Z`;
    at("cut").setAttribute("d", cuts.length ? d : "");
    at("mill").setAttribute("d", cuts.length ? `M80 70H${(end - 5).toFixed(1)}` : "");
    at("head").setAttribute("cx", hx.toFixed(1));
    at("head").setAttribute("cy", (TOP + edge(hx)).toFixed(1));
  }
  function follow() {
    for (const cut of held.values()) cut.deep = Math.min(cut.deep + 0.7, 16);
    paint();
    frame = held.size && !still.matches ? requestAnimationFrame(follow) : 0;
  }
  narrow.addEventListener("change", () => { blank(); paint(); });
  return {
    start(n) {
      letters = n;
      cuts = [];
      held.clear();
      lastUp = 0;
      ended = false;
      blank();
      at("key").classList.add("still");
      paint();
    },
    down(e) {
      if (e.repeat || ended) return;
      if (e.key === "Backspace") { cuts.pop(); paint(); return; }
      if (e.key.length !== 1) return;
      const pause = lastUp ? clamp((e.timeStamp - lastUp + 60) / 320, 0, 1) : 0.5;
      const cut = { down: e.timeStamp, deep: 5, gap: 0.6 + 0.8 * clamp(step(pause), 0, 1) };
      cuts.push(cut);
      held.set(e.code, cut);
      if (!still.matches) at("key").classList.remove("still");
      if (!frame) follow();
    },
    up(e) {
      const cut = held.get(e.code);
      if (!cut) return;
      held.delete(e.code);
      cut.deep = 5 + 16 * clamp(step(clamp((e.timeStamp - cut.down - 30) / 170, 0, 1)), 0, 1);
      delete cut.down;
      lastUp = e.timeStamp;
      paint();
    },
    end() {
      ended = true;
      held.clear();
      at("key").classList.add("still");
      paint();
    },
  };
}
