// Orders and payments, each moving through its states.
import { credits, keep, make, nobody, post, poster, roubles, seconds } from "./dom.js";

const ORDER = { queued: "в очереди", submitting: "отправка", processing: "рисуется", ready: "готово",
  delivered: "доставлено", failed: "кредиты вернулись" };
const PAYMENT = { new: "создаётся", pending: "ждёт оплаты", succeeded: "оплачено", refunded: "возвращено",
  canceled: "отменён", abandoned: "без ответа", review: "на разбор" };
const BAD = ["failed", "canceled", "abandoned", "review"];
const ENDS = [...BAD, "delivered", "succeeded", "refunded"];

const orders = make("div", { className: "cards", id: "orders" });
const payments = make("div", { className: "cards", id: "payments" });
const noOrders = nobody("Пока ни одного заказа: отправьте боту /photo.");
const noPayments = nobody("Пока ни одной покупки: /buy_subscription.");

export const work = make("section", { className: "work" },
  make("h3", {}, "Заказы"), noOrders, orders, make("h3", {}, "Платежи"), noPayments, payments);

export function showWork(board) {
  noOrders.hidden = board.generations.length > 0;
  noPayments.hidden = board.payments.length > 0;
  keep(orders, board.generations.map((g) => ({ ...g, name: board.names[g.user_id],
    answered: board.orders.includes(g.request_id) })), (g) => g.id, order);
  keep(payments, board.payments.map((p) => ({ ...p, name: board.names[p.user_id],
    shop: board.shop[p.provider_id] ?? null, charges: board.stars.filter((charge) => charge.payment === p.id) })), (p) => p.id, payment);
}

function order(g) {
  const came = ["queued", g.submitted_at && "submitting", g.request_id && "processing", g.ready_at && "ready"];
  const past = came.filter((state) => state && state !== g.status);
  const path = g.status === "failed" ? [...past, "failed"] : ["queued", "submitting", "processing", "ready", "delivered"];
  return card(g, g.prompt ?? "описание стёрто", steps(path, g.status, ORDER),
    [g.name ?? g.user_id, g.model, g.sources > 1 ? `${g.sources} картинки` : g.sources === 0 ? "без картинки" : "",
      g.style ?? "", g.size, credits(g.price), g.cost ? `стоил ${roubles(g.cost)}` : "", g.attempt > 1 ? `попытка ${g.attempt}` : "",
      g.request_id ? `№ ${g.request_id}` : ""],
    g.failure ? `Причина: ${g.failure}` : "",
    g.answered ? [poster("Колбэк ещё раз", `generations/${g.request_id}/callback`)] : []);
}

function payment(p) {
  const path = { refunded: ["new", "pending", "succeeded", "refunded"], abandoned: ["new", "abandoned"] }[p.status] ??
    ["new", "pending", BAD.includes(p.status) ? p.status : "succeeded"];
  const notes = [];
  const money = p.currency === "XTR" ? (stars) => `⭐ ${stars}` : roubles;
  if (p.refunded) {
    notes.push(`Возвращено ${money(p.refunded)}, снято ${credits(p.credits_taken)}` +
      (p.credits_short ? `, не хватило ${credits(p.credits_short)}` : "") + ".");
  }
  if (p.reason) notes.push(`Причина: ${p.reason}`);
  return card(p, `${money(p.amount)} — ${credits(p.credits)}`, steps(path, p.status, PAYMENT),
    [p.name ?? p.user_id, p.attempts > 1 ? `${p.attempts} попытки создать` : ""], notes.join(" "), actions(p));
}

function actions(p) {
  if (!p.shop) {
    return p.charges.filter((charge) => !charge.refunded).map((charge) => poster("Вернуть ⭐", `stars/${charge.id}/refund`));
  }
  if (p.shop.status === "pending") {
    return [make("a", { href: p.confirmation_url ?? "", target: "_blank", rel: "noopener", hidden: !p.confirmation_url },
      "Страница оплаты ↗")];
  }
  const again = poster("Уведомить ещё раз", `payments/${p.provider_id}/notify`);
  return p.shop.refundable ? [again, refund(p)] : [again];
}

function refund(p) {
  const amount = make("input", { name: "amount", inputMode: "decimal", placeholder: "всё", autocomplete: "off",
    "aria-label": "Сколько рублей вернуть; пусто — всё", "data-focus": "amount" });
  const error = make("output");
  const form = make("form", { className: "refund" }, amount, make("button", { "data-focus": "refund" }, "Вернуть ₽"),
    error);
  form.onsubmit = async (event) => {
    event.preventDefault();
    const done = await post(`payments/${p.provider_id}/refund`, { amount: amount.value.trim().replace(",", ".") });
    error.textContent = done ? "" : "Столько вернуть нельзя";
    if (done) amount.value = "";
  };
  return form;
}

function card(thing, title, line, facts, note, buttons) {
  const ended = ENDS.includes(thing.status);
  const time = make("span", { className: "age", "data-since": thing.created_at });
  if (ended) {
    time.removeAttribute("data-since");
    const end = thing.finished_at ?? thing.paid_at;
    time.textContent = end ? `за ${seconds(end - thing.created_at)}` : "";
  }
  return make("article", { className: "card", "data-status": thing.status },
    make("header", {}, make("b", {}, title), make("code", {}, thing.status), time),
    line,
    make("footer", {}, make("span", { className: "facts" }, facts.filter(Boolean).join(" · ")), ...buttons),
    note ? make("p", { className: "note" }, note) : null);
}

function steps(path, status, words) {
  const now = path.indexOf(status);
  return make("ol", { className: "steps", "aria-label": "Состояния" }, ...path.map((state, place) => {
    const kind = place < now ? "done" : place > now ? "" : BAD.includes(state) ? "bad" : ENDS.includes(state) ? "done" : "now";
    return make("li", { className: kind, title: state, "aria-current": place === now ? "step" : "false" }, words[state]);
  }));
}

setInterval(() => {
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = seconds(Math.max(0, Date.now() / 1000 - element.dataset.since));
  }
}, 500);
