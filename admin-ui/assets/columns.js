// Two columns: what is ticked is counted on the arrows; shift ticks a range; on
// a phone one column shows at a time; on a desk an entry can be dragged across.
// Without this the boxes and arrows work as they are.
const form = document.querySelector("[data-cols]");
if (form) {
  const boxes = (side) => [...form.querySelectorAll(`input[name=${side}]`)];
  const other = { in: "out", out: "in" };
  const mover = (to) => form.querySelector(`[data-move=${to}]`);

  function count() {
    for (const side of ["out", "in"]) {
      const all = boxes(side), n = all.filter((b) => b.checked).length;
      form.querySelector(`[data-sel=${side}]`).textContent = n ? ` ${n}` : "";
      mover(other[side]).disabled = n === 0;
      form.querySelector(`[value=all-${other[side]}]`).disabled = all.length === 0;
      const every = form.querySelector(`[data-all=${side}]`);
      every.disabled = all.length === 0;
      every.checked = n > 0 && n === all.length;
      every.indeterminate = n > 0 && n < all.length;
      const tab = document.querySelector(`[data-n=${side}]`), shown = document.getElementById(`n-${side}`);
      if (tab && shown) tab.textContent = shown.textContent;
    }
  }

  let last = null;
  form.addEventListener("click", (e) => {
    const box = e.target;
    if (!box.matches?.("input[name=in], input[name=out]")) return;
    if (e.shiftKey && last && last.name === box.name) {
      const list = boxes(box.name), a = list.indexOf(last), b = list.indexOf(box);
      if (a >= 0) for (const one of list.slice(Math.min(a, b), Math.max(a, b) + 1)) one.checked = box.checked;
    }
    last = box;
    count();
  });
  form.addEventListener("change", (e) => {
    const side = e.target.dataset?.all;
    if (side) for (const b of boxes(side)) b.checked = e.target.checked;
    count();
  });
  for (const label of form.querySelectorAll("[data-all-label]")) label.hidden = false;

  // The arrow keys go from entry to entry, with shift they tick on the way, and
  // ctrl or command with A ticks the whole column.
  form.addEventListener("keydown", (e) => {
    const box = e.target;
    if (!box.matches?.("input[name=in], input[name=out]")) return;
    const list = boxes(box.name);
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "a") {
      for (const one of list) one.checked = true;
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      const next = list[list.indexOf(box) + (e.key === "ArrowDown" ? 1 : -1)];
      if (next && e.shiftKey) box.checked = next.checked = true;
      next?.focus();
      last = next ?? box;
    } else return;
    e.preventDefault();
    count();
  });

  const tabs = document.querySelector("[data-tabs]");
  const show = (side) => {
    sessionStorage.setItem("cadenas-side", side);
    form.dataset.side = side;
    for (const tab of tabs.querySelectorAll("[data-show]")) tab.setAttribute("aria-pressed", String(tab.dataset.show === side));
  };
  tabs.hidden = false;
  tabs.addEventListener("click", (e) => { const side = e.target.closest("[data-show]")?.dataset.show; if (side) show(side); });
  // After a move one stays in the column one moved from.
  show((document.querySelector("[data-toast]") && sessionStorage.getItem("cadenas-side")) || "out");

  // Who drags one that is ticked drags all that are; another goes alone. A drag
  // that ends nowhere leaves what was ticked.
  let before = null;
  form.addEventListener("dragstart", (e) => {
    const box = e.target.closest?.(".entry")?.querySelector("input");
    if (!box) return;
    const list = boxes(box.name);
    before = list.filter((b) => b.checked);
    if (!box.checked) for (const b of list) b.checked = b === box;
    count();
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setData("text/plain", box.name);
    const n = list.filter((b) => b.checked).length;
    if (n > 1) {
      const badge = document.createElement("span");
      badge.className = "drag-count";
      badge.textContent = n.toLocaleString(document.documentElement.lang);
      document.body.append(badge);
      e.dataTransfer.setDragImage(badge, 12, 12);
      setTimeout(() => badge.remove());
    }
    form.dataset.dragging = box.name;
  });
  const dropped = (side) => form.dataset.dragging === other[side];
  document.addEventListener("dragend", () => {
    delete form.dataset.dragging;
    delete form.dataset.over;
    if (before) for (const b of [...boxes("in"), ...boxes("out")]) b.checked = before.includes(b);
    before = null;
    count();
  });
  for (const section of form.querySelectorAll("[data-drop]")) {
    const side = section.dataset.drop;
    section.addEventListener("dragover", (e) => {
      if (!dropped(side)) return;
      e.preventDefault();
      e.dataTransfer.dropEffect = "move";
      form.dataset.over = side;
    });
    section.addEventListener("dragleave", (e) => { if (!section.contains(e.relatedTarget)) delete form.dataset.over; });
    section.addEventListener("drop", (e) => {
      if (!dropped(side)) return;
      e.preventDefault();
      before = null; // what moves stays ticked until the next page is there
      form.requestSubmit(mover(side));
    });
  }
  document.addEventListener("live", count);
  addEventListener("pageshow", count);
  count();
}

// The offer to take a move back goes after ten seconds; who points at it or has
// the focus in it keeps it.
for (const toast of document.querySelectorAll("[data-toast]")) {
  const go = () => (toast.matches(":hover, :focus-within") ? setTimeout(go, 2000) : toast.remove());
  setTimeout(go, 10_000);
  const here = new URL(location.href);
  here.searchParams.delete("moved");
  history.replaceState(null, "", here);
}
