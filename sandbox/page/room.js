// The machine room: what happens between the services, live, and switches to disturb it.
import { accounts, auditWords, showAccounts } from "./room/accounts.js";
import { keep, make, poster } from "./room/dom.js";
import { botWords, faults, showFaults } from "./room/faults.js";
import { addCalls, journal } from "./room/journal.js";
import { showWork, work } from "./room/work.js";

const botPill = make("span", { className: "pill", id: "bot-state", role: "status" }, "бот запускается");
const auditPill = make("span", { className: "pill", id: "audit" }, "сверка…");
const armed = make("ul", { id: "armed", "aria-label": "Включённые поломки" });
const heal = poster("Починить всё", "heal", { id: "heal" });
const tabs = make("div", { role: "tablist", "aria-label": "Машинный зал" });
const panels = [
  ["happening", "Ход дела", make("div", {}, work, journal)],
  ["faults", "Поломки", faults],
  ["accounts", "Счета", accounts],
];

function tab([key, title, content], place) {
  const panel = make("div", { role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, hidden: place > 0 },
    content);
  tabs.append(make("button", { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": panel.id,
    "aria-selected": String(place === 0), tabIndex: place ? -1 : 0, onclick: () => choose(place) }, title));
  return panel;
}

document.getElementById("room").append(
  make("header", { className: "head" },
    make("div", { className: "state" }, botPill, auditPill), armed, make("div", { className: "bar" }, tabs, heal)),
  ...panels.map(tab));

function choose(place) {
  [...tabs.children].forEach((button, at) => {
    button.ariaSelected = String(at === place);
    button.tabIndex = at === place ? 0 : -1;
    document.getElementById(button.getAttribute("aria-controls")).hidden = at !== place;
  });
  tabs.children[place].focus();
  document.getElementById("room").scrollTop = 0;
}

tabs.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const count = tabs.children.length;
  choose(([...tabs.children].indexOf(document.activeElement) + step + count) % count);
});

function pill(element, [kind, words]) {
  element.dataset.kind = kind;
  if (element.textContent !== words) element.textContent = words;
}

function show(board) {
  pill(botPill, botWords(board.bot));
  pill(auditPill, auditWords(board));
  const on = board.switches.filter((one) => one.left > 0);
  keep(armed, on, (one) => one.key, (one) => make("li", {}, `⚡ ${one.title} ×${one.left}`,
    poster("✕", `switches/${one.key}/off`, { "aria-label": `Снять: ${one.title}` })));
  heal.disabled = on.length === 0 && board.bot.state !== "down" && board.bot.state !== "paused";
  showFaults(board);
  if (board.error) return;
  showWork(board);
  showAccounts(board);
}

// A browser allows few streams to one host: a tab that nobody looks at gives its own back.
let stream = null;
function follow() {
  if (document.hidden) {
    stream?.close();
    stream = null;
  } else if (!stream) {
    stream = new EventSource("/api/room/events");
    stream.addEventListener("calls", (event) => addCalls(JSON.parse(event.data)));
    stream.addEventListener("board", (event) => show(JSON.parse(event.data)));
  }
}
document.addEventListener("visibilitychange", follow);
follow();
