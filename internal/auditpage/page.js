"use strict";
// All text of requests goes into text nodes: nothing here makes markup of it.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const grants = data.grants;
const pageSize = 100;
const compare = new Intl.Collator("en", { numeric: true }).compare;
let shown = grants, sort = { key: "from", down: true }, page = 0, printing = false;

const stamp = (s) => s ? new Date(s * 1000).toISOString().slice(0, 16).replace("T", " ") : "";
const plural = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");
const begin = (g) => g.from || g.ended || g.entered;
const end = (g) => g.ended || g.until || Math.max(data.made, g.entered);

for (const g of grants) {
	g.kind = g.glass || g.proof === "unproven" || (g.ended && !g.from) ? "bad"
		: !g.ended ? "open" : g.ended < g.until ? "early" : "had";
	g.what = [g.policy, g.roles && g.roles !== g.policy ? "(" + g.roles + ")" : ""].join(" ").trim();
	const words = [g.name, g.who, g.user, g.where, g.what, g.how, g.cause, g.by, g.reason, g.proof,
		g.glass ? "break-glass" : "", g.pull ? "#" + g.pull : ""];
	g.text = words.join(" ").toLowerCase();
}

const columns = [
	{ head: "Name", key: "name", cell: (g) => commit(g.name, g.commit) },
	{ head: "Who", key: "who", cell: (g) => [g.who, g.user !== g.who && g.user ? part("", g.user) : ""] },
	{ head: "Where", key: "where", cell: (g) => g.where },
	{ head: "What", key: "what", cell: (g) => g.what },
	{ head: "From", key: "from", type: "time", cell: (g) => commit(stamp(g.from), g.granted) },
	{ head: "Ended", key: "ended", type: "time", cell: (g) => [g.ended ? stamp(g.ended) : "no",
		part("", g.how || (g.until ? "until " + stamp(g.until) : ""))] },
	{ head: "Approved by", key: "by", cell: (g) => g.by || "" },
	{ head: "PR", key: "pull", cell: (g) => g.pull ? link("#" + g.pull, "pull/" + g.pull, true) : "" },
	{ head: "Reason", key: "reason", cell: (g) => [g.glass ? part("mark", "break-glass ") : "",
		g.proof === "unproven" ? part("mark", "unproven ") : "", g.reason || ""] },
];

const commit = (text, hash) => link(text, "commit/" + hash, /^[0-9a-f]{40}$/.test(hash));

function link(text, path, ok) {
	if (!data.base || !ok) return text;
	const a = document.createElement("a");
	a.href = data.base + "/" + path;
	a.rel = "noopener noreferrer";
	a.textContent = text;
	return a;
}

function part(name, text) {
	const span = document.createElement("span");
	span.className = name;
	span.textContent = text;
	return span;
}

const day = (text, plus) => text ? Date.parse(text + "T00:00:00Z") / 1000 + plus : 0;

function filter() {
	const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
	const cause = $("cause").value, since = day($("since").value, 0), until = day($("until").value, 86400);
	shown = grants.filter((g) => words.every((w) => g.text.includes(w)) &&
		(!cause || (g.cause || "open") === cause) && (!until || begin(g) < until) &&
		(!since || !g.ended || g.ended > since));
	page = 0;
	order();
	totals();
	draw();
}

function order() {
	const value = (g) => g[sort.key] ?? (sort.key === "from" ? g.ended || g.entered : "");
	const sign = sort.down ? -1 : 1;
	shown.sort((a, b) => {
		const x = value(a), y = value(b);
		if (typeof x === "string" && typeof y === "string") return sign * compare(x, y);
		return sign * ((x || 0) - (y || 0));
	});
	for (const th of $("heads").children) {
		const on = th.dataset.key === sort.key;
		th.setAttribute("aria-sort", on ? (sort.down ? "descending" : "ascending") : "none");
		th.lastChild.lastChild.textContent = on ? (sort.down ? " ↓" : " ↑") : "";
	}
	table();
}

function table() {
	const size = printing ? shown.length || 1 : pageSize, pages = Math.max(1, Math.ceil(shown.length / size));
	page = Math.min(page, pages - 1);
	const rows = shown.slice(page * size, (page + 1) * size).map((g, i) => {
		const tr = document.createElement("tr");
		tr.tabIndex = i ? -1 : 0;
		tr.dataset.name = g.name;
		for (const c of columns) {
			const td = document.createElement("td");
			td.dataset.head = c.head;
			td.className = c.type || c.key;
			td.append(...[c.cell(g)].flat().filter(Boolean)); // "" is nothing to show
			tr.append(td);
		}
		return tr;
	});
	$("rows").replaceChildren(...rows);
	$("back").disabled = page === 0;
	$("next").disabled = page === pages - 1;
	$("pages").textContent = "Page " + (page + 1) + " of " + pages;
	$("status").textContent = plural(shown.length, "request") + (shown.length < grants.length
		? " of " + grants.length.toLocaleString("en") : "") + (shown.length ? "" : ": nothing is left of the filter");
}

function totals() {
	const had = shown.filter((g) => g.from), count = (test) => shown.filter(test).length;
	const seconds = had.reduce((sum, g) => sum + Math.max(0, end(g) - g.from), 0);
	const all = [["Grants", had.length], ["People", new Set(had.map((g) => g.who)).size],
		["Places", new Set(had.map((g) => g.where)).size], ["Hours of access", Math.round(seconds / 3600)],
		["Ended early", count((g) => g.from && g.ended && g.ended < g.until)],
		["Not ended", count((g) => !g.ended)], ["Refused", count((g) => g.ended && !g.from)],
		["Break-glass", count((g) => g.glass)], ["Unproven", count((g) => g.proof === "unproven")]];
	$("totals").replaceChildren(...all.map(([name, n]) => {
		const div = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
		dt.textContent = name;
		dd.textContent = n.toLocaleString("en");
		div.append(dt, dd);
		return div;
	}));
}

// The timeline: a line a person or place, a bar a grant. Only the lines that can be seen are drawn.
const line = 24, top_ = 28;
let lines = [], span = [0, 1], label = 150;

function draw() {
	const key = $("group").value, by = new Map();
	for (const g of shown) {
		if (!by.has(g[key])) by.set(g[key], []);
		by.get(g[key]).push(g);
	}
	lines = [...by].sort((a, b) => compare(a[0], b[0]));
	let first = Infinity, last = -Infinity;
	for (const g of shown) {
		first = Math.min(first, begin(g));
		last = Math.max(last, end(g));
	}
	const room = Math.max(600, (last - first) * 0.02);
	span = shown.length ? [first - room, last + room] : [data.made - 86400, data.made];
	$("space").style.height = top_ + lines.length * line + 4 + "px";
	$("timeline").setAttribute("aria-label", "Timeline of " + plural(shown.length, "request") + ", by " +
		$("group").selectedOptions[0].text + ", from " + stamp(span[0]) + " to " + stamp(span[1]));
	paint();
}

const place = (t, width) => label + (t - span[0]) / (span[1] - span[0]) * (width - label - 8);

function paint() {
	const canvas = $("timeline"), scroll = $("scroll"), colour = getComputedStyle(document.documentElement);
	const width = scroll.clientWidth, full = top_ + lines.length * line + 4;
	const height = printing ? Math.min(full, 900) : Math.min(full, parseFloat(getComputedStyle(scroll).maxHeight) || full);
	const scale = window.devicePixelRatio || 1, c = canvas.getContext("2d");
	label = Math.min(190, width * 0.3);
	canvas.width = width * scale;
	canvas.height = height * scale;
	canvas.style.width = width + "px";
	canvas.style.height = height + "px";
	const of = (name) => colour.getPropertyValue("--" + name).trim();
	c.setTransform(scale, 0, 0, scale, 0, 0);
	c.fillStyle = of("ground");
	c.fillRect(0, 0, width, height);
	c.font = "12px system-ui, sans-serif";
	c.textBaseline = "middle";
	const offset = printing ? 0 : scroll.scrollTop;
	const from = Math.max(0, Math.floor(offset / line)), to = Math.min(lines.length, from + Math.ceil(height / line) + 1);
	for (let i = from; i < to; i++) {
		const y = top_ + i * line - offset;
		c.fillStyle = of("text");
		c.fillText(fit(c, lines[i][0], label - 12), 8, y + line / 2);
		c.fillStyle = of("line");
		c.fillRect(0, y + line - 1, width, 0.5);
		c.globalAlpha = 0.85;
		for (const g of lines[i][1]) {
			const x = place(begin(g), width), w = Math.max(3, place(end(g), width) - x);
			c.fillStyle = of(g.kind);
			c.fillRect(x, y + 5, g.from ? w : 3, line - 11);
		}
		c.globalAlpha = 1;
	}
	axis(c, width, height, of);
}

function axis(c, width, height, of) {
	c.fillStyle = of("soft");
	c.fillRect(0, 0, width, top_);
	const steps = [600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400,
		90 * 86400, 182 * 86400, 365 * 86400, 1825 * 86400];
	const least = (span[1] - span[0]) / Math.max(1, (width - label) / 110);
	const step = steps.find((s) => s >= least) || steps.at(-1);
	for (let t = Math.ceil(span[0] / step) * step; t < span[1]; t += step) {
		const x = place(t, width), text = step < 86400 ? stamp(t).slice(5) : stamp(t).slice(0, 10);
		c.fillStyle = of("line");
		c.fillRect(x, top_ - 6, 1, height);
		c.fillStyle = of("quiet");
		if (x + c.measureText(text).width + 4 < width) c.fillText(text, x + 4, top_ / 2);
	}
}

function fit(c, text, width) {
	if (c.measureText(text).width <= width) return text;
	while (text && c.measureText(text + "…").width > width) text = text.slice(0, -1);
	return text + "…";
}

function under(event) {
	const box = $("timeline").getBoundingClientRect(), x = event.clientX - box.left;
	const i = Math.floor((event.clientY - box.top - top_ + $("scroll").scrollTop) / line);
	if (event.clientY - box.top < top_ || !lines[i]) return null;
	return lines[i][1].findLast((g) => {
		const a = place(begin(g), box.width), b = Math.max(a + 3, g.from ? place(end(g), box.width) : 0);
		return x >= a - 1 && x <= b + 1;
	}) || null;
}

function find(g) {
	page = Math.floor(shown.indexOf(g) / pageSize);
	table();
	const row = [...$("rows").children].find((tr) => tr.dataset.name === g.name);
	row.classList.add("found");
	row.focus();
}

function print(on) {
	if (printing === on) return;
	printing = on;
	table();
	paint();
}

for (const c of columns) {
	const th = document.createElement("th"), b = document.createElement("button"), arrow = document.createElement("span");
	th.scope = "col";
	th.dataset.key = c.key;
	b.type = "button";
	arrow.setAttribute("aria-hidden", "true");
	b.append(c.head, arrow);
	b.addEventListener("click", () => {
		sort = { key: c.key, down: sort.key === c.key ? !sort.down : c.type === "time" };
		order();
	});
	th.append(b);
	$("heads").append(th);
}
const kinds = new Map(grants.map((g) => [g.cause || "open", g.cause || "not ended"]));
for (const [value, text] of [...kinds].sort((a, b) => compare(a[1], b[1]))) {
	$("cause").append(new Option(text, value));
}
$("controls").addEventListener("submit", (e) => e.preventDefault());
let later = 0;
for (const id of ["filter", "cause", "since", "until"]) {
	$(id).addEventListener("input", () => { clearTimeout(later); later = setTimeout(filter, 80); });
}
$("group").addEventListener("input", draw);
$("clear").addEventListener("click", () => { $("controls").reset(); filter(); $("filter").focus(); });
$("back").addEventListener("click", () => { page--; table(); });
$("next").addEventListener("click", () => { page++; table(); });
$("scroll").addEventListener("scroll", paint, { passive: true });
$("timeline").addEventListener("mousemove", (e) => {
	const g = under(e);
	$("hover").textContent = g ? [g.name, g.who, g.where, g.what, stamp(begin(g)) + " to " +
		(g.ended ? stamp(g.ended) : "now or later"), g.how].filter(Boolean).join(" · ") : "\u00a0";
});
$("timeline").addEventListener("click", (e) => { const g = under(e); if (g) find(g); });
$("rows").addEventListener("keydown", (e) => {
	const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[e.key];
	const row = e.target.closest("tr"), other = to && row[to];
	if (!other) return;
	e.preventDefault();
	row.tabIndex = -1;
	other.tabIndex = 0;
	other.focus();
});
document.addEventListener("keydown", (e) => {
	const typing = e.target.matches("input, select");
	if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
		e.preventDefault();
		$("filter").focus();
		$("filter").select();
	} else if (e.key === "Escape" && e.target === $("filter")) {
		$("filter").value = "";
		filter();
	}
});
addEventListener("resize", paint);
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
matchMedia("print").addEventListener("change", (e) => print(e.matches));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
shown = grants.slice();
filter();
