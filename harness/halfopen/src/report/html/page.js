"use strict";
(async () => {
  /* The data: as it is, or packed if it is much. */
  async function read() {
    const data = document.getElementById("data");
    if (data.type === "application/json") return JSON.parse(data.textContent);
    const bytes = Uint8Array.from(atob(data.textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).json();
  }
  const report = await read();
  const runs = report.runs;
  const countOf = (count) => `${count} ${count === 1 ? "run" : "runs"}`;
  const sources = new Map(report.sources.map((source) => [source.path, source.text]));
  const SIGN = { pass: "✓", fail: "✗", vacuous: "?", skipped: "–", broken: "!" };
  const WORD = { pass: "ok", fail: "failed", vacuous: "vacuous", skipped: "skipped", broken: "engine trouble" };
  const PATHS = {
    dot: "M-3.5 0A3.5 3.5 0 1 1 3.5 0A3.5 3.5 0 1 1 -3.5 0Z", bar: "M-7 0L7 0", cross: "M-5 -5L5 5M-5 5L5 -5",
    tick: "M-5 0L-1.5 4L5 -5", ring: "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1 -6 0Z", diamond: "M0 -5L5 0L0 5L-5 0Z",
    unknown: "M-3 -3A3 3 0 1 1 0 1L0 3M0 5L0 6", fold: "M0 -9L4 -5L-4 -1L4 3L0 7",
  };
  const isBad = (run) => ["fail", "vacuous", "broken"].includes(run.verdict);
  const byId = (id) => document.getElementById(id);
  const main = byId("main");
  let open = null;
  let zoom = 1;
  let lit = null;

  /* An element with attributes and children; text is never read as markup. */
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "onclick") made.addEventListener("click", value);
      else made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }
  function svg(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes || {})) if (value !== undefined && value !== null) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  const seconds = (ms) => (ms / 1000).toFixed(3);
  function span(ms) {
    const s = Math.floor(ms / 1000);
    const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
    const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => count + unit);
    return shown.length ? shown.join(" ") : seconds(ms) + "s";
  }

  /* The head of the page. */
  function summary() {
    const counts = byId("counts");
    for (const verdict of ["pass", "fail", "broken", "vacuous", "skipped"]) {
      const count = runs.filter((run) => run.verdict === verdict).length;
      if (count === 0 && verdict !== "pass") continue;
      const only = () => { byId("verdict").value = verdict; location.hash = ""; list(); };
      counts.append(element("button", { class: "count " + verdict, type: "button", onclick: only }, `${SIGN[verdict]} ${count} ${WORD[verdict]}`));
    }
    const virtual = runs.reduce((sum, run) => sum + run.virtual_ms, 0);
    const wall = runs.reduce((sum, run) => sum + run.wall_us, 0) / 1e6;
    const speed = wall > 0 ? `, ${Math.round(virtual / 1000 / wall).toLocaleString("en")} × real time` : "";
    byId("totals").textContent = `${countOf(runs.length)}; ${span(virtual)} of virtual time in ${wall.toFixed(3)} s${speed}`;
  }

  /* Filters and the list. */
  function choices(id, values, names) {
    const select = byId(id);
    select.append(element("option", { value: "" }, "all"));
    for (const value of [...new Set(values)].sort()) select.append(element("option", { value }, (names && names[value]) || value || "(none)"));
  }
  const haystack = runs.map((run) => [run.name, run.about || "", run.file, ...run.tags, ...run.clauses,
    ...run.violations.map((found) => found.text + " " + found.actual), ...run.vacuous.map((found) => found.why)].join(" ").toLowerCase());
  function matching() {
    const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const is = (id, value) => byId(id).value === "" || byId(id).value === value;
    return runs.map((run, index) => index).filter((index) => {
      const run = runs[index];
      const bad = byId("verdict").value === "bad";
      return words.every((word) => haystack[index].includes(word)) && is("area", run.area) && (bad ? isBad(run) : is("verdict", run.verdict))
        && is("mqtt", run.mqtt) && (byId("tag").value === "" || run.tags.includes(byId("tag").value));
    });
  }
  function list() {
    const shown = matching();
    const items = [];
    let area = null;
    for (const index of shown) {
      const run = runs[index];
      if (run.area !== area) { area = run.area; items.push(element("li", { class: "area" }, area || "scenarios")); }
      const short = run.scenario.slice(run.area ? run.area.length + 1 : 0);
      const link = element("a", { href: "#" + encodeURIComponent(run.name), "aria-current": index === open ? "page" : null, "data-run": index },
        element("span", { class: "sign " + run.verdict, title: WORD[run.verdict] }, SIGN[run.verdict]),
        element("span", {}, short + " ", element("span", { class: "params" }, run.name.slice(run.scenario.length))));
      items.push(element("li", {}, link));
    }
    byId("runs").replaceChildren(...items);
    byId("shown").textContent = shown.length === runs.length ? countOf(runs.length) : `${shown.length} of ${runs.length} runs`;
    if (open === null) overview(shown);
  }

  function finding(run, found) {
    const rows = [];
    const row = (name, value, style) => { if (value) rows.push(element("dt", {}, name), element("dd", { class: style }, value)); };
    // What is about all of a file, such as an invariant, has no line, but a name.
    if (!found.line) row("violated", found.text);
    row("expected", found.expected, "exp");
    row("actual", found.actual, "act");
    row("vacuous", found.why, "act");
    const place = found.line ? `${found.file}:${found.line}:${found.column}` : run.file;
    row(found.line ? "line" : "file", element("a", { href: "#" + encodeURIComponent(run.name), onclick: () => setTimeout(() => toLine(found.line), 0) }, place));
    if (found.source) row("", element("code", {}, found.source));
    return element("dl", { class: "finding" }, ...rows);
  }

  /* What many runs have in common: that which explains the most runs first, each run counted once. */
  function common(bad) {
    const places = new Map();
    for (const index of bad) {
      const run = runs[index];
      const found = [...run.violations, ...run.vacuous].map((found) => [found.line ? `${found.file}:${found.line}:${found.column}: ${(found.source || found.text).replace(/^- /, "")}` : found.text, found]);
      if (run.error) found.push([run.error, null]);
      for (const [key, example] of found) {
        if (!places.has(key)) places.set(key, { key, example, runs: new Set() });
        places.get(key).runs.add(index);
      }
    }
    const rows = [];
    let left = [...places.values()];
    let rest = 0;
    while (left.length) {
      const most = left.reduce((a, b) => (b.runs.size > a.runs.size || (b.runs.size === a.runs.size && b.key < a.key) ? b : a));
      const [first] = most.runs;
      if (rows.length < 8) {
        rows.push(element("dt", {}, count(most.runs.size, "run")), element("dd", {}, element("strong", {}, most.key), ` in ${count(new Set([...most.runs].map((index) => runs[index].scenario)).size, "scenario")}, such as `,
          element("a", { href: "#" + encodeURIComponent(runs[first].name) }, runs[first].name)));
        if (most.example && most.example.expected) rows.push(element("dt", {}, ""), element("dd", {}, "expected ", element("span", { class: "exp" }, most.example.expected), "; actual ", element("span", { class: "act" }, most.example.actual)));
      } else rest += most.runs.size;
      for (const other of left) if (other !== most) for (const index of most.runs) other.runs.delete(index);
      left = left.filter((other) => other !== most && other.runs.size > 0);
    }
    if (rest) rows.push(element("dt", {}, count(rest, "run")), element("dd", {}, "other things"));
    return element("section", { class: "card fail", id: "common" }, element("h2", {}, "What is wrong"), element("dl", { class: "finding" }, ...rows));
  }
  const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

  function overview(shown) {
    const bad = shown.filter((index) => isBad(runs[index]));
    // What breaks one run of a scenario mostly breaks the others in the same way.
    const told = new Map();
    const some = bad.filter((index) => { const { scenario } = runs[index]; told.set(scenario, (told.get(scenario) || 0) + 1); return told.get(scenario) <= 3; }).slice(0, 100);
    const cards = some.map((index) => {
      const run = runs[index];
      const found = [...run.violations, ...run.vacuous];
      return element("article", { class: "card " + run.verdict },
        element("h2", {}, element("span", { class: run.verdict }, SIGN[run.verdict] + " " + WORD[run.verdict] + " "),
          element("a", { href: "#" + encodeURIComponent(run.name) }, run.name)),
        run.error ? element("p", {}, run.error) : null,
        ...found.slice(0, 3).map((found) => finding(run, found)),
        found.length > 3 ? element("p", { class: "meta" }, `and ${found.length - 3} more`) : null,
        element("code", { class: "command" }, run.command));
    });
    const head = bad.length ? `${bad.length} of ${shown.length} runs need attention` : `${shown.length} runs, none needs attention`;
    const more = bad.length > some.length ? element("p", {}, `and ${bad.length - some.length} more, in the list`) : null;
    const hint = bad.length ? null : element("p", { class: "meta" }, "Choose a run on the left to see what happened in it.");
    main.replaceChildren(element("h2", {}, head), ...(bad.length > 3 ? [common(bad)] : []), ...cards, ...[more, hint].filter(Boolean));
  }

  /* One run. */
  function show(index) {
    open = index;
    lit = null;
    const run = runs[index];
    document.title = `${SIGN[run.verdict]} ${run.name}`;
    const found = [...run.violations, ...run.vacuous, ...run.warnings].map((found) => finding(run, found));
    const meta = [`MQTT ${run.mqtt}`, `seed ${run.seed}`, `${seconds(run.virtual_ms)} s of virtual time`, ...run.tags.map((tag) => "#" + tag), ...run.clauses].join(" · ");
    const parts = [
      element("div", { class: "top" }, element("span", { class: "verdict " + run.verdict }, `${SIGN[run.verdict]} ${WORD[run.verdict]}`), element("h2", {}, run.name)),
      element("div", { class: "meta" }, meta),
      run.about ? element("p", {}, run.about) : null,
      run.error ? element("p", { class: "fail" }, run.error) : null,
      found.length ? element("section", { class: "card " + (isBad(run) ? run.verdict : "vacuous") }, ...found) : null,
      run.load ? loadOf(run.load) : null,
      ...(run.not_judged || []).map((part) => element("p", { class: "meta" }, `not judged: ${part.invariant}: ${part.why}`)),
      element("code", { class: "command", title: "runs it again" }, run.command),
    ];
    const side = element("div", { id: "side" }, !run.diagram ? null : element("div", { id: "details", "aria-live": "polite" }, "Point at an event, or go to it with Tab, to see its fields, its cause and its line."), element("h3", {}, run.file), yaml(run));
    if (run.diagram) parts.push(element("div", { id: "split" }, picture(run), side));
    else parts.push(run.nodes.length && !run.error ? element("p", { class: "meta", id: "no-picture" }, "This page of many runs has no picture of this one: ", like(run), "`--html-all` draws all, and the command above with `--html FILE` draws this one.") : null, side);
    if (run.text) parts.push(element("details", {}, element("summary", {}, "trace as text"), element("pre", {}, run.text)));
    main.replaceChildren(...parts.filter(Boolean));
    main.scrollTop = 0;
    for (const link of byId("runs").querySelectorAll("a")) {
      if (Number(link.dataset.run) === index) { link.setAttribute("aria-current", "page"); link.scrollIntoView({ block: "nearest" }); }
      else link.removeAttribute("aria-current");
    }
  }

  /* What a fleet asks for, over time: bars for packets and for new connections, a line for the clients that are connected. */
  function loadOf(load) {
    const width = 640, height = 56;
    const step = width / load.columns.length;
    const chart = (name, peak, value, style) => {
      const made = svg("svg", { class: "load " + style, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
      load.columns.forEach((column, at) => {
        const tall = peak ? Math.max(value(column) ? 1 : 0, value(column) / peak * (height - 2)) : 0;
        const bar = svg("rect", { x: at * step, y: height - tall, width: Math.max(1, step - 0.5), height: tall });
        bar.append(svg("title", {}, `${column.second} s: ${value(column)}`));
        made.append(bar);
      });
      return element("figure", {}, element("figcaption", {}, name), made);
    };
    const { packets, connections, outage } = load;
    const lasted = !outage ? "" : outage.to_ms === undefined ? `; not all connected from ${seconds(outage.from_ms)} until the end`
      : `; all connected again ${seconds(outage.to_ms - outage.from_ms)} s after the first was lost at ${seconds(outage.from_ms)}`;
    return element("section", { class: "loads" },
      chart(`packets a second, at most ${packets.count} at ${packets.second} s`, packets.count, (column) => column.packets, "packets"),
      chart(`new connections a second, at most ${connections.count} at ${connections.second} s`, connections.count, (column) => column.connections, "connections"),
      chart(`${load.clients} clients, how many are connected${lasted}`, load.clients, (column) => column.connected, "connected"));
  }

  /* A link to a run of the same scenario that is drawn. */
  function like(run) {
    const other = runs.find((other) => other.scenario === run.scenario && other.verdict === run.verdict && other.diagram);
    return other ? element("span", {}, "see ", element("a", { href: "#" + encodeURIComponent(other.name) }, other.name), ". ") : "";
  }

  function yaml(run) {
    const bad = new Set([...run.violations, ...run.vacuous].map((found) => found.line));
    const lines = (sources.get(run.file) || "").replace(/\n$/, "").split("\n").map((text, at) => {
      const parts = /^(\s*(?:- )?)([\w.]+:)?(.*?)(\s#.*|^#.*)?$/.exec(text) || [text, "", "", text, ""];
      return element("div", { id: "line-" + (at + 1), class: bad.has(at + 1) ? "is-bad" : null }, element("span", { class: "no" }, String(at + 1)),
        element("span", {}, parts[1] || "", element("span", { class: "key" }, parts[2] || ""), parts[3] || "", element("span", { class: "comment" }, parts[4] || "")));
    });
    return element("div", { class: "yaml", "aria-label": "the scenario" }, ...lines);
  }
  function toLine(line) {
    for (const old of main.querySelectorAll(".yaml .is-lit")) old.classList.remove("is-lit");
    const at = byId("line-" + line);
    if (at) { at.classList.add("is-lit"); at.scrollIntoView({ block: "nearest" }); }
  }

  /* The picture: shapes as they come, y stretched by the zoom. */
  function picture(run) {
    const scroll = element("div", { id: "scroll" });
    const draw = () => {
      const at = scroll.scrollTop / zoomOf(scroll);
      scroll.dataset.zoom = zoom;
      scroll.replaceChildren(heads(run.diagram), body(run));
      // On paper it is as wide as lets all of it stand on one page.
      scroll.style.setProperty("--shape", run.diagram.width / (run.diagram.height * zoom + 60));
      scroll.scrollTop = at * zoom;
    };
    const zoomOf = (box) => Number(box.dataset.zoom || 1);
    const set = (value) => { zoom = Math.min(12, Math.max(0.5, value)); draw(); };
    scroll.zoom = set;
    scroll.addEventListener("wheel", (wheel) => { if (wheel.ctrlKey) { wheel.preventDefault(); set(zoom * (wheel.deltaY < 0 ? 1.25 : 0.8)); } }, { passive: false });
    draw();
    const button = (text, title, value) => element("button", { type: "button", title, onclick: () => set(value()) }, text);
    const tools = element("div", { id: "tools" }, button("+", "stretch time (+)", () => zoom * 1.5), button("−", "press time together (-)", () => zoom / 1.5),
      button("1:1", "as it was (0)", () => 1), element("span", { class: "room" }, "time runs down; Ctrl and wheel stretch it"));
    return element("div", { id: "picture" }, tools, scroll);
  }
  function heads(scene) {
    const made = svg("svg", { class: "diagram headline", width: scene.width, height: 46, viewBox: `0 0 ${scene.width} 46`, "aria-hidden": "true" },
      svg("rect", { class: "ground", width: "100%", height: "100%" }));
    for (const head of scene.heads) {
      if (head.role) made.append(svg("text", { class: "head", x: head.x, y: 22, "text-anchor": "middle" }, head.name), svg("text", { class: "role", x: head.x, y: 36, "text-anchor": "middle" }, head.role));
      else made.append(svg("text", { class: "column", x: head.x, y: 26 }, head.name));
    }
    return made;
  }
  function body(run) {
    const scene = run.diagram;
    const height = scene.height * zoom + 12;
    const made = svg("svg", { class: "diagram", width: scene.width, height, viewBox: `0 0 ${scene.width} ${height}`, role: "group", "aria-label": "what happened, from top to bottom" },
      svg("rect", { class: "ground", width: "100%", height: "100%" }));
    const known = new Map(run.events.map((event) => [event.index, event]));
    for (const shape of scene.shapes) made.append(form(run, shape, known));
    return made;
  }
  function form(run, shape, known) {
    const y = shape.y * zoom;
    const y2 = shape.y2 * zoom;
    const group = svg("g", { class: shape.c });
    if (shape.t) group.append(svg("title", {}, shape.t));
    switch (shape.k) {
      case "rect": group.append(svg("rect", { x: shape.x, y, width: shape.w, height: Math.max(0, y2 - y) })); break;
      case "line": group.append(svg("path", { d: `M${shape.x} ${y}L${shape.x2} ${y2}` })); break;
      case "poly": group.append(svg("path", { d: "M" + shape.points.map(([x, y]) => `${x} ${y * zoom}`).join("L") + "Z" })); break;
      case "text": group.append(svg("text", { x: shape.x, y: y + shape.dy, "text-anchor": shape.anchor }, shape.text)); break;
      case "sign": group.append(svg("path", { transform: `translate(${shape.x} ${y + shape.dy})`, d: PATHS[shape.sign] })); break;
      case "arrow": arrow(group, shape, y, y2); break;
    }
    if (shape.e !== undefined && known.has(shape.e)) reach(run, group, known, shape);
    else if (shape.l) {
      group.addEventListener("click", () => toLine(shape.l));
      // A symbol stands beside its words: one stop for both.
      if (shape.k !== "sign") { group.setAttribute("tabindex", "0"); group.setAttribute("role", "link"); group.addEventListener("focus", () => toLine(shape.l)); group.setAttribute("aria-label", shape.t || "line " + shape.l); }
    }
    return group;
  }
  function arrow(group, shape, y, y2) {
    const dx = shape.x2 - shape.x;
    const dy = y2 - y;
    const turn = Math.atan2(dy, dx) * 180 / Math.PI;
    const share = shape.at / Math.max(1, Math.abs(dx));
    const line = `M${shape.x} ${y}L${shape.x2} ${y2}`;
    group.append(svg("path", { class: "hit", d: line }), svg("path", { class: "shaft", d: line }),
      svg("path", { class: "tip", transform: `translate(${shape.x2} ${y2}) rotate(${turn})`, d: shape.lost ? PATHS.cross : "M0 0L-8 -3.5L-8 3.5Z" }),
      svg("text", { transform: `translate(${shape.x + dx * share} ${y + dy * share}) rotate(${dx < 0 ? turn + 180 : turn})`, y: -3, "text-anchor": "middle" },
        shape.label, svg("tspan", { class: "travel" }, " " + shape.travel)));
  }

  /* Makes a shape lead to its event. Of several shapes of one event only those with words are stops for Tab. */
  function reach(run, group, known, shape) {
    const event = known.get(shape.e);
    group.dataset.event = shape.e;
    if (shape.k === "arrow" || shape.k === "text") {
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", `${seconds(event.at_ms)} ${shape.t || event.text}`);
      group.addEventListener("focus", () => tell(run, event, known));
    }
    group.addEventListener("mouseenter", () => { if (lit === null) tell(run, event, known, true); });
    group.addEventListener("click", () => { lit = event.index; tell(run, event, known); });
  }
  function tell(run, event, known, passing) {
    if (!passing) lit = event.index;
    const cause = event.cause === undefined ? undefined : known.get(event.cause);
    for (const group of main.querySelectorAll(".diagram .is-lit, .diagram .is-cause")) group.classList.remove("is-lit", "is-cause");
    for (const group of main.querySelectorAll(`.diagram [data-event="${event.index}"]`)) group.classList.add("is-lit");
    // What arrives is drawn with what was sent.
    if (cause) for (const group of main.querySelectorAll(`.diagram [data-event="${shownAs(cause, known).index}"]`)) group.classList.add("is-cause");
    const rows = [["at", seconds(event.at_ms) + " s"], ["node", event.node], [event.kind === "received" ? "from" : "to", event.peer], ["connection", event.connection],
      ["arrival", event.arrival_ms === undefined ? (event.kind === "sent" ? "never" : undefined) : `${seconds(event.arrival_ms)} s, ${event.arrival_ms - event.at_ms} ms later`]];
    for (const [name, value] of Object.entries(event.fields || {})) rows.push([name, typeof value === "string" ? value : JSON.stringify(value)]);
    const table = element("table", {}, ...rows.filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => element("tr", {}, element("td", {}, name), element("td", {}, String(value)))));
    const links = element("p", {});
    if (cause) links.append("because of ", element("a", { href: "#", id: "to-cause", onclick: (click) => { click.preventDefault(); go(cause, known); } }, `${seconds(cause.at_ms)} ${cause.node ? cause.node + " " : ""}${cause.kind === "received" ? "receives " : ""}${cause.text}`));
    if (event.line) links.append(cause ? " · " : "", element("a", { href: "#", id: "to-line", onclick: (click) => { click.preventDefault(); toLine(event.line); } }, "line " + event.line));
    byId("details").replaceChildren(element("strong", {}, event.text), table, links);
    if (event.line) toLine(event.line);
  }
  function shownAs(event, known) {
    return event.kind === "received" && event.cause !== undefined && known.has(event.cause) ? known.get(event.cause) : event;
  }
  function go(event, known) {
    const target = shownAs(event, known);
    const group = main.querySelector(`.diagram [tabindex][data-event="${target.index}"]`);
    if (group) { group.scrollIntoView({ block: "center", inline: "nearest" }); group.focus(); }
    tell(runs[open], event, known);
  }

  /* Where the address says. */
  function route() {
    const name = decodeURIComponent(location.hash.slice(1));
    const index = runs.findIndex((run) => run.name === name);
    if (index >= 0) return show(index);
    open = null;
    document.title = "halfopen";
    for (const link of byId("runs").querySelectorAll("[aria-current]")) link.removeAttribute("aria-current");
    overview(matching());
  }
  function step(by, wanted) {
    const shown = matching();
    const at = shown.indexOf(open);
    for (let next = at + by; next >= 0 && next < shown.length; next += by) {
      if (!wanted || wanted(runs[shown[next]])) { location.hash = encodeURIComponent(runs[shown[next]].name); return; }
    }
  }
  document.addEventListener("keydown", (key) => {
    if (key.ctrlKey || key.metaKey || key.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(key.target.tagName)) { typed(key); return; }
    if (key.key === "ArrowDown" || key.key === "ArrowUp") { if (move(key.target, key.key === "ArrowDown" ? 1 : -1)) key.preventDefault(); return; }
    const scroll = byId("scroll");
    const press = (id) => { const at = byId(id); if (at) at.click(); };
    const actions = {
      j: () => step(1), k: () => step(-1), n: () => step(1, isBad), "/": () => byId("text").focus(), "?": keys, c: () => press("to-cause"), y: () => press("to-line"),
      "+": () => scroll && scroll.zoom(zoom * 1.5), "=": () => scroll && scroll.zoom(zoom * 1.5), "-": () => scroll && scroll.zoom(zoom / 1.5), 0: () => scroll && scroll.zoom(1),
      Escape: () => { if (lit !== null) { lit = null; document.activeElement.blur(); } else location.hash = ""; },
    };
    if (actions[key.key]) { key.preventDefault(); actions[key.key](); }
  });
  /* In a filter: on to the list, or out. */
  function typed(key) {
    if (key.key === "Escape") {
      if (key.target.value) { key.target.value = ""; list(); } else key.target.blur();
    } else if (key.target.id === "text" && key.key === "ArrowDown") {
      const first = byId("runs").querySelector("a");
      if (first) { key.preventDefault(); first.focus(); }
    } else if (key.target.id === "text" && key.key === "Enter") {
      const first = byId("runs").querySelector("a");
      if (first) location.hash = first.getAttribute("href");
    }
  }
  /* The arrows: from run to run in the list, from event to event in a picture. */
  function move(from, by) {
    const box = from.closest("#runs, #scroll");
    if (!box) return false;
    const stops = [...box.querySelectorAll(box.id === "runs" ? "a" : "[tabindex]")];
    const next = stops[stops.indexOf(from) + by];
    if (next) next.focus(); else if (box.id === "runs" && by < 0) byId("text").focus();
    return true;
  }
  function keys() {
    const panel = byId("keys");
    panel.hidden = !panel.hidden;
    byId("keys-button").setAttribute("aria-expanded", String(!panel.hidden));
  }
  byId("keys-button").addEventListener("click", keys);

  summary();
  choices("area", runs.map((run) => run.area));
  choices("verdict", runs.map((run) => run.verdict), WORD);
  if (runs.some(isBad)) byId("verdict").append(element("option", { value: "bad" }, "needs attention"));
  choices("tag", runs.flatMap((run) => run.tags));
  choices("mqtt", runs.map((run) => run.mqtt));
  byId("filters").addEventListener("input", list);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", route);
  list();
  route();
  // A single run needs no list to be chosen from.
  if (runs.length === 1 && !location.hash) location.hash = encodeURIComponent(runs[0].name);
  document.body.dataset.ready = "yes";
})();
