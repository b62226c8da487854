// Marks rows and saves the sign-off as a file of the browser's; nothing is sent anywhere.
"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const rows = all(".review-row");
  const markOf = (row) => row.querySelector("input:checked")?.value ?? "";
  const tell = () => {
    const marked = rows.filter(markOf).length;
    const bad = rows.filter((row) => markOf(row) === "implausible").length;
    one("progress").textContent = `${marked} of ${rows.length} rows marked, ${bad} of them implausible.`;
  };
  for (const row of rows) {
    row.addEventListener("change", () => {
      row.dataset.mark = markOf(row);
      tell();
    });
  }
  tell();
  one("sign").hidden = false;

  // JSON strings are YAML strings, but for characters beyond 16 bits, which YAML writes whole.
  const escaped = (c) => {
    const code = c.codePointAt(0).toString(16);
    return code.length > 4 ? "\\U" + code.padStart(8, "0") : "\\u" + code.padStart(4, "0");
  };
  const text = (value) => JSON.stringify(value).replace(/[\u{7f}-\u{10ffff}]/gu, escaped);
  const local = (day) => new Date(day.getTime() - day.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
  const signOff = (verdict) => {
    const data = document.body.dataset;
    const bad = rows.filter((row) => markOf(row) === "implausible").map((row) => row.dataset.number);
    return [
      "synthgate_review: 1",
      `verdict: ${verdict}`,
      `reviewer: ${text(one("reviewer").value.trim())}`,
      `date: ${text(local(new Date()))}`,
      `synthetic_sha256: ${text(data.synthetic)}`,
      ...(data.real ? [`real_sha256: ${text(data.real)}`] : []),
      `rows_shown: ${rows.length}`,
      `rows_reviewed: ${rows.filter(markOf).length}`,
      `implausible: [${bad.join(", ")}]`,
      ...(one("note").value.trim() ? [`note: ${text(one("note").value.trim())}`] : []),
      "",
    ].join("\n");
  };
  one("save").addEventListener("click", () => {
    const verdict = document.querySelector('input[name="verdict"]:checked')?.value;
    const missing = [];
    if (!one("reviewer").value.trim()) missing.push("your name");
    if (!verdict) missing.push("accept or reject");
    if (!rows.some(markOf)) missing.push("a mark on at least one row");
    one("problem").textContent = missing.length ? `Still missing: ${missing.join(", ")}.` : "";
    if (missing.length) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([signOff(verdict)], { type: "application/yaml" }));
    link.download = "synthgate-review.yaml";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
