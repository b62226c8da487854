// Comfort only: the page is complete without it. Sorting, finding, folding, and numbers under the pointer.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);

  // Sort: a button in every heading of a table of findings.
  const keyOf = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim().replace(/,/g, "");
  const compare = (a, b) => {
    const [x, y] = [parseFloat(a), parseFloat(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return Number.isNaN(x) ? a.localeCompare(b) : x - y;
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = all("tbody tr", table);
        rows.sort((a, b) => compare(keyOf(a, at), keyOf(b, at)) * (up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Find a column, show one outcome, open and close.
  const checks = all("details.check");
  const filter = () => {
    const wanted = one("search").value.trim().toLowerCase();
    const status = one("status").value;
    let hits = 0;
    for (const check of checks) {
      let inside = 0;
      for (const part of all("[data-search]", check)) {
        const fits = !wanted || part.dataset.search.includes(wanted);
        part.classList.toggle("gone", !fits);
        inside += fits && part.matches("tr");
      }
      const gone = (wanted && !inside) || (status && check.dataset.status !== status);
      check.classList.toggle("gone", Boolean(gone));
      if (wanted && inside && !gone) check.open = true;
      hits += gone ? 0 : wanted ? inside : 1;
    }
    one("hits").textContent = wanted || status ? `${hits} ${wanted ? "findings" : "checks"}` : "";
  };
  one("tools").hidden = false;
  one("search").addEventListener("input", filter);
  one("status").addEventListener("change", filter);
  one("unfold").addEventListener("click", () => checks.forEach((check) => (check.open = true)));
  one("fold").addEventListener("click", () => checks.forEach((check) => (check.open = false)));

  // A link to a check opens it.
  const reveal = () => {
    const target = location.hash && one(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("beforeprint", () => checks.forEach((check) => (check.open = true)));

  // Numbers under the pointer, read from the chart's own table.
  const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());
  for (const figure of all("figure.plot[data-kind]")) {
    const [svg, readout] = [figure.querySelector("svg"), figure.querySelector(".readout")];
    const rows = all("tbody tr", figure);
    const heads = all("thead th", figure).map((head) => head.textContent.toLowerCase());
    const message = readout.textContent;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const share = figure.dataset.kind === "categories" ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width;
      const row = rows[Math.max(0, Math.min(rows.length - 1, Math.floor(share * rows.length)))];
      const [label, ...values] = cells(row);
      readout.textContent = `${label}: ${values.map((value, at) => `${heads[at + 1]} ${value}`).join(", ")}`;
    });
    svg.addEventListener("pointerleave", () => (readout.textContent = message));
  }
  for (const figure of all("figure.heatmaps")) {
    const rows = all("tbody tr", figure);
    const readout = figure.querySelector(".readout");
    if (!rows.length) continue;
    for (const plate of all(".plate", figure)) {
      plate.parentNode.addEventListener("pointermove", (event) => {
        const box = plate.getBoundingClientRect();
        const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => Math.floor(v * rows.length));
        if (!rows[x] || !rows[y]) return;
        readout.textContent = `${rows[y].cells[0].textContent.trim()} × ${rows[x].cells[0].textContent.trim()}: ${rows[y].cells[x + 1].textContent.trim()} (real → synthetic)`;
      });
    }
  }
})();
