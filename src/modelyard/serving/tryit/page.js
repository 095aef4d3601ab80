"use strict";
(() => {
  const form = document.getElementById("try");
  if (!form) return;
  const body = document.getElementById("body");
  const raw = document.getElementById("raw");
  const answer = document.getElementById("answer");
  const took = document.getElementById("took");
  const button = form.querySelector("button");
  const fields = [...form.querySelectorAll("[data-name]")];

  const value = (field) => {
    if (field.dataset.kind === "truth") return field.checked;
    if (field.dataset.kind === "text") return field.value;
    return field.value === "" ? null : Number(field.value);
  };
  // The fields write the JSON, so that what is sent is always what can be read.
  const written = () => {
    const record = {};
    for (const field of fields) record[field.dataset.name] = value(field);
    body.value = JSON.stringify({ records: [record] }, null, 2);
  };
  for (const field of fields) field.addEventListener("input", written);

  const curl = document.getElementById("curl");
  curl.textContent = curl.textContent.replace("HOST", () => location.origin);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = { "Content-Type": "application/json" };
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    button.disabled = true;
    took.textContent = "";
    const begun = performance.now();
    let text = "";
    let fine = false;
    try {
      const got = await fetch(form.dataset.url, { method: "POST", headers, body: body.value });
      text = await got.text();
      fine = got.ok;
      const version = got.headers.get("x-modelyard-version");
      took.textContent = `${got.status}, ${(performance.now() - begun).toFixed(1)} ms`
        + (version ? `, version ${version}` : "");
    } catch (error) {
      text = String(error);
    }
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch { /* not JSON: shown as it came */ }
    answer.textContent = text;
    answer.className = fine ? "" : "bad";
    answer.hidden = false;
    button.disabled = false;
    if (!fine && !fields.length) raw.open = true;
  });
})();
