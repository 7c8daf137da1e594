// Sort a table by the clicked column: numbers by data-value, the rest by text. Empty values stay last.
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const heading = button.parentElement;
    const column = heading.cellIndex;
    const before = heading.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : heading.classList.contains("number");
    const body = heading.closest("table").tBodies[0];
    const key = (row) => {
      const cell = row.cells[column];
      return "value" in cell.dataset ? Number(cell.dataset.value) : cell.classList.contains("number") ? null : cell.textContent;
    };
    const compare = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return descending ? -order : order;
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  });
}
// Paper shows everything.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
