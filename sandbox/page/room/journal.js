// Every HTTP call between the services, newest first; bodies come on a click.
import { clock, make } from "./dom.js";

const LIMIT = 300;
const SERVICES = { telegram: "Telegram", "gen-api": "gen-api", yookassa: "ЮKassa" };
const WORDS = {
  "telegram sendInvoice": "счёт в звёздах", "telegram answerPreCheckoutQuery": "ответ перед оплатой",
  "telegram getStarTransactions": "операции со звёздами", "telegram refundStarPayment": "вернуть звёзды",
  "telegram lost": "сообщение об оплате", "telegram update": "сообщение", "telegram press": "нажатие кнопки", "telegram file": "скачать файл",
  "gen-api create": "заказ картинки", "gen-api get": "как там заказ?", "gen-api result": "скачать картинку",
  "gen-api user": "баланс", "gen-api outgoing": "колбэк", "gen-api lost": "колбэк",
  "yookassa payments.create": "создать платёж", "yookassa payments.get": "проверить платёж",
  "yookassa payments.list": "список платежей", "yookassa outgoing": "уведомление", "yookassa lost": "уведомление",
  "yookassa page": "страница оплаты", "yookassa page.act": "решение на странице", "yookassa me": "кто я",
};
const rows = new Map();
const list = make("ol", { id: "journal", "aria-label": "HTTP-вызовы, новые сверху" });
const filters = make("div", { className: "filters", role: "group", "aria-label": "Какие вызовы показать" });

export const journal = make("section", { className: "journal" },
  make("header", {}, make("h3", {}, "HTTP-вызовы"), filters), list);

const KINDS = [["all", "Все"], ...Object.entries(SERVICES), ["failed", "Сбои"]];
for (const [kind, title] of KINDS) {
  filters.append(make("button", { type: "button", "aria-pressed": String(kind === "all"), onclick: choose,
    "data-kind": kind }, title));
}

function choose(event) {
  for (const button of filters.children) button.ariaPressed = String(button === event.currentTarget);
  list.dataset.only = event.currentTarget.dataset.kind;
}

export function addCalls(calls) {
  // The same number at another time: the sandbox was started anew.
  if (calls.some((call) => rows.has(call.number) && rows.get(call.number).at !== call.at)) {
    rows.clear();
    list.replaceChildren();
  }
  for (const call of calls) {
    const known = rows.get(call.number);
    if (known) known.update(call);
    else {
      const fresh = row(call);
      rows.set(call.number, fresh);
      list.prepend(fresh.node);
    }
  }
  for (const [number, { node }] of rows) {
    if (rows.size <= LIMIT) break;
    node.remove();
    rows.delete(number);
  }
}

function row(call) {
  const summary = make("summary");
  const texts = make("div", { className: "texts" });
  const details = make("details", {}, summary, texts);
  const node = make("li", { "data-service": call.service }, details);
  details.ontoggle = () => { if (details.open) open(call.number, texts); };
  function update(now) {
    node.className = now.failed ? "failed" : now.mishap ? "disturbed" : "";
    summary.replaceChildren(...cells(now));
    if (details.open) open(now.number, texts);
  }
  update(call);
  return { node, update, at: call.at };
}

function cells(call) {
  const service = SERVICES[call.service];
  const peer = call.person ? "человек" : "бот";
  const [from, to] = call.outgoing ? [service, peer] : [peer, service];
  const status = call.ms === null ? "…" : call.status || "нет ответа";
  const words = WORDS[`${call.service} ${call.route}`];
  return [
    make("time", {}, clock(call.at)),
    make("span", { className: "way" }, from, make("i", {}, " → "), to),
    make("span", { className: "what" }, words ?? call.route),
    make("code", { className: "path" }, `${call.method === "REPLY" ? "в ответе" : call.method} ${call.path}`),
    make("span", { className: call.ms === null ? "status waiting" : "status" }, call.route === "lost" ? "не дошёл" : String(status)),
    make("span", { className: "ms" }, call.ms === null || call.route === "lost" ? "" : length(call.ms)),
    ...(call.mishap ? [make("b", { className: "mishap" }, `⚡ ${call.mishap}`)] : []),
  ];
}

function length(ms) {
  return ms < 1000 ? `${ms} мс` : `${(ms / 1000).toFixed(1).replace(".", ",")} с`;
}

async function open(number, texts) {
  const answer = await fetch(`/api/room/calls/${number}`);
  if (!answer.ok) return;
  const call = await answer.json();
  const headers = Object.entries(call.headers).map(([name, value]) => `${name}: ${value}`);
  texts.replaceChildren(
    part("Адрес", [call.path, ...headers].join("\n")), part("Запрос", pretty(call.body)),
    part("Ответ", pretty(call.answer)));
}

function part(title, text) {
  return make("figure", {}, make("figcaption", {}, title), make("pre", {}, text || "пусто"));
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text, unpack), null, 2); } catch { return text; }
}

// The Bot API sends JSON inside JSON.
function unpack(_name, value) {
  if (typeof value !== "string" || !/^[[{]/.test(value)) return value;
  try { return JSON.parse(value); } catch { return value; }
}
