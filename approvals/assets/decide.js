// The form that decides: reads the choice back as a sentence while it is made.
// Without it the form works as it is.
for (const form of document.querySelectorAll("[data-decide]")) {
  const at = (name) => form.querySelector(`[data-${name}]`);
  const number = at("number"), disc = at("disc"), until = form.elements.until, sentence = at("sentence");
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

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
    if (dated && until.valueAsDate) words = until.dataset.says.replace("{date}", day.format(until.valueAsDate));
    const now = width.dataset.says.replace("{end}", words);
    // A status that is written again is read again.
    if (sentence.textContent !== now) sentence.textContent = now;
  };
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
