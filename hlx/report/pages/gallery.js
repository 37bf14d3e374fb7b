"use strict";
// The gallery sorts and filters; its state lives in the address, so that a view can be shared.
(() => {
  const gallery = document.getElementById("gallery-rows");
  if (!gallery) return;
  const body = gallery.tBodies[0];
  const rows = [...body.rows];
  const headings = [...gallery.tHead.rows[0].cells];
  const controls = document.getElementById("gallery-controls");
  const search = document.getElementById("gallery-search");
  const phenomenon = document.getElementById("gallery-phenomenon");
  const shown = document.getElementById("gallery-shown");
  const columns = new Map(headings.map((heading, place) => [heading.dataset.sort, place]).filter(([key]) => key));
  const words = rows.map((row) => [row.cells[0], row.cells[1]].map((cell) => cell.textContent).join(" ").toLowerCase());
  const collator = new Intl.Collator("en", { numeric: true });
  const state = { sort: "", descending: false, phenomenon: "", text: "" };

  const encoded = (text) => encodeURIComponent(text).replaceAll("%3A", ":");
  const decoded = (text) => {
    try { return decodeURIComponent(text); } catch { return text; }
  };

  function readAddress() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return showTarget();
    const given = new Map(hash.split("&").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at), decoded(part.slice(at + 1))];
    }));
    const sort = given.get("sort") ?? "";
    const cut = sort.lastIndexOf(":");
    const direction = sort.slice(cut + 1);
    const directed = direction === "asc" || direction === "desc";
    const key = directed ? sort.slice(0, cut) : sort;
    state.sort = columns.has(key) ? key : "";
    state.descending = directed ? direction === "desc" : isNumber(state.sort);
    const kind = given.get("phenomenon") ?? "";
    state.phenomenon = [...(phenomenon?.options ?? [])].some((option) => option.value === kind) ? kind : "";
    state.text = given.get("text") ?? "";
    show();
    return hash !== "";
  }

  function writeAddress() {
    const parts = [];
    if (state.sort) parts.push(`sort=${encoded(state.sort)}:${state.descending ? "desc" : "asc"}`);
    if (state.phenomenon) parts.push(`phenomenon=${encoded(state.phenomenon)}`);
    if (state.text) parts.push(`text=${encoded(state.text)}`);
    // An empty fragment would scroll to the top of the page.
    history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search);
  }

  function showTarget() {
    const row = document.getElementById(decoded(location.hash.slice(1)));
    if (row?.hidden && row.parentNode === body) {
      Object.assign(state, { phenomenon: "", text: "" });
      show();
      row.scrollIntoView();
    }
    return false;
  }

  const isNumber = (key) => columns.has(key) && headings[columns.get(key)].dataset.kind === "number";

  function ordered() {
    if (!state.sort) return rows;
    const place = columns.get(state.sort);
    const sign = state.descending ? -1 : 1;
    const compare = isNumber(state.sort) ? (a, b) => Number(a) - Number(b) : collator.compare;
    const value = (row) => row.cells[place].dataset.value ?? "";
    return [...rows].sort((one, other) => {
      const a = value(one), b = value(other);
      // What is not known comes last, whichever way the rest is sorted.
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * compare(a, b);
    });
  }

  function show() {
    const wanted = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, place) => {
      const fits = (!state.phenomenon || row.cells[1].dataset.value === state.phenomenon)
        && wanted.every((word) => words[place].includes(word));
      row.hidden = !fits;
      count += fits;
    });
    body.append(...ordered());
    headings.forEach((heading) => {
      if (heading.dataset.sort && heading.dataset.sort === state.sort)
        heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    search.value = state.text;
    if (phenomenon) phenomenon.value = state.phenomenon;
    shown.textContent = count === rows.length ? `all ${rows.length} stimuli` : `${count} of ${rows.length} stimuli`;
  }

  function change(changes) {
    Object.assign(state, changes);
    show();
    writeAddress();
  }

  headings.forEach((heading) => {
    const key = heading.dataset.sort;
    if (!key) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () =>
      change({ sort: key, descending: state.sort === key ? !state.descending : isNumber(key) }));
    heading.append(button);
  });
  search.addEventListener("input", () => change({ text: search.value }));
  phenomenon?.addEventListener("change", () => change({ phenomenon: phenomenon.value }));
  document.getElementById("gallery-reset").addEventListener("click", () =>
    change({ sort: "", descending: false, phenomenon: "", text: "" }));
  addEventListener("hashchange", readAddress);
  controls.hidden = false;
  if (readAddress()) document.getElementById("gallery").scrollIntoView();
})();
