// Tables that can be searched and sorted. Runs in JupyterLab and in the page, whose policy allows this very text alone.
(() => {
  const PRINTED = 100; // of a longer table, what is on the screen's top is printed: nobody reads a hundred pages
  const text = (cell) => cell.dataset.sort ?? cell.textContent;
  const compare = (a, b) => a.localeCompare(b, undefined, { numeric: true, sensitivity: "base" });

  const enliven = (box) => {
    const table = box.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const words = rows.map((row) => row.textContent.toLowerCase());
    const bar = box.querySelector(".search");
    const search = document.createElement("input");
    const count = document.createElement("output");
    search.type = "search";
    search.placeholder = "Search: every word must be in the row";
    search.setAttribute("aria-label", search.placeholder);
    bar.replaceChildren(search, count);

    const mark = () => {
      const shown = [...table.tBodies[0].rows].filter((row) => !row.hidden);
      shown.forEach((row, place) => row.classList.toggle("printed", place < PRINTED));
      box.classList.toggle("cut", shown.length > PRINTED);
    };

    const filter = () => {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, place) => {
        row.hidden = !wanted.every((word) => words[place].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      const all = rows.length.toLocaleString("en");
      count.textContent = wanted.length ? `${shown.toLocaleString("en")} of ${all} rows` : `${all} rows`;
      mark();
    };

    const sort = (head, column) => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = rows.map((row) => [text(row.cells[column]), row]);
      order.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
      table.tBodies[0].append(...order.map((pair) => pair[1]));
      mark();
    };

    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(head, column));
      head.append(button);
    });
    search.addEventListener("input", filter);
    filter();
  };

  for (const box of document.querySelectorAll(".ecs-runbook .table:not(.live)")) {
    box.classList.add("live");
    enliven(box);
  }
})();
