// The form of a rule shows the fields that what is chosen asks for.
const form = document.querySelector("[data-rule]");
const fit = () => {
  const whose = form.querySelector("input[name=whose]:checked")?.value ?? "";
  for (const field of form.querySelectorAll("[data-for]")) {
    field.hidden = field.dataset.for !== whose;
    field.querySelector("input").required = !field.hidden;
  }
  const place = form.elements.place.value, text = form.elements["place-text"];
  text.closest(".field").hidden = place === "";
  text.required = place !== "";
};
form.addEventListener("change", fit);
fit();
