// Each person's balance and ledger, and what the audit says of them all.
import { clock, credits, keep, make, nobody } from "./dom.js";

const REASONS = { welcome: "подарок новичку", order: "заказ картинки", order_refund: "возврат за заказ",
  purchase: "покупка", purchase_refund: "возврат покупки" };

const verdict = make("p", { className: "verdict", id: "verdict", role: "status" });
const nobodyYet = nobody("Пока никто не писал боту: отправьте /start.");
const people = make("div", { className: "cards", id: "ledgers" });

export const accounts = make("section", { className: "accounts" }, verdict, nobodyYet, people);

export function auditWords(board) {
  if (board.error) return ["", "база не отвечает"];
  return board.audit.length ? ["bad", "сверка не сходится"] : ["good", "сверка сходится"];
}

export function showAccounts(board) {
  const [kind] = auditWords(board);
  verdict.dataset.kind = kind;
  verdict.replaceChildren(...(board.audit.length
    ? board.audit.map((row) => make("span", {}, `${board.names[row.user_id] ?? row.user_id}: ` +
        `${row.what} (${row.ref}). `))
    : [make("b", {}, "Сверка сходится. "), "Каждый баланс равен сумме проводок, заказы и платежи с ними сходятся (sql/audit.sql)."]));
  nobodyYet.hidden = board.users.length > 0;
  keep(people, board.users.map((user) => ({ ...user, name: board.names[user.id] ?? String(user.id),
    entries: board.ledger.filter((entry) => entry.user_id === user.id).slice(0, 40) })), (user) => user.id, person);
}

function person(user) {
  const rows = user.entries.map((entry) => make("tr", {},
    make("td", {}, clock(entry.created_at)),
    make("td", {}, REASONS[entry.reason] ?? entry.reason),
    make("td", { className: entry.delta > 0 ? "plus" : "minus" }, `${entry.delta > 0 ? "+" : "−"}${Math.abs(entry.delta)}`),
    make("td", {}, String(entry.balance))));
  const head = make("tr", {}, ...["время", "за что", "кредиты", "стало"].map((text) => make("th", { scope: "col" }, text)));
  return make("article", { className: "card" },
    make("header", {}, make("b", {}, user.name), make("span", { className: "balance" }, credits(user.credits))),
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}
