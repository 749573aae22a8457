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

  // --- Filters: an element with data-NAME is hidden unless one of the attribute's lines is the name asked for. A line
  // is a name as JSON writes it between quotes, so that a name may hold any character.
  const filters = one("#filters");
  const names = filters ? every("select", filters).map((select) => select.name) : [];
  const asked = () =>
    names.map((name) => [name, filters.elements[name].value]).filter(([, value]) => value).map(([name, value]) => [name, value.slice(1)]);
  const filtered = () => asked().map(([name, line]) => [name, JSON.parse(`"${line}"`)]);
  const fits = (own, wanted) =>
    wanted.every(([name, line]) => {
      const lines = own.getAttribute(`data-${name}`);
      return lines === null || lines.split("\n").includes(line);
    });
  const MARKED = names.map((name) => `[data-${name}]`).join(",");
  // The answer is of the whole study, and so is its figure.
  const marked = names.length ? every(MARKED).filter((own) => !own.closest("#answer")) : [];
  // What a row or panel consists of: the columns or marks that filters know, or else itself.
  const units = (own, headings) => {
    const inner = own.tagName === "TR" ? headings : every("g", own).filter((mark) => mark.matches(`.row,${MARKED}`) && !one(MARKED, mark));
    return inner.length ? inner : [own];
  };
  const parts = (names.length ? every(".filtered") : []).map((own) => {
    const headings = every("thead th", own).filter((heading) => heading.matches(MARKED));
    const items = every("tbody tr, .panels > svg:not(.key)", own).map((item) => [item, units(item, headings)]);
    const count = one(".count", own);
    return { own, headings, items, count, total: count && count.textContent };
  });
  const follows = ([item, inner], name) => {
    const known = inner.filter((unit) => !unit.closest(".off"));
    const own = item.matches(`[data-${name}]`) ? known : known.filter((unit) => unit.closest(`[data-${name}]`));
    return own.length === known.length ? 1 : own.length ? 0.5 : 0;
  };
  const said = (wanted, shown) => {
    const some = wanted.map(([name]) => [name, shown.map((item) => follows(item, name))]);
    const none = some.filter(([, share]) => share.every((one) => one === 0)).map(([name]) => name);
    const partly = some.filter(([name, share]) => !none.includes(name) && share.some((one) => one < 1)).map(([name]) => name);
    const sentence = (found, where) =>
      found.length ? [`The ${found.join(" and ")} filter${found.length > 1 ? "s do" : " does"} not apply ${where}.`] : [];
    return [...sentence(none, "here"), ...sentence(partly, "to all of this")].join(" ");
  };
  const apply = () => {
    const wanted = asked();
    let hidden = 0;
    for (const own of marked) own.classList.toggle("off", !fits(own, wanted));
    for (const { own, headings, items, count, total } of parts) {
      for (const child of own.children) child.classList.remove("off");
      for (const heading of headings) {
        const off = heading.classList.contains("off");
        for (const row of heading.closest("table").tBodies[0].rows) row.cells[heading.cellIndex].classList.toggle("off", off);
      }
      const shown = items.filter(([item, inner]) => {
        item.classList.toggle("off", !fits(item, wanted));
        if (inner.every((unit) => unit.closest(".off"))) item.classList.add("off");
        return !item.classList.contains("off");
      });
      hidden += items.length - shown.length;
      if (count) count.textContent = shown.length < items.length ? `${shown.length} of ${total}` : total;
      own.classList.toggle("empty", !shown.length);
      for (const child of own.children) child.classList.toggle("off", !shown.length);
      one(".scope", own).textContent = shown.length ? said(wanted, shown) : "";
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
  const STEPS = 2e6; // of all comparisons of a pair, about 20 ms; what is left then counts as replaced
  const WINDOWS = [12000, 600]; // UTF-16 units that are compared at once: exactly where half of the steps suffice
  const PLAIN = /^[\n -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0590\u0620-\u064a\u3001-\u3029\u3031-\u3098\u309b-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff01-\uff9d]*$/;
  const segmenter = window.Intl && Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;
  const clusters = (text, budget) => {
    const isPlain = PLAIN.test(text);
    budget.left -= (isPlain ? 2 : 20) * text.length;
    if (isPlain) return text.split("");
    return segmenter ? [...segmenter.segment(text)].map((part) => part.segment) : [...text];
  };
  // A function from a place in a text to the start of the cluster that it is in.
  const starts = (text) => {
    const found = segmenter ? segmenter.segment(text) : null;
    const within = (at) => at > 0 && /[\ud800-\udbff]/.test(text[at - 1]) && /[\udc00-\udfff]/.test(text[at]);
    return (at) => (at >= text.length ? text.length : found ? found.containing(at).index : at - within(at));
  };
  // How many units both texts begin and end with, in whole clusters of both.
  const same = (a, b) => {
    const [inA, inB, most] = [starts(a), starts(b), Math.min(a.length, b.length)];
    let [start, end] = [0, 0];
    while (start < most && a[start] === b[start]) start += 1;
    start = Math.min(inA(start), inB(start));
    while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
    while (end && (inA(a.length - end) !== a.length - end || inB(b.length - end) !== b.length - end)) end -= 1;
    return [start, end];
  };
  // The fewest clusters to remove and to add (Myers 1986), to the end of both or, of windows, to the end of one: the
  // places [i, j] between which both go on alike or one cluster is edited; null where under `least` steps would be left.
  const path = (a, b, whole, budget, least) => {
    const [n, m, reached] = [a.length, b.length, []]; // reached[d]: how far d edits get in a on the diagonals -d, 2 - d, ... d
    for (let d = 0; ; d += 1) {
      const own = new Int32Array(d + 1);
      const before = reached[d - 1];
      let last = null;
      let steps = d + 1;
      for (let i = 0; i <= d; i += 1) {
        const from = d === 0 ? 0 : added(before, i) ? before[i] : before[i - 1] + 1;
        let x = from;
        let y = x - 2 * i + d;
        while (x < n && y < m && a[x] === b[y]) { x += 1; y += 1; }
        own[i] = x;
        steps += x - from;
        if (x >= n || y >= m) {
          const ends = whole ? x === n && y === m : (x === n && y <= m) || (y === m && x <= n);
          if (ends && (!last || x + y > last[0] + last[1])) last = [x, y];
        }
      }
      reached.push(own);
      budget.left -= steps;
      if (!last && budget.left < least) return null;
      if (last) return traced(reached, last);
    }
  };
  // Whether the last edit on a diagonal adds a cluster; else it removes one.
  const added = (before, i) => i === 0 || (i < before.length && before[i - 1] < before[i]);
  const traced = (reached, [x, y]) => {
    const found = [[x, y]];
    const alike = (until) => { if (x > until) { [x, y] = [until, y - x + until]; found.push([x, y]); } };
    for (let d = reached.length - 1; d > 0; d -= 1) {
      const [i, before] = [(x - y + d) / 2, reached[d - 1]];
      const adds = added(before, i);
      alike(adds ? before[i] : before[i - 1] + 1);
      [x, y] = adds ? [x, y - 1] : [x - 1, y];
      found.push([x, y]);
    }
    alike(0);
    return found.reverse();
  };
  // Both texts in pieces [text, whether it was removed or added].
  const edits = (before, after) => {
    const [start, end] = same(before, after);
    const [one, other] = [[], []];
    const add = (side, text, marked) => {
      if (text && side.length && side[side.length - 1][1] === marked) side[side.length - 1][0] += text;
      else if (text) side.push([text, marked]);
    };
    const both = (text) => { add(one, text, false); add(other, text, false); };
    both(before.slice(0, start));
    let [a, b] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
    const budget = { left: STEPS };
    for (let size = 0; a && b && budget.left > 0; ) {
      const cut = (text) => text.slice(0, starts(text.slice(0, 2 * WINDOWS[size]))(WINDOWS[size]) || WINDOWS[size]);
      const [x, y] = [a, b].map((text) => clusters(cut(text), budget));
      const whole = Math.max(a.length, b.length) <= WINDOWS[size];
      const numbers = new Map(); // numbers are compared faster than texts
      const [m, n] = [x, y].map((own) => Int32Array.from(own, (cluster) => {
        if (!numbers.has(cluster)) numbers.set(cluster, numbers.size);
        return numbers.get(cluster);
      }));
      const found = path(m, n, whole, budget, size ? 0 : STEPS / 2);
      if (!found) { size += 1; if (size === WINDOWS.length) break; else continue; }
      const [i, j] = found[found.length - 1];
      // A window's last quarter is compared again with what follows it.
      const places = whole ? found : found.slice(0, 1 + found.findIndex((place) => 4 * (place[0] + place[1]) >= 3 * (i + j)));
      places.slice(1).forEach(([p, q], at) => {
        const [r, s] = places[at];
        if (p > r && q > s) both(x.slice(r, p).join(""));
        else if (p > r) add(one, x[r], true);
        else add(other, y[s], true);
      });
      const [p, q] = places[places.length - 1];
      [a, b] = [a.slice(x.slice(0, p).join("").length), b.slice(y.slice(0, q).join("").length)];
    }
    add(one, a, true);
    add(other, b, true);
    both(before.slice(before.length - end));
    return [one, other];
  };
  // Characters that cannot be seen are written by their numbers: in marked edits all of them, but for those of emoji, and
  // everywhere those that turn the direction of what follows them.
  const TURNING = /[\u202a-\u202e\u2066-\u2069]/gu;
  const UNSEEN = /\p{ExtPict}[\p{EMod}\ufe0f\u{e0020}-\u{e007f}]*(?:\u200d\p{ExtPict}[\p{EMod}\ufe0f]*)*|[0-9#*]\ufe0f\u20e3|(?! )[\p{Cc}\p{Cf}\p{Z}\p{DI}]/gu;
  const written = (text, marked) => {
    const [nodes, rest] = [[], [0]];
    for (const { 0: found, index } of text.matchAll(marked ? UNSEEN : TURNING)) {
      if (!/^[\p{Cc}\p{Cf}\p{Z}\p{DI}]$/u.test(found)) continue;
      const code = element("span", `U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`, "code");
      code.dir = "ltr";
      nodes.push(text.slice(rest[0], index), code, found === "\n" ? found : "");
      rest[0] = index + found.length;
    }
    return [...nodes, text.slice(rest[0])];
  };
  const markedText = (pieces, name, language) => {
    const shown = element("p");
    shown.dir = "auto";
    shown.lang = language;
    for (const [text, marked] of pieces) {
      const into = marked ? element(name) : shown;
      into.append(...written(text, marked));
      if (marked) shown.append(into);
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
    const [, wanted] = filtered().find(([dimension]) => dimension === name) || [];
    if (wanted !== undefined && [...select.options].some((option) => option.value === wanted)) select.value = wanted;
  };
  const follow = () => {
    if (!choice) return;
    const fitting = blocks.filter((own) => filtered().every(([name, value]) => own[name] === undefined || own[name] === value));
    fill(choice.elements.rows, [...new Set((fitting.length ? fitting : blocks).map((own) => own.rows))]);
    fillNoise();
  };
  const fillNoise = () => {
    const fitting = blocks.filter((own) => own.rows === choice.elements.rows.value);
    const wanted = filtered().filter(([name]) => name === "operator" || name === "attack");
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
    const [, arm] = filtered().find(([name]) => name === "arm") || [];
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
    const head = element("h3");
    head.append(named(item.id), " \u00b7 label: ", named(item.label), item.ok ? "" : " (lost by the change)");
    made.append(head);
    if (block.texts) made.append(...attacked(block, models, item, at));
    else {
      block.fields.forEach((_, number) => made.append(pair(block, number, item.clean[number], (item.noisy || item.clean)[number])));
      made.append(predictions(block, models, item, at));
    }
    return made;
  };
  // A name in a line of others: its direction is its own.
  const named = (text) => element("bdi", text);
  const heading = (block, number, title) => {
    const made = element("b");
    made.append(...(block.fields.length > 1 ? [named(block.fields[number]), ", "] : []), named(title));
    return made;
  };
  const pair = (block, number, before, after) => {
    const [a, b] = edits(before, after);
    const made = element("div", undefined, "pair");
    for (const [title, text] of [["clean", markedText(a, "del", block.language)], [block.noise, markedText(b, "ins", block.language)]]) {
      const side = element("div");
      side.append(heading(block, number, title), text);
      made.append(side);
    }
    return made;
  };
  // An attack has a text for each model: the edited field is shown beside its clean text once a model.
  const attacked = (block, models, item, at) => {
    const same = models.every(([, , , model]) => block.texts[model][at] === null);
    const made = block.fields.flatMap((_, number) => {
      if (number === block.field && !same) return [];
      const side = element("div");
      const text = markedText([[item.clean[number], false]], "ins", block.language);
      side.append(heading(block, number, "clean"), text);
      return [side];
    });
    for (const [, arm, seed, model] of models) {
      const own = element("div", undefined, "attempt");
      const head = element("h4");
      const flips = block.before[model][at] !== block.after[model][at];
      const both = element("span", undefined, flips ? "flip" : undefined);
      both.append(...predicted(block, item, model, at));
      head.append(named(arm), `, seed ${seed} (${block.notes[model][at]}): `, both);
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
      const made = element("span", undefined, right);
      made.dir = "ltr"; // the mark, the name and the score in this order, whatever the direction of the name
      made.append(named(block.names[value]), score ? ` ${score[at]}` : "");
      return made;
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
