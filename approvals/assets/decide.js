// The form that decides: reads the choice back as a sentence while it is made.
// Without it the form works as it is.
function wire(form) {
  form.dataset.wired = "";
  const at = (name) => form.querySelector(`[data-${name}]`);
  const number = at("number"), disc = at("disc"), until = form.elements.until, sentence = at("sentence");
  const locale = document.documentElement.lang.replace("en-CA", "en-GB"); // 3 December, as in our catalogue
  const date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

  // As the server says a day: no break inside, and the first is an ordinal in French.
  const day = (d) => date.format(d).replace(/^1 /, locale.startsWith("fr") ? "1er " : "1 ").replaceAll(" ", "\u00a0");

  number.addEventListener("input", () => {
    number.value = number.value.replace(/\D/g, "");
    disc.classList.toggle("full", number.value.length === 2);
    disc.classList.remove("bad");
    number.removeAttribute("aria-invalid");
  });

  const read = () => {
    const width = form.querySelector("input[name=width]:checked"), end = form.querySelector("input[name=end]:checked");
    const dated = end.value === "date";
    at("date").hidden = !dated;
    until.required = dated;
    until.disabled = !dated;
    let words = end.dataset.says;
    if (dated && until.valueAsDate) words = until.dataset.says.replace("{date}", day(until.valueAsDate));
    const now = width.dataset.says.replace("{end}", words);
    // A status that is written again is read again.
    if (sentence.textContent !== now) sentence.textContent = now;
  };
  at("sum").hidden = false;
  form.addEventListener("change", read);
  read();

  // A refusal without number wants its tick; say so before the server does.
  const confirmed = form.elements.confirmed, unconfirmed = at("unconfirmed");
  at("refuse")?.addEventListener("click", (event) => {
    if (!confirmed || confirmed.checked || number.value.length === 2) return;
    event.preventDefault();
    unconfirmed.hidden = false;
    confirmed.setAttribute("aria-describedby", unconfirmed.id);
    confirmed.setAttribute("aria-invalid", "true");
    confirmed.focus();
  });
  confirmed?.addEventListener("change", () => {
    unconfirmed.hidden = true;
    confirmed.removeAttribute("aria-invalid");
  });
}

// A room of the console that fetched itself anew says "live".
const all = () => document.querySelectorAll("[data-decide]:not([data-wired])").forEach(wire);
document.addEventListener("live", all);
all();
