"use strict";
// Follows the run: each event replaces one part of the page. Everything in a part was escaped where it was made.

const line = document.getElementById("line");
const detail = document.getElementById("detail");
const content = document.getElementById("content");
const sorts = {};

// The token has become a cookie that no script can read: it need not stay in the history.
if (location.search) history.replaceState(null, "", location.pathname);

function replace(part, html) {
  const open = [...part.querySelectorAll("details")].map((one) => one.open);
  const left = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  const focused = part.contains(document.activeElement) ? document.activeElement.dataset : null;
  part.innerHTML = html;
  part.querySelectorAll("details").forEach((one, i) => { one.open = Boolean(open[i]); });
  part.querySelectorAll(".scroll").forEach((one, i) => { one.scrollLeft = left[i] || 0; });
  part.querySelectorAll("table").forEach((table) => makeSortable(part.id, table));
  if (focused && focused.open) part.querySelector(`[data-open="${focused.open}"]`)?.focus();
  if (focused && focused.column) part.querySelector(`[data-column="${focused.column}"]`)?.focus();
  document.querySelector(`nav a[href="#${part.id}"]`)?.toggleAttribute("hidden", !html);
}

// -- tables ----------------------------------------------------------------------------------------

function makeSortable(name, table) {
  if (name !== "trials") return;
  table.querySelectorAll("th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.dataset.column = String(column);
    button.addEventListener("click", () => {
      const last = sorts[name];
      sorts[name] = { column, down: last && last.column === column ? !last.down : true };
      sort(name, table);
    });
    head.replaceChildren(button);
  });
  sort(name, table);
}

function numberOf(cell) {
  const match = cell.textContent.replaceAll(",", "").match(/^(?:trial )?(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?: %| s)?$/);
  return match ? Number(match[1]) : null;
}

function compare(a, b) {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x - y;
  return a.textContent.localeCompare(b.textContent);
}

function sort(name, table) {
  const by = sorts[name];
  if (!by) return;
  const rows = [...table.tBodies[0].rows];
  const known = (row) => numberOf(row.cells[by.column]) !== null;
  const numeric = rows.some(known);
  rows.sort((a, b) => {
    // A missing number stands last, whichever way the others are sorted.
    if (numeric && known(a) !== known(b)) return known(a) ? -1 : 1;
    return (by.down ? -1 : 1) * compare(a.cells[by.column], b.cells[by.column]);
  });
  table.tBodies[0].append(...rows);
  table.querySelectorAll("th").forEach((head, column) => {
    if (column === by.column) head.setAttribute("aria-sort", by.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

// -- one trial -------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-open]");
  if (!button) return;
  const html = await ask(button.dataset.open);
  if (html !== null) content.innerHTML = html;
  else content.textContent = "This trial cannot be shown: the page has lost the run.";
  detail.showModal();
});

// What the server has there; null where it has nothing, or where it has ended.
async function ask(place) {
  try {
    const answer = await fetch(place);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

detail.addEventListener("click", (event) => { if (event.target === detail) detail.close(); });

// -- the line to the server --------------------------------------------------------------------------

const events = new EventSource("events");
events.addEventListener("open", () => { line.textContent = "live"; line.className = "note live"; });
events.addEventListener("part", (event) => {
  const news = JSON.parse(event.data);
  replace(document.getElementById(news.name), news.html);
});
events.addEventListener("error", () => {
  line.className = "note";
  line.textContent = events.readyState === EventSource.CLOSED
    ? "cambrian watch has ended: this is what it showed last" : "the line is lost; trying again";
});
