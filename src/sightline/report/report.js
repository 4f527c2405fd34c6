// Theme, sorting, finding and stepping. Everything on the page can be read without this script.
(() => {
  "use strict";
  const root = document.documentElement;
  const THEMES = ["auto", "light", "dark"];
  const KEY = "sightline-theme";
  let theme = "auto";

  // localStorage is refused to files in some browsers; the toggle then works until the page is closed.
  try {
    theme = localStorage.getItem(KEY);
  } catch {}
  if (!THEMES.includes(theme)) theme = "auto";

  function show() {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
  }

  function startTheme() {
    const button = document.getElementById("theme");
    const label = () => (button.textContent = "Theme: " + theme);
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      try {
        localStorage.setItem(KEY, theme);
      } catch {}
      show();
      label();
    });
  }

  function compare(kind, direction) {
    const number = kind === "number";
    const collator = new Intl.Collator(undefined, { numeric: true });
    return ([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // undefined figures stay last
      return direction * (number ? a - b : collator.compare(a, b));
    };
  }

  function sort(table, header) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    const column = header.cellIndex;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [row.cells[column].dataset.v, row]);
    rows.sort(compare(header.dataset.sort, descending ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells)
      if (other.dataset.sort) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  function startSorting(table) {
    for (const header of table.tHead.rows[0].cells) {
      if (!header.dataset.sort) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, header));
    }
  }

  function startFinding() {
    const box = document.getElementById("find");
    if (!box) return;
    const rows = Array.from(document.getElementById("class-table").tBodies[0].rows);
    const names = rows.map((row) => row.cells[0].dataset.v.toLowerCase());
    box.closest("p").hidden = false;
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase();
      let count = 0;
      rows.forEach((row, i) => {
        row.hidden = !names[i].includes(wanted);
        count += !row.hidden;
      });
      document.getElementById("found").textContent = wanted ? count + " of " + rows.length : "";
    });
  }

  // From picture to picture by the arrow keys, where a page has pictures that can be stepped to.
  function startStepping() {
    const pictures = Array.from(document.querySelectorAll(".pair[tabindex]"));
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    pictures.forEach((picture, i) =>
      picture.addEventListener("keydown", (event) => {
        const next = pictures[i + steps[event.key]];
        if (!next) return;
        event.preventDefault();
        next.focus();
      }));
  }

  show();
  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    document.querySelectorAll("table.sortable").forEach(startSorting);
    startFinding();
    startStepping();
  });
})();
