"use strict";
// Filters, sorting and examples of a report. Text of data is only ever set as text, never as markup.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const every = (selector, root = document) => [...root.querySelectorAll(selector)];
  const element = (name, text, cls) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (cls) made.className = cls;
    return made;
  };

  // --- Filters: an element with data-NAME is hidden unless one of the attribute's lines is the value asked for.
  const filters = one("#filters");
  const names = filters ? every("select", filters).map((select) => select.name) : [];
  // The answer is of the whole study, and so is its figure.
  const marked = names.length ? every(names.map((name) => `[data-${name}]`).join(",")).filter((own) => !own.closest("#answer")) : [];
  const headings = marked.filter((own) => own.tagName === "TH");
  const asked = () =>
    names.map((name) => [name, filters.elements[name].value]).filter(([, value]) => value).map(([name, value]) => [name, value.slice(1)]);
  const fits = (own, wanted) =>
    wanted.every(([name, value]) => {
      const values = own.getAttribute(`data-${name}`);
      return values === null || values.split("\n").includes(value);
    });
  const hideColumns = () => {
    for (const heading of headings) {
      const hidden = heading.classList.contains("off");
      for (const row of heading.closest("table").tBodies[0].rows) row.cells[heading.cellIndex].classList.toggle("off", hidden);
    }
  };
  const apply = () => {
    const wanted = asked();
    let hidden = 0;
    for (const own of marked) {
      const off = !fits(own, wanted);
      own.classList.toggle("off", off);
      if (off && (own.tagName === "TR" || own.tagName === "svg")) hidden += 1;
    }
    hideColumns();
    for (const part of every(".filtered")) {
      const shown = every("tbody tr, .panels > svg", part).some((own) => !own.classList.contains("off") && !own.classList.contains("key"));
      part.classList.toggle("empty", !shown);
      for (const inner of part.children) inner.classList.toggle("off", !shown);
    }
    one("#shown").textContent = wanted.length ? `${hidden} rows and panels hidden` : "";
  };
  if (filters) {
    filters.addEventListener("change", () => { apply(); follow(); });
    filters.addEventListener("reset", () => setTimeout(() => { apply(); follow(); }));
    filters.addEventListener("submit", (event) => event.preventDefault());
  }

  // --- Sorting
  const key = (cell) => {
    const text = cell.textContent.trim();
    const value = parseFloat(text.replace(/\u2212/g, "-").replace(/[<,]/g, ""));
    return text === "\u2013" || text === "" ? null : Number.isNaN(value) ? text : value;
  };
  const sort = (heading) => {
    const body = heading.closest("table").tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [key(row.cells[heading.cellIndex]), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  };
  for (const heading of every("thead th")) one("button", heading).addEventListener("click", () => sort(heading));

  // --- Edits between two texts, by grapheme cluster
  const MOST = 4e6; // comparisons of one pair; longer ones are compared by word
  const segments = (text, granularity) =>
    window.Intl && Intl.Segmenter
      ? [...new Intl.Segmenter(undefined, { granularity }).segment(text)].map((part) => part.segment)
      : [...text];
  const edits = (before, after) => {
    let [a, b] = [segments(before, "grapheme"), segments(after, "grapheme")];
    if (a.length * b.length > MOST) [a, b] = [before.split(/(\s+)/), after.split(/(\s+)/)];
    let start = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
    let end = 0;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
    const [n, m] = [a.length - start - end, b.length - start - end];
    const common = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
    for (let i = n - 1; i >= 0; i -= 1)
      for (let j = m - 1; j >= 0; j -= 1)
        common[i][j] = a[start + i] === b[start + j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    const [gone, added] = [new Array(a.length).fill(false), new Array(b.length).fill(false)];
    let [i, j] = [0, 0];
    while (i < n || j < m) {
      if (i < n && j < m && a[start + i] === b[start + j]) [i, j] = [i + 1, j + 1];
      else if (j < m && (i === n || common[i][j + 1] >= common[i + 1][j])) { added[start + j] = true; j += 1; }
      else { gone[start + i] = true; i += 1; }
    }
    return [[a, gone], [b, added]];
  };
  const markedText = ([parts, flags], name, language) => {
    const shown = element("p");
    shown.dir = "auto";
    shown.lang = language;
    for (let first = 0; first < parts.length; ) {
      let last = first;
      while (last < parts.length && flags[last] === flags[first]) last += 1;
      const text = parts.slice(first, last).join("");
      shown.append(flags[first] ? element(name, text) : text);
      first = last;
    }
    return shown;
  };

  // --- Examples: blocks are scripts beside the page that call ittExamples, so that they load without a server.
  const blocks = JSON.parse(one("#blocks").textContent);
  const choice = one("#choice");
  const STEP = 20;
  const loaded = new Map();
  let [current, limit] = [null, STEP];
  window.ittExamples = (file, block) => {
    loaded.set(file, block);
    if (current && current.file === file) { fillModels(block); show(); }
  };
  const load = (about) => {
    current = about;
    if (loaded.has(about.file)) { fillModels(loaded.get(about.file)); show(); return; }
    one("#found").textContent = "Loading…";
    one("#cards").replaceChildren();
    const script = document.createElement("script");
    script.src = about.file;
    script.addEventListener("error", () => {
      one("#found").textContent = `${about.file} is not beside this page; keep the whole report folder together.`;
    });
    document.head.append(script);
  };
  const fill = (select, values) => {
    const before = select.value;
    select.replaceChildren(...values.map((value) => { const made = element("option", value); made.value = value; return made; }));
    if (values.includes(before)) select.value = before;
  };
  const fillModels = (block) => {
    fill(choice.elements.model, [...new Set(block.models.map((model) => model[0]))]);
    preset("encoder", choice.elements.model);
  };
  const preset = (name, select) => {
    const wanted = names.includes(name) && filters.elements[name].value.slice(1);
    if (wanted && [...select.options].some((option) => option.value === wanted)) select.value = wanted;
  };
  const follow = () => {
    if (!choice) return;
    const fitting = blocks.filter((own) => fits({ getAttribute: (name) => own[name.slice(5)] ?? null }, asked().filter(([name]) => name !== "encoder")));
    fill(choice.elements.rows, [...new Set((fitting.length ? fitting : blocks).map((own) => own.rows))]);
    fillNoise();
  };
  const fillNoise = () => {
    const fitting = blocks.filter((own) => own.rows === choice.elements.rows.value);
    const wanted = asked().filter(([name]) => name === "operator" || name === "attack");
    const own = fitting.filter((block) => wanted.every(([name, value]) => block[name] === value));
    fill(choice.elements.noise, (own.length ? own : fitting).map((block) => block.noise));
    pick();
  };
  const pick = () => {
    limit = STEP;
    const found = blocks.find((own) => own.rows === choice.elements.rows.value && own.noise === choice.elements.noise.value);
    if (found) load(found);
  };
  const show = () => {
    const block = loaded.get(current.file);
    const [, arm] = asked().find(([name]) => name === "arm") || [];
    const models = block.models
      .map((model, at) => [...model, at])
      .filter((model) => model[0] === choice.elements.model.value && (arm === undefined || model[1] === arm));
    const which = choice.elements.which.value;
    const search = choice.elements.search.value.trim().toLocaleLowerCase();
    const chosen = block.items.map((item, at) => [item, at]).filter(([item, at]) => {
      const own = block.texts ? models.map(([, , , model]) => block.texts[model][at]).filter((one) => one !== null) : item.noisy || [];
      const text = [item.id, item.label, ...item.clean, ...own].join("\n").toLocaleLowerCase();
      if (search && !text.includes(search)) return false;
      if (which === "changed") return own.length > 0;
      if (which === "flips") return models.some(([, , , model]) => block.before[model][at] !== block.after[model][at]);
      if (which === "disagree") return disagree(models, block, at);
      return true;
    });
    one("#found").textContent = `${chosen.length} of ${block.items.length} rows (of ${block.of} evaluated)`;
    one("#cards").replaceChildren(...chosen.slice(0, limit).map(([item, at]) => card(block, models, item, at)));
    one("#more").hidden = chosen.length <= limit;
  };
  const disagree = (models, block, at) => {
    const bySeed = new Map();
    for (const [, , seed, model] of models) bySeed.set(seed, (bySeed.get(seed) || new Set()).add(block.after[model][at]));
    return [...bySeed.values()].some((predictions) => predictions.size > 1);
  };
  const card = (block, models, item, at) => {
    const made = element("article", undefined, "card");
    made.append(element("h3", `${item.id} \u00b7 label: ${item.label}${item.ok ? "" : " (lost by the change)"}`));
    if (block.texts) made.append(...attacked(block, models, item, at));
    else {
      block.fields.forEach((_, number) => made.append(pair(block, number, item.clean[number], (item.noisy || item.clean)[number])));
      made.append(predictions(block, models, item, at));
    }
    return made;
  };
  const pair = (block, number, before, after) => {
    const [a, b] = edits(before, after);
    const made = element("div", undefined, "pair");
    for (const [title, text] of [["clean", markedText(a, "del", block.language)], [block.noise, markedText(b, "ins", block.language)]]) {
      const side = element("div");
      side.append(element("b", block.fields.length > 1 ? `${block.fields[number]}, ${title}` : title), text);
      made.append(side);
    }
    return made;
  };
  // An attack has a text for each model: the edited field is shown beside its clean text once a model.
  const attacked = (block, models, item, at) => {
    const same = models.every(([, , , model]) => block.texts[model][at] === null);
    const made = block.fields.flatMap((field, number) => {
      if (number === block.field && !same) return [];
      const side = element("div");
      const text = markedText([[item.clean[number]], [false]], "ins", block.language);
      side.append(element("b", block.fields.length > 1 ? `${field}, clean` : "clean"), text);
      return [side];
    });
    for (const [, arm, seed, model] of models) {
      const own = element("div", undefined, "attempt");
      const head = element("h4", `${arm}, seed ${seed} (${block.notes[model][at]}): `);
      const flips = block.before[model][at] !== block.after[model][at];
      const both = element("span", undefined, flips ? "flip" : undefined);
      both.append(...predicted(block, item, model, at));
      head.append(both);
      own.append(head);
      const text = block.texts[model][at];
      if (text !== null) own.append(pair(block, block.field, item.clean[block.field], text));
      made.push(own);
    }
    return made;
  };
  // The prediction of one model on the clean text, then on the changed one.
  const predicted = (block, item, model, at) => {
    const shown = (side) => {
      const [value, score] = [block[side][model][at], block[`${side}_scores`][model]];
      const right = item.right === null ? "" : item.right.includes(value) ? "right" : "wrong";
      return element("span", block.names[value] + (score ? ` ${score[at]}` : ""), right);
    };
    return [shown("before"), " \u2192 ", shown("after")];
  };
  const predictions = (block, models, item, at) => {
    const box = element("div", undefined, "scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `predictions for ${item.id}`);
    const table = element("table");
    const seeds = [...new Set(models.map((model) => model[2]))];
    const head = table.createTHead().insertRow();
    for (const title of ["arm", ...seeds.map((seed) => `seed ${seed}`)]) {
      const cell = element("th", title);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const arm of new Set(models.map((model) => model[1]))) {
      const row = body.insertRow();
      const name = element("th", arm);
      name.scope = "row";
      row.append(name);
      for (const seed of seeds) {
        const own = models.find((model) => model[1] === arm && model[2] === seed);
        const cell = row.insertCell();
        if (!own) continue;
        cell.append(...predicted(block, item, own[3], at));
        if (block.before[own[3]][at] !== block.after[own[3]][at]) cell.className = "flip";
      }
    }
    box.append(table);
    return box;
  };
  if (choice) {
    choice.addEventListener("submit", (event) => event.preventDefault());
    choice.elements.rows.addEventListener("change", fillNoise);
    choice.elements.noise.addEventListener("change", pick);
    for (const name of ["model", "which"]) choice.elements[name].addEventListener("change", () => { limit = STEP; show(); });
    choice.elements.search.addEventListener("input", () => { limit = STEP; show(); });
    one("#more").addEventListener("click", () => { limit += STEP; show(); });
    // loaded when a reader comes near them
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) { observer.disconnect(); follow(); }
    }, { rootMargin: "400px" });
    observer.observe(one("#examples"));
  }

  // What is printed is whole.
  addEventListener("beforeprint", () => every("details").forEach((own) => { own.open = true; }));
})();
