// Tables that sort by the column whose heading is clicked.
//
// A column: {name, value(row), show(value, row), text: true unless it is numbers, hint, share}

(() => {
  "use strict";

  const {element} = gradmill;
  const unknown = value => value === null || value === undefined;

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", {numeric: true});
  };

  gradmill.makeTable = ({label, columns, rows, sortBy = null, className = ""}) => {
    const lines = rows.map(row => {
      const cells = columns.map(column => {
        const value = column.value(row);
        const cell = element("td", {class: column.text ? null : "number"},
          column.show ? column.show(value, row) : value);
        if (column.share && !unknown(value)) cell.style.setProperty("--share", `${value * 100}%`);
        return cell;
      });
      return {row, line: element("tr", {}, cells)};
    });
    const body = element("tbody", {}, lines.map(({line}) => line));

    // Numbers begin with the largest, text with the first; what is not known is always last.
    const sort = (column, heading) => {
      const first = column.text ? "ascending" : "descending";
      const other = column.text ? "descending" : "ascending";
      const order = heading.getAttribute("aria-sort") === first ? other : first;
      headings.forEach(th => th.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const keyed = lines.map(({row, line}) => ({value: column.value(row), line}));
      keyed.sort((a, b) => unknown(a.value) || unknown(b.value)
        ? unknown(a.value) - unknown(b.value) : sign * compare(a.value, b.value));
      body.append(...keyed.map(({line}) => line));
    };
    const headings = columns.map(column => {
      const heading = element("th", {scope: "col", class: column.text ? null : "number"});
      heading.append(element("button",
        {type: "button", title: column.hint, click: () => sort(column, heading)}, column.name));
      return heading;
    });

    const table = element("table", {},
      element("thead", {}, element("tr", {}, headings)), body);
    const sorted = columns.findIndex(column => column.name === sortBy);
    if (sorted >= 0) sort(columns[sorted], headings[sorted]);
    return {
      lines,
      element: element("div", {class: `table ${className}`, role: "region", "aria-label": label,
        tabindex: "0"}, table),
    };
  };
})();
